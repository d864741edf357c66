//! The commands, each in a file with its options.

pub(crate) mod check;
pub(crate) mod completions;
mod consult;
pub(crate) mod explain;
pub(crate) mod rbac;
mod recording;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schema;
