//! The pod of a container on a host.

use futures_util::future::join_all;

use super::*;
use crate::testing::TestWorld;
use crate::wait::WaitInPlace;

const PATIENCE: Duration = Duration::from_secs(3);

struct Lookup {
    world: TestWorld,
    hosts: Hosts,
}

impl Lookup {
    fn new() -> Self {
        Self {
            world: TestWorld::new(""),
            hosts: Hosts::default(),
        }
    }

    async fn on(&self, hostname: &str, id: &str, patience: Duration) -> LocatedPod {
        let container = ContainerId::new(id).unwrap();
        let guard = Guard::built_in();
        let located =
            self.hosts
                .under(&guard)
                .locate(&self.world.cluster, &WaitInPlace, (&container, hostname), patience);
        located.await.unwrap()
    }

    async fn of(&self, id: &str, patience: Duration) -> LocatedPod {
        self.on("worker-1", id, patience).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_pod_of_a_container_is_found_among_the_pods_of_the_alerts_node() {
    let lookup = Lookup::new();
    let LocatedPod::Found { claim, node } = lookup.of("000000110000", Duration::ZERO).await else {
        panic!("it is missing")
    };
    assert_eq!((claim.name.as_str(), node.as_str()), ("solo-1", "worker-1"));
    let elsewhere = lookup.on("worker-2", "000000110000", Duration::ZERO).await;
    assert!(matches!(elsewhere, LocatedPod::Missing(_)), "{elsewhere:?}");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_nowhere_is_looked_for_until_the_patience_ends_and_then_at_once() {
    let (lookup, began) = (Lookup::new(), Instant::now());
    let LocatedPod::Missing(tried) = lookup.of("ffffffffffff", PATIENCE).await else {
        panic!("it is found")
    };
    assert!(tried.contains("pods on worker-1"), "{tried}");
    assert_eq!(began.elapsed(), PATIENCE);
    lookup.of("ffffffffffff", PATIENCE).await;
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_for_containers_of_a_node_share_one_read_a_second() {
    let lookup = Lookup::new();
    lookup.of("000000110000", Duration::ZERO).await;
    let before = lookup.world.cluster.reads();
    let ids: Vec<String> = (1..40).map(|number| format!("{number:012x}")).collect();
    let ask = || join_all(ids.iter().map(|id| lookup.of(id, Duration::ZERO)));
    ask().await;
    assert_eq!(lookup.world.cluster.reads(), before);
    tokio::time::advance(Duration::from_secs(1)).await;
    ask().await;
    assert_eq!(lookup.world.cluster.reads(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_container_on_a_host_that_is_unknown_is_missing() {
    let located = Lookup::new().on("nowhere", "000000110000", PATIENCE).await;
    assert!(matches!(located, LocatedPod::Missing(why) if why.contains("nowhere")));
}
