//! The HTTP intake: `POST /` from Falco's `http_output` and falcosidekick's `webhook` and `talon`. Step of the flow:
//! intake. A body may hold several alerts, in the shapes of the README; each has its own answer.
//!
//! The sender of an alert is authenticated, as far as [`auth`](crate::auth) requires it, before any of the body is read.
//! The pages for probes and metrics have a listener of their own.
//!
//! The server is bare hyper, because an alert without a matching playbook should cost little more than its reading; and
//! HTTP/1.1, because Falco's curl is built without HTTP/2. Everything that a sender can stretch has a bound: the body, the
//! time for the body and for the headers, the number of connections, and the memory of all large bodies together.

mod answer;
mod batch;
mod body;
mod connection;
mod connections;
mod encoding;
mod handle;
mod linger;
mod listen;
mod probes;
mod serve;
mod server;
mod take;
mod tls;

#[cfg(test)]
mod tests;

pub use self::connections::{ConnectionCounts, Connections};
pub use self::probes::{Pages, ProbeServer};
pub use self::server::{HttpLimits, HttpServer};
