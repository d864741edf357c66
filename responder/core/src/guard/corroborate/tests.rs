use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::alert::Bounds;
use crate::object::{ContainerId, Name, Namespace, Uid};
use crate::trace::Verdict;

const ALERT_AT: &str = "2026-11-24T03:00:05.500000000Z";

fn alert(hostname: &str) -> Alert {
    let body = json!({"rule": "r", "priority": "Notice", "source": "syscall", "hostname": hostname, "time": ALERT_AT, "output_fields": {"evt.type": "execve"}});
    Alert::decode(body.to_string().as_bytes(), &Bounds::default()).unwrap()
}

fn pod(created: &str, statuses: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "web-0", "namespace": "web", "uid": "live-uid", "creationTimestamp": created},
        "spec": {"containers": [{"name": "app"}], "nodeName": "worker-1"},
        "status": {"containerStatuses": statuses},
    }))
    .unwrap()
}

fn statuses() -> Value {
    json!([{
        "name": "app", "image": "i", "imageID": "", "ready": true, "restartCount": 1,
        "containerID": "containerd://aaaaaaaaaaaa1111",
        "state": {"running": {"startedAt": "2026-11-24T02:00:00Z"}},
        "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://bbbbbbbbbbbb2222", "startedAt": "2026-11-24T01:00:00Z"}},
    }])
}

fn claim(container: Option<&str>, uid: Option<&str>) -> PodClaim {
    PodClaim {
        namespace: Namespace::new("web").unwrap(),
        name: Name::new("web-0").unwrap(),
        container: container.and_then(ContainerId::new),
        uid: uid.and_then(Uid::new),
        from_audit: false,
    }
}

const OLD: &str = "2026-11-24T01:00:00Z";

#[rstest]
#[case::the_running_container(Some("aaaaaaaaaaaa"), None, OLD, Ok(Corroboration::Container))]
#[case::the_container_before_its_restart(Some("bbbbbbbbbbbb"), None, OLD, Ok(Corroboration::Container))]
#[case::the_uid(None, Some("live-uid"), OLD, Ok(Corroboration::PodUid))]
#[case::the_uid_of_a_pod_whose_container_restarted_twice(
    Some("cccccccccccc"),
    Some("live-uid"),
    OLD,
    Ok(Corroboration::PodUid)
)]
#[case::the_name_of_an_older_pod(None, None, OLD, Ok(Corroboration::Named))]
#[case::another_uid(Some("aaaaaaaaaaaa"), Some("dead-uid"), OLD, Err(RefusalReason::TargetReplaced))]
#[case::a_container_of_another_pod(Some("cccccccccccc"), None, OLD, Err(RefusalReason::Contradicted))]
#[case::a_container_of_the_pod_that_had_the_name_before(
    Some("cccccccccccc"),
    None,
    "2026-11-24T03:00:06Z",
    Err(RefusalReason::TargetReplaced)
)]
#[case::the_name_of_a_younger_pod(None, None, "2026-11-24T03:00:06Z", Err(RefusalReason::TargetReplaced))]
#[case::the_name_of_a_pod_made_in_the_second_of_the_alert(
    None,
    None,
    "2026-11-24T03:00:05Z",
    Err(RefusalReason::TargetReplaced)
)]
#[case::the_name_of_a_pod_made_the_second_before(None, None, "2026-11-24T03:00:04Z", Ok(Corroboration::Named))]
fn the_live_pod_is_told_from_its_namesakes(
    #[case] container: Option<&str>,
    #[case] uid: Option<&str>,
    #[case] created: &str,
    #[case] expected: Result<Corroboration, RefusalReason>,
) {
    let live = pod(created, &statuses());
    let found = corroborate(
        &claim(container, uid),
        &alert("falco-x"),
        &live,
        &SensorNode::NotAsked,
        Corroboration::Named,
        &mut Trace::default(),
    );
    assert_eq!(found.map_err(|refusal| refusal.reason), expected);
}

#[rstest]
#[case(Corroboration::Named, true)]
#[case(Corroboration::PodUid, true)]
#[case(Corroboration::Container, false)]
fn the_level_that_the_playbook_requires_is_the_least(#[case] required: Corroboration, #[case] enough: bool) {
    let live = pod(OLD, &statuses());
    let found = corroborate(
        &claim(None, Some("live-uid")),
        &alert("falco-x"),
        &live,
        &SensorNode::NotAsked,
        required,
        &mut Trace::default(),
    );
    assert_eq!(found.is_ok(), enough);
}

#[test]
fn a_container_that_started_after_the_alert_contradicts_it() {
    let mut late = statuses();
    late[0]["state"]["running"]["startedAt"] = json!("2026-11-24T03:00:30Z");
    let live = pod(OLD, &late);
    let found = corroborate(
        &claim(Some("aaaaaaaaaaaa"), None),
        &alert("falco-x"),
        &live,
        &SensorNode::NotAsked,
        Corroboration::Container,
        &mut Trace::default(),
    );
    assert_eq!(found.unwrap_err().reason, RefusalReason::Contradicted);
}

#[rstest]
#[case::its_own_node("worker-1", SensorNode::NotAsked, Some(Verdict::Passed))]
#[case::a_falco_pod_on_its_node("falco-xczjd", SensorNode::Known(Name::new("worker-1").unwrap()), Some(Verdict::Passed))]
#[case::no_node("my-laptop", SensorNode::Unknown("`my-laptop` is no node".to_owned()), Some(Verdict::Skipped))]
#[case::another_node("worker-2", SensorNode::Known(Name::new("worker-2").unwrap()), None)]
#[case::a_falco_pod_on_another_node("falco-abcde", SensorNode::Known(Name::new("worker-2").unwrap()), None)]
fn an_alert_from_another_node_contradicts_itself(
    #[case] hostname: &str,
    #[case] sensor: SensorNode,
    #[case] verdict: Option<Verdict>,
) {
    let live = pod(OLD, &statuses());
    let mut trace = Trace::default();
    let found = corroborate(
        &claim(Some("aaaaaaaaaaaa"), None),
        &alert(hostname),
        &live,
        &sensor,
        Corroboration::Container,
        &mut trace,
    );
    assert_eq!(
        found.err().map(|refusal| refusal.reason),
        verdict.is_none().then_some(RefusalReason::Contradicted)
    );
    let check = trace
        .checks
        .iter()
        .find(|check| check.name == CheckName::AlertNode)
        .unwrap();
    assert_eq!(check.verdict, verdict.unwrap_or(Verdict::Failed));
}
