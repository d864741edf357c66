//! One story, as every sink tells it: the audit trail, the messages and the counters.

use serde_json::Map;

use super::*;

/// The audit trail, each record as its sentence and as its JSON. A decision is cut down to its outcome: its plan and its
/// trace have snapshots of their own in core.
fn audited(world: &TestWorld) -> String {
    let records = world.witness.records().into_iter();
    let texts = records.map(|record| {
        let mut json = serde_json::to_value(&record).unwrap();
        if let Some(decision) = json.get_mut("decision") {
            let outcome = decision["outcome"].as_object().unwrap().keys().next().unwrap();
            *decision = json!(outcome);
        }
        format!("{}\n    {json}\n", record.summary())
    });
    texts.collect()
}

fn messages(world: &TestWorld) -> String {
    let messages = world.witness.notifications().into_iter();
    let texts = messages.map(|told| {
        let target = told.target.as_deref().unwrap_or("nothing");
        format!(
            "{:?} to {}, {target}: {}\n",
            told.moment,
            told.to.join(", "),
            told.message
        )
    });
    texts.collect()
}

/// The counters without the histograms, whose sums are lengths.
fn counters(engine: &crate::testing::TestEngine) -> String {
    let mut json = serde_json::to_value(engine.accounts()).unwrap();
    let counts: &mut Map<String, Value> = json.as_object_mut().unwrap();
    counts.retain(|name, _| !["stages", "toDecision", "toSettlement"].contains(&name.as_str()));
    serde_json::to_string_pretty(&json).unwrap()
}

/// A quarantine from the alert to its end, a refusal, a failure that is refunded, and an alert that is handed back.
#[tokio::test(start_paused = true)]
async fn a_story_is_told_to_every_sink() {
    let world = TestWorld::new(&playbook(
        "p",
        "mode: Enforce\nsteps: [{quarantine: {ttl: 1m, onExpiry: Release, detach: Always}}]\n\
         notify: [{to: [soc], on: [Acted, Refused, Failed, Expired]}]",
    ));
    let engine = world.engine();
    engine.submit(alert("something else", json!({})));
    engine.submit(solo());
    engine.submit(solo());
    at_rest(&engine).await;
    engine.submit(alert("p", json!({"time": "2026-11-24T02:00:00Z"})));
    at_rest(&engine).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    world
        .cluster
        .script([Then::Fail(SendFault::Refused(SendErrorKind::Forbidden))]);
    engine.submit(shell("p", "solo-2", 18, 2));
    at_rest(&engine).await;
    world.cluster.before(|_, before| match before {
        Before::Read("pod", _) => Then::Never,
        _ => Then::Go,
    });
    engine.submit(shell("p", "solo-3", 19, 3));
    engine.shutdown(Duration::from_secs(1)).await;

    insta::assert_snapshot!("the_audit_trail", audited(&world));
    insta::assert_snapshot!("the_messages", messages(&world));
    insta::assert_snapshot!("the_counters", counters(&engine));
}
