//! Programs as processes: on free ports, with a log, and ended with the process that started them.

pub(crate) mod ports;
mod server;
mod watched;

pub(crate) use server::{ServerProcess, tail};
pub(crate) use watched::WatchedProcess;
