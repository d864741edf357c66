//! The node of the sensor that sent an alert, by the alert's hostname. Step of the flow: snapshot. Reads only.
//!
//! An alert that names its pod's own node costs no read. Where Falco gives its pod's name, which stays on one node, or a
//! name that leads nowhere, the answer is kept for a while.

use std::time::Duration;

use responder_core::alert::Alert;
use responder_core::guard::Guard;
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError, ReadErrorKind};
use responder_core::sensor::SensorNode;
use responder_core::snapshot::Snapshot;

use crate::host::Hosts;
use crate::kept::Kept;

/// How long an answer is kept.
const TTL: Duration = Duration::from_mins(1);
/// The longest hostname that is looked up, in bytes: the longest name of a node.
const LONGEST: usize = 253;
/// The most answers that are kept: the hostnames of a flood must not fill the memory.
const MOST: usize = 1024;

/// The nodes behind hostnames, as far as they were looked up.
#[derive(Debug)]
pub(crate) struct SensorNodes {
    kept: Kept<Box<str>, SensorNode>,
    /// The nodes of hostnames, for the alerts about hosts too.
    pub(crate) hosts: Hosts,
}

impl Default for SensorNodes {
    fn default() -> Self {
        Self {
            kept: Kept::new(TTL, MOST),
            hosts: Hosts::default(),
        }
    }
}

impl SensorNodes {
    /// The node that an alert about this pod comes from. A read that the role does not allow leaves it unknown.
    pub(crate) async fn of<C: ClusterReader>(
        &self,
        cluster: &C,
        guard: &Guard,
        alert: &Alert,
        snapshot: &Snapshot,
    ) -> Result<SensorNode, ReadError> {
        let node = snapshot.pod.found().and_then(|live| pod::node_name(live));
        let (Some(hostname), Some(node), true) = (alert.hostname(), node, alert.source().is_syscall()) else {
            return Ok(SensorNode::NotAsked);
        };
        if hostname == node {
            return Ok(SensorNode::NotAsked);
        }
        let shown = hostname.escape_debug();
        if hostname.len() > LONGEST {
            return Ok(SensorNode::Unknown(
                "the hostname is longer than any name of a node".to_owned(),
            ));
        }
        if let Some(known) = self.kept.get(hostname) {
            return Ok(known);
        }
        let sensor = match self.hosts.under(guard).node(cluster, hostname).await {
            Ok(Some(node)) => SensorNode::Known(node),
            Ok(None) => SensorNode::Unknown(format!(
                "`{shown}` is neither a node nor a Falco pod (set FALCO_HOSTNAME to spec.nodeName in Falco's pods)"
            )),
            Err(error) if error.kind == ReadErrorKind::Forbidden => {
                SensorNode::Unknown(format!("the node of `{shown}` may not be read"))
            }
            Err(error) => return Err(error),
        };
        self.kept.keep(hostname.into(), sensor.clone());
        Ok(sensor)
    }
}

#[cfg(test)]
mod tests {
    use responder_core::refusal::RefusalReason;
    use rstest::rstest;
    use serde_json::json;

    use crate::testing::{TestWorld, alert, enforced, reason};

    /// The playbook reads no node of its own accord.
    async fn decided(world: &TestWorld, nth: u32, hostname: &str) -> Option<RefusalReason> {
        let time = format!("2026-11-24T03:00:00.{nth:09}Z");
        let alert = alert("p", json!({"hostname": hostname, "time": time}));
        let decider = world.decider(&*world.ledger);
        reason(&decider.decide_and_commit(world.request(&alert)).await.decision)
    }

    #[rstest]
    #[case::its_node("worker-1", None)]
    #[case::another_node("worker-2", Some(RefusalReason::Contradicted))]
    #[case::a_falco_pod_on_another_node("falco-x7k2p", Some(RefusalReason::Contradicted))]
    #[case::no_node("my-laptop", None)]
    #[case::no_name("../nodes", None)]
    #[tokio::test(start_paused = true)]
    async fn an_alert_from_another_node_than_its_pods_is_refused(
        #[case] hostname: &str,
        #[case] refusal: Option<RefusalReason>,
    ) {
        let world = TestWorld::new(&enforced("p", "[{delete: {}}]"));
        assert_eq!(decided(&world, 1, hostname).await, refusal);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sensor_is_looked_up_once_a_minute_and_never_where_it_is_the_pods_node() {
        let world = TestWorld::new(&enforced("p", "[{delete: {}}]"));
        let reads = |before| world.cluster.reads() - before;
        let start = world.cluster.reads();
        decided(&world, 1, "worker-1").await;
        assert_eq!(reads(start), 2, "the pod, and what the API server calls");
        decided(&world, 2, "my-laptop").await;
        let first = reads(start);
        assert!(first > 4, "{first}");
        decided(&world, 3, "my-laptop").await;
        assert_eq!(reads(start), first + 2);
        tokio::time::advance(super::TTL).await;
        decided(&world, 4, "my-laptop").await;
        assert!(reads(start) > first + 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hostnames_of_a_flood_take_bounded_memory() {
        let world = TestWorld::new(&enforced("p", "[{delete: {}}]"));
        for nth in 0..1100 {
            decided(&world, nth, &format!("host-{nth}")).await;
        }
        assert_eq!(world.sensors.kept.len(), super::MOST);
    }
}
