//! Scenarios against a real API server. One binary, so that its tests share one control plane
//! (`integration::control_plane::shared`); each stays in namespaces and nodes of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report, in its functions too"
)]

mod accounting;
mod auth;
mod bursts;
mod chart;
mod cluster_name;
mod conformance;
mod control_plane;
mod eviction;
mod gate;
mod helm;
mod hostile;
mod identity;
mod image;
mod modes;
mod nats;
mod outage;
mod quarantine;
mod readme;
mod sources;
mod stage;
mod telemetry;
mod token;
