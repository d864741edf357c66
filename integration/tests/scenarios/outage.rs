//! An outage of the API server.

use integration::{
    control_plane::ControlPlane,
    responder::{alert, playbooks::on_shell},
};

use crate::scenario::{Scenario, uid};

#[tokio::test]
async fn an_alert_that_comes_while_the_api_server_is_away_is_decided_and_none_is_lost() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenario = Scenario::on(&control_plane, "outage").await;
    let pods = scenario.running_many("web", 3).await;
    let mut responder = scenario.responder(&on_shell("Enforce", &["delete: {}"])).await;
    let shell = |number: usize| alert::shell_in(&pods[number]).unwrap();

    assert_eq!(responder.post(&shell(0)).await.unwrap().status, 202);
    let before = responder.wait_until_at_rest(1).await.unwrap();
    assert_eq!(before.responses, [("Done".to_owned(), 1)].into());

    control_plane.stop_api_server().await.unwrap();
    responder.wait_until_unready().await.unwrap();
    // Accepted although no request can succeed: Falco does not send the alert again.
    let during = shell(1);
    assert_eq!(responder.post(&during).await.unwrap().status, 202);
    let accounts = responder.metrics().await.unwrap().accounts();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.decisions, 2);
    control_plane.start_api_server().await.unwrap();
    responder.wait_until_ready().await.unwrap();

    // The alert has waited and is decided after the outage.
    let accounts = responder.wait_until_at_rest(2).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(
        accounts.planned,
        [("Enforce".to_owned(), 2)].into(),
        "{:#?}",
        responder.trail()
    );
    assert!(scenario.get(&pods[1]).await.is_none());

    assert_eq!(responder.post(&shell(2)).await.unwrap().status, 202);
    responder.wait_until_at_rest(3).await.unwrap();
    let mut deleted: Vec<_> = scenario
        .mutations()
        .iter()
        .map(|event| event.uid_precondition().unwrap().to_owned())
        .collect();
    let mut all: Vec<_> = pods.iter().map(uid).collect();
    deleted.sort();
    all.sort();
    assert_eq!(deleted, all);
    control_plane.stop().await.unwrap();
}
