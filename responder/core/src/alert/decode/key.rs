//! The keys of an alert.

/// A key that Falco writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Hostname,
    Message,
    Output,
    OutputFields,
    Priority,
    Rule,
    Source,
    Tags,
    Time,
    Uuid,
}

impl Key {
    const ALL: [Self; 10] = [
        Self::Hostname,
        Self::Message,
        Self::Output,
        Self::OutputFields,
        Self::Priority,
        Self::Rule,
        Self::Source,
        Self::Tags,
        Self::Time,
        Self::Uuid,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Message => "message",
            Self::Output => "output",
            Self::OutputFields => "output_fields",
            Self::Priority => "priority",
            Self::Rule => "rule",
            Self::Source => "source",
            Self::Tags => "tags",
            Self::Time => "time",
            Self::Uuid => "uuid",
        }
    }

    /// The key of this name, in any case, as falcosidekick reads it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|key| name.eq_ignore_ascii_case(key.as_str()))
    }
}
