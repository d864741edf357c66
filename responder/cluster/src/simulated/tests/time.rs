//! Grace periods by the cluster's clock.

use super::*;

#[tokio::test]
async fn a_pod_ends_when_its_grace_is_over() {
    let clock = SetClock::at("2026-11-24T10:00:00Z");
    let cluster = demo().with_clock(clock.clone());
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    assert_eq!(
        enforce(&cluster, &delete(&target, None)).await.unwrap(),
        Reply::Terminating
    );
    let pod = cluster.pod(&namespace("web"), target.at.name()).await.unwrap().unwrap();
    assert_eq!(
        pod.metadata.deletion_timestamp.as_ref().unwrap().0.to_string(),
        "2026-11-24T10:00:30Z"
    );
    assert_eq!(pod.metadata.deletion_grace_period_seconds, Some(30));
    clock.advance(Duration::from_secs(29));
    assert!(
        cluster
            .pod(&namespace("web"), target.at.name())
            .await
            .unwrap()
            .is_some()
    );
    clock.advance(Duration::from_secs(1));
    assert!(
        cluster
            .pod(&namespace("web"), target.at.name())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_running_grace_period_can_only_be_shortened() {
    let clock = SetClock::at("2026-11-24T10:00:00Z");
    let cluster = demo().with_clock(clock.clone());
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    for grace in [Some(20), Some(60), None] {
        assert_eq!(
            enforce(&cluster, &delete(&target, grace)).await.unwrap(),
            Reply::Terminating
        );
        let pod = cluster.pod(&namespace("web"), target.at.name()).await.unwrap().unwrap();
        assert_eq!(pod.metadata.deletion_grace_period_seconds, Some(20), "after {grace:?}");
    }
    assert_eq!(enforce(&cluster, &delete(&target, Some(0))).await.unwrap(), Reply::Gone);
    assert!(
        cluster
            .pod(&namespace("web"), target.at.name())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_successor_is_born_by_the_clock_while_the_old_one_ends() {
    let clock = SetClock::at("2026-11-24T10:00:00Z");
    let cluster = demo().with_clock(clock);
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    enforce(&cluster, &delete(&target, Some(30))).await.unwrap();
    let born: Vec<_> = cluster
        .objects()
        .into_iter()
        .filter(|(key, object)| {
            key.starts_with("Pod/") && object["metadata"]["creationTimestamp"] == "2026-11-24T10:00:00Z"
        })
        .map(|(_, object)| object)
        .collect();
    assert_eq!(born.len(), 1);
    assert_eq!(born[0]["status"]["phase"], "Running");
    assert_eq!(born[0]["spec"]["nodeName"], "worker-1");
}

#[rstest::rstest]
#[case::cordoned("unschedulable: true", 1)]
#[case::tainted("taints: [{key: responder.dev/incident, value: abc, effect: NoSchedule}]", 1)]
#[case::avoided("taints: [{key: responder.dev/incident, value: abc, effect: PreferNoSchedule}]", 0)]
#[tokio::test]
async fn a_successor_stays_pending_if_no_node_takes_it(#[case] spec: &str, #[case] pending: usize) {
    let cluster = demo();
    cluster
        .apply(&format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: worker-1}}, spec: {{{spec}}}}}"
        ))
        .unwrap();
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    enforce(&cluster, &delete(&target, Some(0))).await.unwrap();
    let objects = cluster.objects();
    let phases = objects.values().map(|object| &object["status"]["phase"]);
    assert_eq!(phases.filter(|phase| *phase == "Pending").count(), pending);
}
