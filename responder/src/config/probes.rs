//! The section `probes`: the address of the pages for probes and metrics.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pages for probes and metrics: `/healthz`, `/readyz` and `/metrics`, over plain HTTP and without authentication, so
/// that connections of senders can't keep a probe out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Probes")]
pub(crate) struct ProbesDoc {
    /// The address and the port. Default: 127.0.0.1:2804. `--probes-listen`.
    #[serde(default = "loopback")]
    #[schemars(with = "String", extend("format" = "ip-port"))]
    pub(super) listen: SocketAddr,
}

impl Default for ProbesDoc {
    fn default() -> Self {
        Self { listen: loopback() }
    }
}

const fn loopback() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2804)
}
