//! Names and subjects of NATS, checked before the server could refuse them.

use std::fmt;
use std::str::FromStr;

/// The text is not a name or a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is not the {what}: {rule}")]
pub struct NameError {
    written: String,
    what: &'static str,
    rule: &'static str,
}

/// One subject or a set of them: tokens between dots, `*` for any one token, `>` at the end for one or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFilter(String);

impl SubjectFilter {
    /// The subject as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has a wildcard.
    pub fn is_wild(&self) -> bool {
        self.tokens().any(|token| token == "*" || token == ">")
    }

    /// Whether both filters cover some same subject.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.tokens(), other.tokens());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(ours), Some(theirs)) if ours == theirs || ours == "*" || theirs == "*" => {}
                _ => return false,
            }
        }
    }

    fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SubjectFilter {
    type Err = NameError;

    fn from_str(written: &str) -> Result<Self, NameError> {
        let count = written.split('.').count();
        let is_token = |(place, token): (usize, &str)| {
            !token.is_empty()
                && (token.len() == 1 || !token.contains(['*', '>']))
                && (token != ">" || place + 1 == count)
                && !token.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        };
        if written.split('.').enumerate().all(is_token) {
            Ok(Self(written.to_owned()))
        } else {
            Err(NameError {
                written: written.to_owned(),
                what: "subject of a message",
                rule: "write tokens between dots without blanks, with * for a whole token and > for the end, as in falco.>",
            })
        }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(written: &str) -> Result<Self, NameError> {
                let is_forbidden = |letter: char| {
                    letter.is_whitespace() || letter.is_control() || ['.', '*', '>', '/', '\\'].contains(&letter)
                };
                if written.is_empty() || written.len() > LONGEST || written.contains(is_forbidden) {
                    return Err(NameError {
                        written: written.to_owned(),
                        what: $what,
                        rule: "write 1 to 255 letters without blanks, dots, *, > and slashes",
                    });
                }
                Ok(Self(written.to_owned()))
            }
        }
    )+};
}

/// Bytes; the server's bound for the names of streams and consumers.
const LONGEST: usize = 255;

names! {
    /// The name of a stream, or of a durable consumer.
    StreamName = "name of a stream or a consumer";
    /// The name of a queue group: each message reaches one of its subscribers.
    QueueGroup = "name of a queue group";
}

macro_rules! defaults {
    ($($(#[$doc:meta])* $type:ident :: $name:ident = $text:literal;)+) => {$(
        impl $type {
            $(#[$doc])*
            pub fn $name() -> Self {
                // A literal, and a test parses each of them.
                $text.parse().expect("it is well-formed")
            }
        }
    )+};
}

defaults! {
    /// Every alert of falcosidekick: `falco.<priority>.<rule>`.
    SubjectFilter::falco = "falco.>";
    /// The default subject of dead letters.
    SubjectFilter::dead_letters = "responder.dead-letter";
    /// The default queue group.
    QueueGroup::responder = "responder";
    /// The default consumer.
    StreamName::responder = "responder";
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("falco.>", true)]
    #[case("falco.critical.*", true)]
    #[case(">", true)]
    #[case("responder.dead-letter", true)]
    #[case("", false)]
    #[case("falco.", false)]
    #[case("falco..x", false)]
    #[case("falco.>.x", false)]
    #[case("falco.a*", false)]
    #[case("falco a", false)]
    #[case("falco\r\nPUB x 0", false)]
    fn a_malformed_subject_is_refused(#[case] written: &str, #[case] is_valid: bool) {
        assert_eq!(written.parse::<SubjectFilter>().is_ok(), is_valid);
    }

    #[rstest]
    #[case("falco.>", "falco.dead", true)]
    #[case("falco.>", "falco", false)]
    #[case("falco.*", "falco.a.b", false)]
    #[case("falco.*.x", "falco.a.>", true)]
    #[case(">", "responder.dead-letter", true)]
    #[case("falco.>", "responder.dead-letter", false)]
    #[case("a", "a", true)]
    fn filters_that_overlap_are_recognised(#[case] one: &str, #[case] other: &str, #[case] overlap: bool) {
        let parse = |written: &str| written.parse::<SubjectFilter>().unwrap();
        assert_eq!(parse(one).overlaps(&parse(other)), overlap);
        assert_eq!(parse(other).overlaps(&parse(one)), overlap);
    }

    #[rstest]
    #[case("falco", true)]
    #[case("falco.x", false)]
    #[case("a b", false)]
    #[case("", false)]
    #[case("a/b", false)]
    fn a_malformed_name_is_refused(#[case] written: &str, #[case] is_valid: bool) {
        assert_eq!(written.parse::<StreamName>().is_ok(), is_valid);
        assert_eq!(written.parse::<QueueGroup>().is_ok(), is_valid);
    }
}
