//! A real Kubernetes control plane for tests and for manual experiments.
//!
//! [`control_plane::ControlPlane`] runs etcd, kube-apiserver, kube-controller-manager and kwok, which simulates the
//! kubelets, as processes on free ports of 127.0.0.1. They are built once from Go modules into the user's cache
//! ([`assets`]), and they end with the process that started them, even when it is killed. [`nats`] runs nats-server in
//! the same way, alone or as a cluster of three. [`fixtures`] creates the objects that tests need. [`responder`] runs the
//! program under test as a process, [`telemetry`] reads its traces and metrics, and [`pki`] makes certificates.
//!
//! [`oci`] packs the program and its chart for distribution.
//!
//! This crate is no step of the responder's flow: it runs the flow against a real API server.

pub mod assets;
pub mod control_plane;
pub mod fixtures;
pub mod nats;
pub mod oci;
pub mod pki;
mod process;
pub mod responder;
pub mod telemetry;
