//! Configuration: what is written in files, and what it means.

pub(crate) mod nats;
