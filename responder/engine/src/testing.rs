//! A small cluster for tests, and the ports of a response in it.
//!
//! The cluster is the simulated one, with hooks before each read and each send: there a test lets requests fail, changes
//! things behind the engine's back, or waits. Time is tokio's, so a paused runtime stands still and jumps for the clock
//! port, the graces of the cluster and the pauses of the engine alike.

mod cluster;
mod witness;
mod world;

pub(crate) use self::cluster::{Before, ScriptedCluster, Then};
pub(crate) use self::witness::Witness;
pub(crate) use self::world::{
    TestEngine, TestWorld, alert, at_rest, enforced, guard, playbook, playbook_for, pod_at, reason, shell, uid_of,
};
