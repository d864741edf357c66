//! Objects that tests create in a control plane: nodes, pods, their usual owners, and policies and budgets that restrict
//! an action.
//!
//! Functions make minimal objects, and extension traits modify them:
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
//! There is no scheduler, so pods need `on_node`. Create the node first: the pod garbage collector deletes pods of unknown
//! nodes.

mod adjectives;
mod cluster;
mod nouns;

pub use adjectives::{ObjectExt, PodExt, PolicyExt};
pub use cluster::{FixtureError, container_id, create, is_ready, pods, wait_gone, wait_ready, wait_ready_pods};
pub use nouns::{
    daemon_set, deployment, job, namespace, network_policy, node, pod, pod_disruption_budget, replica_set, service,
    stateful_set,
};
