//! The core of responder: alerts, playbooks, guards, decisions and plans.
//!
//! Nothing here reaches a cluster, a socket or a clock. The flow is
//! `alert → playbook (match) → snapshot → decide → plan → request`; the other crates are adapters to it.

pub mod action;
pub mod alert;
pub mod class;
pub mod content_hash;
pub mod corroboration;
pub mod custom_kind;
pub mod decide;
pub mod document;
pub mod error;
pub mod guard;
pub mod image;
pub mod limit;
pub mod manifest;
pub mod mode;
pub mod network;
pub mod node;
pub mod notify;
pub mod object;
pub mod obstacle;
pub mod on_failure;
pub mod own;
pub mod owner;
pub mod patch;
pub mod permission;
pub mod plan;
pub mod playbook;
pub mod playbook_name;
pub mod pod;
pub mod port;
pub mod printable;
pub mod quarantined;
pub mod rbac;
pub mod redact;
pub mod refusal;
pub mod request;
pub mod selector;
pub mod sensor;
pub mod serving;
pub mod snapshot;
pub mod span;
pub mod target;
pub mod trace;
