//! Programs as processes: on ports that are free, with a log, and gone when whoever started them is.

pub(crate) mod ports;
mod server;
mod watched;

pub(crate) use server::{ServerProcess, tail};
pub(crate) use watched::Watched;
