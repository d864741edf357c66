//! The sender of an alert, as intake has authenticated it; kept with the alert up to its decision and the audit trail.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Confinement;

/// The sender of an alert, as far as authentication proves it. Names the sender, never its credential.
///
/// An authenticated sender can still send false alerts: authentication says nothing about the alert's truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "camelCase")]
pub enum Sender {
    /// Intake required no authentication.
    #[default]
    Anonymous,
    /// A user with a password (HTTP Basic).
    Basic(SenderName),
    /// A sender with the bearer token of this name.
    Bearer(SenderName),
    /// A client certificate with this name.
    Certificate(SenderName),
    /// A publisher on the NATS subjects: the NATS server authenticates it and does not pass on its name.
    Nats,
    /// A sender that may report on a part of the cluster only.
    #[serde(untagged)]
    Confined(Arc<ConfinedSender>),
}

/// A sender, and the part of the cluster that it may report on. Written as the sender alone.
#[derive(Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ConfinedSender {
    sender: Sender,
    #[serde(skip)]
    to: Confinement,
}

impl Sender {
    /// The same sender, confined; a sender that is confined already stays so.
    #[must_use]
    pub fn confined(self, to: Confinement) -> Self {
        match self {
            Self::Confined(_) => self,
            sender => Self::Confined(Arc::new(ConfinedSender { sender, to })),
        }
    }

    /// The part of the cluster that the sender may report on; `None` for all of it.
    pub fn confinement(&self) -> Option<&Confinement> {
        match self {
            Self::Confined(confined) => Some(&confined.to),
            Self::Anonymous | Self::Basic(_) | Self::Bearer(_) | Self::Certificate(_) | Self::Nats => None,
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Basic(name) => write!(f, "basic {name}"),
            Self::Bearer(name) => write!(f, "bearer {name}"),
            Self::Certificate(name) => write!(f, "certificate {name}"),
            Self::Nats => f.write_str("NATS"),
            Self::Confined(confined) => confined.sender.fmt(f),
        }
    }
}

/// A sender's name from the configuration: 1 to 253 printable ASCII characters without spaces, safe in a log line as it
/// is. A clone shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SenderName(Arc<str>);

/// The text can't name a sender; cut to 253 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` can't name a sender: write 1 to 253 printable ASCII characters without spaces", .0.escape_debug())]
pub struct SenderNameError(String);

impl SenderName {
    /// The length of the longest DNS name.
    const LONGEST: usize = 253;

    /// Parses a name within the bounds of [`SenderName`].
    pub fn new(text: &str) -> Result<Self, SenderNameError> {
        let is_name = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name {
            Ok(Self(text.into()))
        } else {
            Err(SenderNameError(text.chars().take(Self::LONGEST).collect()))
        }
    }

    /// The name as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("two words")]
    #[case("line\nend")]
    #[case("größe")]
    #[case(&"x".repeat(254))]
    fn a_text_that_breaks_a_log_line_is_no_name(#[case] text: &str) {
        assert!(SenderName::new(text).is_err());
    }

    #[test]
    fn a_sender_is_written_with_how_it_was_proven() {
        let name = SenderName::new("spiffe://prod/falco").unwrap();
        assert_eq!(json!(Sender::Anonymous), json!({"kind": "anonymous"}));
        assert_eq!(
            json!(Sender::Certificate(name.clone())),
            json!({"kind": "certificate", "name": "spiffe://prod/falco"})
        );
        assert_eq!(Sender::Bearer(name.clone()).to_string(), "bearer spiffe://prod/falco");
        let confined = Sender::Certificate(name.clone()).confined(Confinement::default());
        assert_eq!(json!(confined), json!(Sender::Certificate(name)));
        assert_eq!(confined.to_string(), "certificate spiffe://prod/falco");
    }
}
