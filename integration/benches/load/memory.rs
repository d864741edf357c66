//! Resident memory: idle and during floods.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use bytes::Bytes;
use hyper::StatusCode;
use integration::responder::Responder;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    client::{Answers, LoadClient},
    cluster::NAMESPACE,
    http::UNMATCHED,
    process::memory,
    report::{Row, Table},
    say,
};

const CONNECTIONS: usize = 32;
/// The number of readings of memory during a flood.
const PARTS: usize = 4;
/// The growth in MiB from the first quarter of a flood to its end that counts as flat: the window of known alert ids
/// fills with 64 Ki ids (2 MiB), and an allocator is not exact.
const FLAT: f64 = 6.0;

pub(crate) async fn measure(responder: &Responder, quick: bool, table: &mut Table) -> anyhow::Result<()> {
    let flood = if quick { 20_000 } else { 200_000 };
    sleep(Duration::from_secs(2)).await;
    let (idle, _) = memory(responder.pid())?;
    say(&format!("memory: {idle:.1} MiB idle"));
    table.row(Row {
        place: 40,
        what: "memory, idle".to_owned(),
        responder: format!("{idle:.1} MiB"),
        limit: String::new(),
        ratio: String::new(),
        goal: Some(("<= 40 MB".to_owned(), idle * 1.048_576 <= 40.0)),
    });
    let unmatched = |_| Bytes::from_static(UNMATCHED);
    let protected = Alerts::about("kube-system")?;
    // The responder reads each pod from the API server, so these alerts arrive faster than they are decided.
    let absent = Alerts::about(NAMESPACE)?;
    let flood_of = format!("flood of {} k", flood / 1000);
    let rows: [(u8, String, usize, Box<Make>); 3] = [
        (
            41,
            format!("{flood_of} alerts that nothing matches"),
            flood,
            Box::new(unmatched),
        ),
        (
            42,
            format!("{flood_of} alerts about protected pods"),
            flood,
            Box::new(move |number| protected.body(number)),
        ),
        (
            43,
            format!("flood of {} k alerts about pods that are not there", flood / 2000),
            flood / 2,
            Box::new(move |number| absent.body(number)),
        ),
    ];
    for (place, what, count, body) in rows {
        say(&what);
        let body: Arc<Make> = body.into();
        let mut sender = LoadClient::connect(responder.url(), CONNECTIONS).await?;
        let (mut seen, mut answers) = (Vec::new(), Answers::new());
        for part in 0..PARTS {
            let (body, first) = (Arc::clone(&body), part * count / PARTS);
            for (status, count) in sender.post(count / PARTS, move |number| body(first + number)).await? {
                *answers.entry(status).or_default() += count;
            }
            seen.push(memory(responder.pid())?.0);
        }
        let known = [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::SERVICE_UNAVAILABLE];
        ensure!(
            answers.keys().all(|status| known.contains(status)),
            "the flood was answered {answers:?}"
        );
        let growth = seen[PARTS - 1] - seen[0];
        let seen: Vec<_> = seen.iter().map(|mebibytes| format!("{mebibytes:.1}")).collect();
        let answers: Vec<_> = answers
            .iter()
            .map(|(status, count)| format!("{count} x {}", status.as_u16()))
            .collect();
        table.row(Row {
            place,
            what: format!("memory, {what}"),
            responder: format!("{} MiB", seen[PARTS - 1]),
            limit: String::new(),
            ratio: format!("{growth:+.1} MiB"),
            goal: Some(("flat".to_owned(), growth <= FLAT)),
        });
        table.note(
            place,
            format!(
                "{what}: {} MiB after each quarter; answered {}.",
                seen.join(", "),
                answers.join(", ")
            ),
        );
    }
    let (_, peak) = memory(responder.pid())?;
    let accounts = responder.metrics().await?.accounts();
    ensure!(accounts.is_balanced(), "the accounts don't balance: {accounts:?}");
    table.note(
        44,
        format!(
            "memory: resident; flat is at most {FLAT:.0} MiB more than after the first quarter. The most in all floods was \
             {peak:.1} MiB."
        ),
    );
    Ok(())
}

type Make = dyn Fn(usize) -> Bytes + Send + Sync;

/// Distinct alerts that a playbook matches and that can't be acted on.
struct Alerts {
    /// The alert's text with placeholders.
    text: String,
}

/// A recorded alert of the rule that the matching playbook names.
const SHELL: &[u8] = include_bytes!("../../../responder/core/testdata/alerts/01_syscall_shell_k8s_falco_docs.json");
const POD: &str = "a-pod-of-this-flood";
const TIME: &str = "2001-01-01T00:00:00.000000000Z";

impl Alerts {
    fn about(namespace: &str) -> anyhow::Result<Self> {
        let mut alert: Value = serde_json::from_slice(SHELL)?;
        alert["output_fields"]["k8s.ns.name"] = json!(namespace);
        alert["output_fields"]["k8s.pod.name"] = json!(POD);
        alert["time"] = json!(TIME);
        Ok(Self {
            text: alert.to_string(),
        })
    }

    /// An alert about one of 5000 pods, more than a flood can act on.
    fn body(&self, number: usize) -> Bytes {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
        self.text
            .replace(POD, &format!("pod-{}", number % 5000))
            .replace(TIME, &now)
            .into()
    }
}
