//! The commands as an operator or a script runs them: the output, where it goes, and the exit code.
#![expect(
    clippy::unwrap_used,
    reason = "in a test, and in what tests share, a panic is the report"
)]

mod cases;
mod check;
mod config;
mod demo;
mod explain;
mod harness;
mod library;
mod rbac;
mod replay;
mod schema;
