//! Scenarios against a real API server. They are one binary, so that its tests share one control plane
//! (`integration::control_plane::shared`); each test uses its own namespaces and nodes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails, in helper functions too"
)]

mod accounting;
mod admission;
mod api_server;
mod auth;
mod bound_role;
mod bursts;
mod chart;
mod cluster_name;
mod conformance;
mod control_plane;
mod demo;
mod eviction;
mod gate;
mod helm;
mod hostile;
mod identity;
mod image;
mod memory;
mod modes;
mod nats;
mod outage;
mod quarantine;
mod readme;
mod scenario;
mod sources;
mod telemetry;
mod token;
