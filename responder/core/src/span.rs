//! Durations as SREs write them: `90s`, `10m`, `2h`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A positive duration of at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Why a text is not a [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not in the form of a duration.
    #[error("`{0}` is not a duration: write it like 90s, 10m, 2h or 1h30m")]
    Form(String),
    /// Zero, negative or more than 366 days.
    #[error("`{0}` is out of range: a duration is more than zero and at most 366 days")]
    Range(String),
}

impl Span {
    const LONGEST: u64 = 366 * 24 * 3600;

    /// A number of seconds; `None` for zero or more than 366 days.
    pub const fn from_secs(seconds: u64) -> Option<Self> {
        if seconds == 0 || seconds > Self::LONGEST {
            None
        } else {
            Some(Self(Duration::from_secs(seconds)))
        }
    }

    /// A constant number of seconds; a value out of range does not compile.
    pub const fn secs<const S: u64>() -> Self {
        const { assert!(S > 0 && S <= Self::LONGEST, "between one second and 366 days") };
        Self(Duration::from_secs(S))
    }

    /// A constant number of minutes; a value out of range does not compile.
    pub const fn minutes<const M: u64>() -> Self {
        const { assert!(M > 0 && M * 60 <= Self::LONGEST, "between one minute and 366 days") };
        Self(Duration::from_secs(M * 60))
    }

    /// The standard library's duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// jiff's duration.
    pub fn signed(self) -> SignedDuration {
        // At most 366 days, so it fits.
        SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let compact = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"dhms".contains(&byte));
        let parsed: SignedDuration = compact
            .then(|| text.parse().ok())
            .flatten()
            .or_else(|| days(text))
            .ok_or_else(|| SpanError::Form(text.to_owned()))?;
        let length = Duration::try_from(parsed).map_err(|_| SpanError::Range(text.to_owned()))?;
        if length.is_zero() || length > Duration::from_secs(Self::LONGEST) {
            return Err(SpanError::Range(text.to_owned()));
        }
        Ok(Self(length))
    }
}

/// `7d`: jiff allows no days in absolute durations, because of daylight saving. Here a day has 24 hours.
fn days(text: &str) -> Option<SignedDuration> {
    let days: i64 = text.strip_suffix('d')?.parse().ok()?;
    days.checked_mul(24 * 3600).map(SignedDuration::from_secs)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s")];
        for (count, unit) in parts {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        if seconds == 0 {
            write!(f, "{}ms", self.0.as_millis())
        } else {
            Ok(())
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+d|([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
            "minLength": 2,
            "description": "A duration, such as 90s, 10m, 2h or 1h30m.",
            "examples": ["10m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("90s", 90)]
    #[case("10m", 600)]
    #[case("1h30m", 5400)]
    #[case("7d", 604_800)]
    fn durations_are_read_as_sres_write_them(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(text.parse::<Span>().unwrap().get(), Duration::from_secs(seconds));
    }

    #[rstest]
    #[case("")]
    #[case("10")]
    #[case("0s")]
    #[case("-5m")]
    #[case("ten minutes")]
    #[case("367d")]
    fn a_text_that_is_no_duration_is_refused(#[case] text: &str) {
        assert!(text.parse::<Span>().is_err());
    }

    #[test]
    fn a_duration_prints_as_it_can_be_read_again() {
        for text in ["90s", "10m", "1h30m", "2h", "26h1s"] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }
}
