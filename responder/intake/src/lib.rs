//! Where alerts come in: over HTTP from Falco and falcosidekick ([`http`]), over NATS from falcosidekick ([`nats`]), and
//! from files ([`file`]). The first step of the flow: know the sender ([`auth`]), bound, decode, hand over.
//!
//! What becomes of an alert is the [`Sink`]'s business; what comes from the network is bounded here, in bytes, in time
//! and in number, before anything looks at it.

mod arrival;
pub mod auth;
pub mod file;
pub mod http;
pub mod nats;
mod notices;
mod sink;

pub use arrival::{Arrival, Headers};
pub use sink::{Settled, Settling, SettlingSink, Sink, TRANSPORT_KINDS, Taken};
