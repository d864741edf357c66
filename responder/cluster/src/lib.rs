//! The ports on Kubernetes: the real API server and the simulated cluster. The steps *snapshot*, *act* and *verify*
//! reach a cluster only through these adapters.
//!
//! One suite of scenarios, `conformance`, runs against both adapters, so that they can't drift apart.

mod any;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod kube;
mod owner;
mod policy_engine;
mod serving;
pub mod simulated;

pub use self::any::AnyCluster;
pub use self::kube::{ConnectError, ConnectOptions, KubeCluster};
pub use self::simulated::{AssumedTargets, ManifestError, SimulatedCluster};
