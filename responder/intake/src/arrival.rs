//! How an alert came: what the alert itself does not say. Step of the flow: intake.

use std::fmt;
use std::time::Instant;

use http::HeaderMap;
use responder_core::alert::Sender;

/// The headers that an alert came with, of whatever transport.
pub trait Headers {
    /// The value of a header, if it is there once and is text. The name is in lower case.
    fn header(&self, name: &str) -> Option<&str>;
}

impl Headers for HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

/// How an alert came.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// Who sent it, as far as that was proven.
    pub sender: &'a Sender,
    /// Its headers: the context of a trace may be among them.
    pub headers: &'a dyn Headers,
    /// When it began to be read; `None` where [`Sink::is_traced`](crate::Sink::is_traced) says that nobody asks.
    pub begun: Option<Instant>,
    /// When it was decoded; `None` likewise.
    pub decoded: Option<Instant>,
}

impl fmt::Debug for Arrival<'_> {
    // Headers hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("sender", &self.sender)
            .field("begun", &self.begun)
            .field("decoded", &self.decoded)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_there_twice_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", "a".parse().unwrap());
        assert_eq!(headers.header("traceparent"), Some("a"));
        headers.append("traceparent", "b".parse().unwrap());
        assert_eq!(headers.header("traceparent"), None);
        assert_eq!(headers.header("tracestate"), None);
    }
}
