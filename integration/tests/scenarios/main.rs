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
<<<<<<< HEAD
mod cluster_name;
=======
mod chart;
>>>>>>> de2a860 (charts: documented values, strict schema, roles from one table; integration: helm, the image and the chart as OCI archives (in progress))
mod conformance;
mod control_plane;
mod eviction;
mod gate;
mod helm;
mod hostile;
mod identity;
mod modes;
mod nats;
mod outage;
mod quarantine;
mod sources;
mod stage;
mod telemetry;
mod token;
