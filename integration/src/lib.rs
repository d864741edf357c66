//! A real Kubernetes control plane for tests and for a person to try things on.
//!
//! [`control_plane::ControlPlane`] is etcd, kube-apiserver, kube-controller-manager and kwok, which plays the kubelets,
//! as processes on free ports of 127.0.0.1. They are built from Go modules once into the user's cache ([`assets`]) and
//! end whatever happens to the process that started them. [`nats`] is nats-server, alone or as a cluster of three, by the
//! same rules. [`fixtures`] has what tests put into it, and [`responder`] is the program under test as a process, whose
//! traces and metrics [`telemetry`] reads.
//!
//! [`oci`] packs the program and its chart for others to run.
//!
//! It stands beside the flow of the responder, not in it: here the flow meets the API server that decides whether it
//! was right.

pub mod assets;
pub mod control_plane;
pub mod fixtures;
pub mod nats;
pub mod oci;
mod process;
pub mod responder;
pub mod telemetry;
