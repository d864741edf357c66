//! The section `http.limits`: bounds of what senders can stretch.

use responder_core::alert::Bounds;
use responder_core::span::Span;
use responder_intake::http::HttpLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of what senders can stretch. The defaults leave Falco a wide margin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "HttpLimits")]
pub(crate) struct HttpLimitsDoc {
    /// Bytes of an alert's body; 262144 (256 KiB) by default. An alert has 1 to 2 kB.
    #[schemars(range(min = 1024, max = 16_777_216))]
    body: u32,
    /// Connections at once; more wait in the system's queue. 1024 by default.
    #[schemars(range(min = 1, max = 65_536))]
    connections: u32,
    /// Bodies of more than 16 KiB that are read at once; 64 by default.
    #[schemars(range(min = 1, max = 4096))]
    large_bodies: u32,
    /// For the handshake of TLS; 10s by default.
    handshake_deadline: Span,
    /// For the headers of a request, and for how long a connection may be idle; 1m by default.
    header_deadline: Span,
    /// For the body, from the end of the headers; 10s by default.
    body_deadline: Span,
}

impl Default for HttpLimitsDoc {
    fn default() -> Self {
        // The same as `HttpLimits::default`: a test compares them.
        Self {
            body: 256 * 1024,
            connections: 1024,
            large_bodies: 64,
            handshake_deadline: Span::secs::<10>(),
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
            handshake_deadline: self.handshake_deadline.get(),
            body_deadline: self.body_deadline.get(),
            header_deadline: self.header_deadline.get(),
            connections: self.connections as usize,
            large_bodies: self.large_bodies as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_as_the_server_has_it() {
        let (ours, theirs) = (HttpLimitsDoc::default().compile(), HttpLimits::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
