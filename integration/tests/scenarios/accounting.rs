//! Promise 1 from outside: for any input, the counts of `/metrics` add up.

use integration::responder::{
    alert,
    playbooks::{on_shell, playbook},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::scenario::{Scenario, post_shells};

#[tokio::test]
async fn after_a_mixed_bag_every_alert_and_every_decision_is_accounted_for() {
    let scenario = Scenario::new("accounts").await;
    let pods = scenario.running_many("web", 6).await;
    let second = playbook(
        "second",
        "mode: Observe\n  match: {tags: {any: [shell]}}\n  order: -1",
        &["annotate: {annotations: {seen: by-second}}"],
    );
    let playbooks = on_shell("Enforce", &["label: {labels: {incident: open}}"]) + &second;
    let mut responder = scenario.responder(&playbooks).await;

    // Accepted, each by two playbooks.
    post_shells(&responder, &pods).await;
    let mut outdated = alert::shell_in(&pods[0]).unwrap();
    alert::set_time(&mut outdated, Timestamp::now() - SignedDuration::from_hours(1));
    let mut forged = alert::shell_in(&pods[1]).unwrap();
    forged["output_fields"]["container.id"] = json!("ffffffffffff");
    let mut nameless = alert::shell_in(&pods[2]).unwrap();
    nameless["output_fields"]["k8s.pod.name"] = json!(null);
    nameless["output_fields"]["container.id"] = json!(null);
    for alert in [&outdated, &forged, &nameless] {
        assert_eq!(responder.post(alert).await.unwrap().outcome(), "accepted");
    }
    // The same alert in another encoding.
    for number in 0..4 {
        let again = alert::by_falcosidekick(&outdated, &format!("00000000-0000-0000-0000-00000000000{number}"));
        assert_eq!(responder.post_body(again).await.unwrap().outcome(), "duplicate");
    }
    // No playbook matches.
    for _ in 0..5 {
        assert_eq!(
            responder
                .post(&alert::file_read_on("accounts"))
                .await
                .unwrap()
                .outcome(),
            "unmatched"
        );
    }
    // Not alerts.
    let deep = "[".repeat(100_000);
    let cut = &outdated.to_string()[..200];
    let bodies: [&[u8]; 9] = [
        b"",
        b"null",
        b"[]",
        b"{\"rule\": \"x\", \"rule\": \"y\"}",
        b"14:50:34.502309868: Warning Sensitive file opened (file=/etc/shadow)",
        b"{\"rule\": \"\xff\"}",
        deep.as_bytes(),
        cut.as_bytes(),
        &vec![b' '; 300 * 1024],
    ];
    for body in bodies {
        let answer = responder.post_body(body.to_vec()).await.unwrap();
        assert!(
            (400..500).contains(&answer.status) && !answer.kind().is_empty(),
            "{answer:?}"
        );
    }

    let decisions = 2 * (6 + 3);
    let accounts = responder.wait_until_at_rest(decisions).await.unwrap();
    assert!(accounts.is_balanced(), "{accounts:?}");
    assert_eq!(accounts.received, 6 + 3 + 4 + 5 + 9);
    assert_eq!((accounts.matched, accounts.duplicate, accounts.unmatched), (9, 4, 5));
    assert_eq!((accounts.rejected, accounts.shed), (9, 0));
    assert_eq!(
        accounts.planned,
        [("Enforce".to_owned(), 6), ("Observe".to_owned(), 6)].into()
    );
    let refused = [
        ("Contradicted".to_owned(), 2),
        ("NoTarget".to_owned(), 2),
        ("Stale".to_owned(), 2),
    ];
    assert_eq!(accounts.refused, refused.into());
    assert_eq!(scenario.mutations().len(), 6);

    // The counts of `/metrics` agree with the trail.
    let trail = responder.trail();
    let decided = trail.iter().filter(|record| record.event() == "decided").count() as u64;
    assert_eq!(decided, decisions);
}
