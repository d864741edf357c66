//! Rendering of errors for a log line or a message.

use std::error::Error;

/// An error and its causes on one line, separated by colons. A cause whose text an error repeats in its own appears once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(text: &'static str, source: Option<Link>) -> Link {
        Link {
            text,
            source: source.map(Box::new),
        }
    }

    #[test]
    fn each_cause_follows_once() {
        let root = link("connection refused", None);
        let middle = link("cannot connect: connection refused", Some(root));
        let error = link("cannot pull", Some(middle));
        assert_eq!(chain(&error), "cannot pull: cannot connect: connection refused");
    }
}
