//! The sources of alerts: HTTP from Falco and falcosidekick ([`http`]), NATS from falcosidekick ([`nats`]), and files
//! ([`file`]). The first step of the flow: authenticate the sender ([`auth`]), bound, decode, hand over to the [`Sink`].
//!
//! Everything from the network has a bound in bytes, in time and in number before any code interprets it.

mod arrival;
pub mod auth;
mod contents;
pub mod file;
pub mod http;
pub mod nats;
mod notices;
mod secret;
mod sink;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use arrival::{Arrival, Headers};
pub use secret::SecretSource;
pub use sink::{Receipt, Settling, SettlingSink, Sink, TRANSPORT_KINDS};
