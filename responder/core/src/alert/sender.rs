//! Who sent an alert: what intake has proven, kept with the alert to its decision and the audit trail.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Who sent an alert, as far as that was proven. It names the sender, never what it proved that with.
///
/// Whoever may send may send anything: the alert itself is no more true for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "camelCase")]
pub enum Sender {
    /// Nobody was asked who he is.
    #[default]
    Anonymous,
    /// A user with a password (HTTP Basic).
    Basic(SenderName),
    /// Whoever holds the token of this name.
    Bearer(SenderName),
    /// A client certificate with this name.
    Certificate(SenderName),
    /// Whoever may publish to the subjects on NATS: the server knows him, and does not tell.
    Nats,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Basic(name) => write!(f, "basic {name}"),
            Self::Bearer(name) => write!(f, "bearer {name}"),
            Self::Certificate(name) => write!(f, "certificate {name}"),
            Self::Nats => f.write_str("NATS"),
        }
    }
}

/// The name of a sender, as the configuration has it: 1 to 253 printable ASCII characters without spaces, so that it can
/// stand in a line of a log as it is. A clone is another handle to the same text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SenderName(Arc<str>);

/// What the name of a sender can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` can't name a sender: write 1 to 253 printable ASCII characters without spaces", .0.escape_debug())]
pub struct SenderNameError(String);

impl SenderName {
    /// The longest DNS name has as many characters.
    const LONGEST: usize = 253;

    /// A name, if it is one.
    pub fn new(text: &str) -> Result<Self, SenderNameError> {
        let is_name = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name {
            Ok(Self(text.into()))
        } else {
            Err(SenderNameError(text.chars().take(Self::LONGEST).collect()))
        }
    }

    /// The text.
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
    fn what_could_not_stand_in_a_line_is_no_name(#[case] text: &str) {
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
        assert_eq!(Sender::Bearer(name).to_string(), "bearer spiffe://prod/falco");
    }
}
