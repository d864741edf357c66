//! The truth about a pod's network: which traffic the policies of every kind let through.
//!
//! A policy of any kind becomes rules, as one pod meets them in one direction; rules stand in stages, as the cluster's
//! engine tries them; a walk through the stages finds the rules by which traffic gets through. Where a part is not
//! understood, a rule may let more through and deny less: a false leak is better than a missed one.

mod addresses;
mod calico;
mod cilium;
mod cluster_policy;
mod coverage;
mod direction;
mod endpoint;
mod isolation;
mod kind;
mod kubernetes;
mod peers;
mod ports;
mod rule;
mod walk;

pub use direction::Direction;
pub use endpoint::Endpoint;
pub use isolation::{EnginePolicies, Isolation, Leak, Policies, isolation};
pub use kind::{EnginePolicy, PolicyEngine, PolicyKind, ServedAt};
