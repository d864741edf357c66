//! The circumstances of an alert's arrival, which the alert itself does not tell. Step of the flow: intake.

use std::fmt;
use std::time::Instant;

use http::HeaderMap;
use responder_core::alert::Sender;

/// The headers of the request or the message that carried an alert.
pub trait Headers {
    /// The value of a header that is present exactly once and is text. The name is in lower case.
    fn header(&self, name: &str) -> Option<&str>;
}

impl Headers for HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

/// The sender, the headers and the times of an alert's arrival.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The sender, as far as it was authenticated.
    pub sender: &'a Sender,
    /// The headers; the context of a trace may be among them.
    pub headers: &'a dyn Headers,
    /// When reading began; `None` unless [`Sink::is_traced`](crate::Sink::is_traced).
    pub begun: Option<Instant>,
    /// When decoding ended; `None` unless [`Sink::is_traced`](crate::Sink::is_traced).
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
    fn a_header_that_is_present_twice_has_no_value() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", "a".parse().unwrap());
        assert_eq!(headers.header("traceparent"), Some("a"));
        headers.append("traceparent", "b".parse().unwrap());
        assert_eq!(headers.header("traceparent"), None);
        assert_eq!(headers.header("tracestate"), None);
    }
}
