//! What tests put into a control plane: nodes, pods, their usual owners and what stands in an action's way.
//!
//! Nouns make a plain Kubernetes object and adjectives change it:
//!
//! ```no_run
//! # async fn example(client: kube::Client) -> Result<(), integration::fixtures::FixtureError> {
//! use integration::fixtures::*;
//!
//! create(&client, &node("node-1")).await?;
//! create(&client, &namespace("shop", &[])).await?;
//! let pod = create(&client, &pod("shop", "web-1").on_node("node-1").labelled(&[("app", "web")])).await?;
//! let pod = wait_ready(&client, &pod).await?;
//! let id = container_id(&pod)?;
//! # Ok(())
//! # }
//! ```
//!
//! Pods need `on_node`, as there is no scheduler, and the node must be there first: the pod garbage collector deletes pods
//! of unknown nodes.

mod adjectives;
mod cluster;
mod nouns;

pub use adjectives::{Labelled, PlacedOn, PolicyExt};
pub use cluster::{FixtureError, container_id, create, is_ready, pods, wait_gone, wait_ready, wait_ready_pods};
pub use nouns::{
    daemon_set, deployment, job, namespace, network_policy, node, pod, pod_disruption_budget, replica_set, service,
    stateful_set,
};
