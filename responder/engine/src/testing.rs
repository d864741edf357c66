//! A small cluster for tests, and the ports of a response in it.
//!
//! The cluster is the simulated one, with hooks before each read and each send: there a test lets requests fail, changes
//! things behind the engine's back, or waits. Time is tokio's, so a paused runtime stands still and jumps for the clock
//! port, the graces of the cluster and the pauses of the engine alike.

mod cluster;
mod documents;
mod witness;
mod world;

pub(crate) use self::cluster::{Before, Then};
pub(crate) use self::documents::{alert, enforced, guard, playbook, playbook_for, pod_at, shell, uid_of};
pub(crate) use self::world::{TestEngine, TestWorld, at_rest, reason};
