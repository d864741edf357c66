//! Names and subjects of NATS, checked where they are written and not where the server refuses them.

use std::fmt;
use std::str::FromStr;

/// Not a name or a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is no {what}: {rule}")]
pub struct NameError {
    written: String,
    what: &'static str,
    rule: &'static str,
}

/// Subjects to listen to: tokens between dots, `*` for one token, `>` at the end for one or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFilter(String);

impl SubjectFilter {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for more than one subject.
    pub fn is_wild(&self) -> bool {
        self.tokens().any(|token| token == "*" || token == ">")
    }

    /// Whether some subject is covered by both.
    pub fn meets(&self, other: &Self) -> bool {
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
                what: "subject",
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
            /// As it is written.
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

/// The server's own bound for the names of streams and consumers.
const LONGEST: usize = 255;

names! {
    /// The name of a stream, or of a durable consumer.
    StreamName = "name of a stream or a consumer";
    /// The name of a queue group: of those who listen under it, each message reaches one.
    QueueGroup = "name of a queue group";
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
    fn a_subject_is_one_or_is_refused(#[case] written: &str, #[case] is_one: bool) {
        assert_eq!(written.parse::<SubjectFilter>().is_ok(), is_one);
    }

    #[rstest]
    #[case("falco.>", "falco.dead", true)]
    #[case("falco.>", "falco", false)]
    #[case("falco.*", "falco.a.b", false)]
    #[case("falco.*.x", "falco.a.>", true)]
    #[case(">", "responder.dead-letter", true)]
    #[case("falco.>", "responder.dead-letter", false)]
    #[case("a", "a", true)]
    fn subjects_that_meet_are_known(#[case] one: &str, #[case] other: &str, #[case] meet: bool) {
        let parse = |written: &str| written.parse::<SubjectFilter>().unwrap();
        assert_eq!(parse(one).meets(&parse(other)), meet);
        assert_eq!(parse(other).meets(&parse(one)), meet);
    }

    #[rstest]
    #[case("falco", true)]
    #[case("falco.x", false)]
    #[case("a b", false)]
    #[case("", false)]
    #[case("a/b", false)]
    fn a_name_is_one_or_is_refused(#[case] written: &str, #[case] is_one: bool) {
        assert_eq!(written.parse::<StreamName>().is_ok(), is_one);
        assert_eq!(written.parse::<QueueGroup>().is_ok(), is_one);
    }
}
