//! The ports on Kubernetes: the real API server and the simulated cluster. The steps *snapshot*, *act* and *verify*
//! of the flow reach a cluster through these and nothing else.
//!
//! One suite of scenarios, `conformance`, runs against both, so that they can't drift apart.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod kube;
mod owner;
mod policy_engine;
pub mod simulated;

pub use self::kube::{ConnectError, ConnectOptions, KubeCluster};
pub use self::simulated::{AssumedTargets, ManifestError, SimulatedCluster};
