//! Falco's priorities, ordered.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Excerpt;

/// A rule's priority: `Debug` is the lowest, `Emergency` the highest.
///
/// Read in any case, and by the short names of Falco (`Info`; `falco_common.cpp`) and of syslog (`emerg`, `crit`,
/// `err`, `warn`); written as Falco writes it in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "the names are syslog's severities, and Falco says no more of them"
)]
pub enum Priority {
    Debug,
    Informational,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Priority {
    /// All eight, the lowest first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Informational,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The name as Falco writes it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "Debug",
            Self::Informational => "Informational",
            Self::Notice => "Notice",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::Critical => "Critical",
            Self::Alert => "Alert",
            Self::Emergency => "Emergency",
        }
    }

    const fn short(self) -> Option<&'static str> {
        match self {
            Self::Informational => Some("Info"),
            Self::Warning => Some("Warn"),
            Self::Error => Some("Err"),
            Self::Critical => Some("Crit"),
            Self::Emergency => Some("Emerg"),
            Self::Debug | Self::Notice | Self::Alert => None,
        }
    }
}

/// The word is not a Falco priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}, which is no Falco priority; write one of Emergency, Alert, Critical, Error, Warning, Notice, Informational (Info), Debug"
)]
pub struct UnknownPriority(Excerpt);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|priority| {
                name.eq_ignore_ascii_case(priority.as_str())
                    || priority.short().is_some_and(|short| name.eq_ignore_ascii_case(short))
            })
            .ok_or_else(|| UnknownPriority(Excerpt::of(name)))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl de::Visitor<'_> for Name {
            type Value = Priority;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Falco priority (Debug to Emergency)")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Priority, E> {
                name.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Name)
    }
}

/// Editors complete from the enumeration; the pattern accepts the other spellings that loading accepts.
impl JsonSchema for Priority {
    fn schema_name() -> Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Self::ALL.map(Self::as_str);
        json_schema!({
            "description": "A Falco priority, least to greatest; any case, and Falco's abbreviation Info",
            "anyOf": [{"type": "string", "enum": names}, {"type": "string", "pattern": "^[A-Za-z]+$"}],
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Priority;

    #[rstest]
    #[case("Critical", Priority::Critical)]
    #[case("critical", Priority::Critical)]
    #[case("CRIT", Priority::Critical)]
    #[case("Info", Priority::Informational)]
    #[case("INFO", Priority::Informational)]
    #[case("Informational", Priority::Informational)]
    #[case("WARNING", Priority::Warning)]
    #[case("warn", Priority::Warning)]
    #[case("err", Priority::Error)]
    #[case("emerg", Priority::Emergency)]
    fn a_priority_is_read_in_any_case_and_by_its_short_name(#[case] written: &str, #[case] read: Priority) {
        assert_eq!(written.parse(), Ok(read));
    }

    #[test]
    fn priorities_are_ordered_from_debug_to_emergency_and_read_what_they_write() {
        assert!(Priority::ALL.is_sorted());
        assert!(Priority::Emergency > Priority::Debug);
        for priority in Priority::ALL {
            assert_eq!(priority.to_string().parse(), Ok(priority));
        }
    }

    #[rstest]
    #[case("")]
    #[case("Critical ")]
    #[case("5")]
    #[case("high")]
    fn another_word_is_refused_and_the_error_names_the_accepted_ones(#[case] written: &str) {
        let error = written.parse::<Priority>().unwrap_err().to_string();
        for priority in Priority::ALL {
            assert!(error.contains(priority.as_str()), "{error}");
        }
    }
}
