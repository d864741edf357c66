//! The hooks for tests.

use responder_core::port::{ReadErrorKind, SendErrorKind};

use super::*;

#[tokio::test]
async fn every_request_is_recorded_with_its_answer() {
    let cluster = demo();
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    let request = delete(&target, Some(0));
    cluster.send(request.rehearsed(), Duration::from_secs(1)).await.unwrap();
    enforce(&cluster, &request).await.unwrap();
    enforce(&cluster, &request).await.unwrap_err();
    let noted: Vec<_> = cluster
        .requests()
        .into_iter()
        .map(|request| (request.dry_run, request.outcome))
        .collect();
    assert_eq!(
        noted,
        [
            (true, Ok(Reply::Rehearsed)),
            (false, Ok(Reply::Gone)),
            (false, Err(SendErrorKind::NotFound))
        ]
    );
}

#[tokio::test]
async fn a_refused_send_changes_nothing_and_a_send_without_answer_does() {
    let cluster = demo();
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    let request = delete(&target, Some(0));
    cluster.fail_sends([SendFault::Refused(SendErrorKind::Busy), SendFault::AnswerLost]);
    let before = cluster.objects();
    assert_eq!(enforce(&cluster, &request).await.unwrap_err().kind, SendErrorKind::Busy);
    assert_eq!(cluster.objects(), before);
    assert_eq!(
        enforce(&cluster, &request).await.unwrap_err().kind,
        SendErrorKind::Unknown
    );
    assert_eq!(
        enforce(&cluster, &request).await.unwrap_err().kind,
        SendErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_failed_read_is_an_error_and_not_a_missing_pod() {
    let cluster = demo();
    cluster.fail_reads([ReadErrorKind::Unavailable]);
    let read = |cluster: SimulatedCluster| async move { cluster.pod(&namespace("web"), &name("web-7d9f-aaaaa")).await };
    assert_eq!(
        read(cluster.clone()).await.unwrap_err().kind,
        ReadErrorKind::Unavailable
    );
    assert!(read(cluster).await.unwrap().is_some());
}

#[tokio::test]
async fn a_held_read_is_answered_after_the_release() {
    let cluster = demo();
    let hold = cluster.hold();
    let target_at = at("web-7d9f-aaaaa");
    let waiting = tokio::spawn({
        let cluster = cluster.clone();
        async move { cluster.pod(&namespace("web"), target_at.name()).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(hold);
    assert!(waiting.await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_send_that_is_held_beyond_its_deadline_changes_nothing() {
    let cluster = demo();
    let target = target(&cluster, "web-7d9f-aaaaa").await;
    let before = cluster.objects();
    let _hold = cluster.hold();
    let request = delete(&target, Some(0));
    let error = cluster
        .send(request.rehearsed(), Duration::from_millis(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout);
    assert_eq!(cluster.objects(), before);
}

#[tokio::test]
async fn a_replaced_pod_has_the_name_another_uid_and_another_container() {
    let cluster = demo();
    let old = target(&cluster, "web-7d9f-aaaaa").await;
    let new = cluster.replace(&namespace("web"), old.at.name()).unwrap();
    assert_ne!(old.uid, new);
    let pod = cluster.pod(&namespace("web"), old.at.name()).await.unwrap().unwrap();
    assert_eq!(pod.metadata.uid.as_deref(), Some(new.as_str()));
    let id = pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0]
        .container_id
        .clone()
        .unwrap();
    assert!(id.starts_with(&format!("containerd://{}", &new.as_str()[..8])));
}

#[tokio::test]
async fn a_removed_object_is_gone_and_a_missing_one_was_not_there() {
    let cluster = demo();
    assert!(cluster.remove(&at("web-7d9f-aaaaa")));
    assert!(!cluster.remove(&at("web-7d9f-aaaaa")));
}
