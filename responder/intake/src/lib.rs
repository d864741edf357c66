//! Where alerts come in: over HTTP from Falco and falcosidekick ([`http`]), and from files ([`file`]). The first step of
//! the flow: know the sender ([`auth`]), bound, decode, hand over.
//!
//! What becomes of an alert is the [`Sink`]'s business; what comes from the network is bounded here, in bytes, in time
//! and in number, before anything looks at it.

pub mod auth;
pub mod file;
pub mod http;
mod sink;

pub use sink::{Sink, TRANSPORT_KINDS, Taken};
