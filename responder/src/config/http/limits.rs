//! The section `http.limits`: bounds on what senders can stretch.

use responder_core::alert::Bounds;
use responder_core::span::Span;
use responder_intake::http::HttpLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on what senders can stretch. The defaults leave Falco a wide margin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "HttpLimits")]
pub(crate) struct HttpLimitsDoc {
    /// Bytes of an alert's body. Default: 262144 (256 KiB). An alert has 1 to 2 kB.
    #[schemars(range(min = 1024, max = 16_777_216))]
    body: u32,
    /// Simultaneous connections. Above it the oldest one without an authenticated request is closed. Default: 1024.
    #[schemars(range(min = 1, max = 65_536))]
    connections: u32,
    /// Simultaneous connections of one peer address. Above it the oldest of them without an authenticated request is
    /// closed, or else the new one. Raise it if a proxy in front has more. Default: 256.
    #[schemars(range(min = 1, max = 65_536))]
    connections_per_peer: u32,
    /// Bodies above 16 KiB that are read at the same time; further ones wait within their deadline. Default: 64.
    #[schemars(range(min = 1, max = 4096))]
    large_bodies: u32,
    /// The time from the start of a connection to the end of its first request of an authenticated sender. Default: 5s.
    first_request_deadline: Span,
    /// The time for the TLS handshake. Default: 5s.
    handshake_deadline: Span,
    /// The time for the headers of a request, and for an idle connection. Default: 1m.
    header_deadline: Span,
    /// The time for the body, from the end of the headers. Default: 10s.
    body_deadline: Span,
}

impl Default for HttpLimitsDoc {
    fn default() -> Self {
        // Equal to `HttpLimits::default`, as a test checks.
        Self {
            body: 256 * 1024,
            connections: 1024,
            connections_per_peer: 256,
            large_bodies: 64,
            first_request_deadline: Span::secs::<5>(),
            handshake_deadline: Span::secs::<5>(),
            header_deadline: Span::minutes::<1>(),
            body_deadline: Span::secs::<10>(),
        }
    }
}

impl HttpLimitsDoc {
    pub(super) fn compile(&self) -> HttpLimits {
        HttpLimits {
            alert: Bounds {
                body: self.body as usize,
                ..Bounds::default()
            },
            first_request_deadline: self.first_request_deadline.get(),
            handshake_deadline: self.handshake_deadline.get(),
            body_deadline: self.body_deadline.get(),
            header_deadline: self.header_deadline.get(),
            connections: self.connections as usize,
            connections_per_peer: self.connections_per_peer as usize,
            large_bodies: self.large_bodies as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let (ours, theirs) = (HttpLimitsDoc::default().compile(), HttpLimits::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
