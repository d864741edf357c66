//! The commands as a person or a script meets them: what is printed where, and with which exit code.
#![expect(
    clippy::unwrap_used,
    reason = "in a test, and in what tests share, a panic is the report"
)]

mod check;
mod config;
mod demo;
mod explain;
mod harness;
mod library;
mod rbac;
mod replay;
mod schema;
