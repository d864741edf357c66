//! What responder knows: alerts, playbooks, guards, decisions and plans.
//!
//! Nothing here can reach a cluster, a socket or a clock. The flow is
//! `alert → playbook (match) → snapshot → decide → plan → request`, and everything else in the workspace is an
//! adapter to it.

pub mod action;
pub mod alert;
pub mod decide;
pub mod document;
pub mod error;
pub mod guard;
pub mod mode;
pub mod node;
pub mod object;
pub mod plan;
pub mod playbook;
pub mod pod;
pub mod port;
pub mod rbac;
pub mod refusal;
pub mod request;
pub mod snapshot;
pub mod span;
pub mod target;
pub mod trace;
