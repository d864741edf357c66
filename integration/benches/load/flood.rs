//! A flood of alerts that a playbook matches, from many pods at every priority: how many decisions an Emergency about another
//! pod waits for, and the memory meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hyper::StatusCode;
use integration::responder::{Responder, alert};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use crate::{
    client::{Answers, LoadClient},
    cluster::BenchCluster,
    process::memory,
    report::{Row, Table},
    say,
};

/// Alerts a second.
const RATE: usize = 10_000;
/// Pods that flood.
const PODS: usize = 50;
/// Alerts that are sent together, each on a connection of its own.
const TOGETHER: usize = 100;
/// Between two hundreds, at [`RATE`].
const INTERVAL: Duration = Duration::from_millis(10);
/// The time until every pod of the flood has had an answer.
const WARM_UP: Duration = Duration::from_secs(5);
const PRIORITIES: [&str; 8] = [
    "Debug",
    "Informational",
    "Notice",
    "Warning",
    "Error",
    "Critical",
    "Alert",
    "Emergency",
];
/// The most decisions that an Emergency about another pod waits for.
const MOST_BEFORE: usize = 5;
const MOST_MEMORY: f64 = 64.0;

pub(crate) async fn measure(
    cluster: &BenchCluster,
    responder: &Responder,
    quick: bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    let emergencies = if quick { 5 } else { 20 };
    say(&format!(
        "flood: {RATE} alerts a second from {PODS} pods at every priority, and {emergencies} Emergencies about others"
    ));
    let flooding = cluster.make_pods("flood", PODS).await?;
    let outside = cluster.make_pods("outside", emergencies).await?;
    let bodies = Arc::new(Bodies::about(&flooding)?);
    let stop = Arc::new(AtomicUsize::new(0));
    let flood = tokio::spawn(send(responder.url().to_owned(), bodies, Arc::clone(&stop)));
    sleep(WARM_UP).await;
    let mut arrivals = BTreeMap::new();
    for pod in &outside {
        sleep(Duration::from_millis(500)).await;
        let mut emergency = alert::shell_in(pod)?;
        emergency["priority"] = json!("Emergency");
        let reply = responder.post(&emergency).await?;
        ensure!(
            reply.status == StatusCode::ACCEPTED.as_u16(),
            "an Emergency was answered {}",
            reply.status
        );
        arrivals.insert(reply.alert(), Timestamp::now());
    }
    sleep(Duration::from_secs(1)).await;
    stop.store(1, Ordering::Relaxed);
    let (sent, took, answers) = flood.await.context("the flood ended early")??;
    let (_, peak) = memory(responder.pid())?;
    let before = decisions_before(responder, &arrivals)?;
    let worst = before.iter().copied().max().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let rate = sent as f64 / took.as_secs_f64();
    table.row(Row {
        place: 50,
        what: format!("flood of {RATE}/s, decisions before an Emergency about another pod, worst of {emergencies}"),
        responder: format!("{worst}"),
        limit: String::new(),
        ratio: String::new(),
        goal: Some((format!("<= {MOST_BEFORE}"), worst <= MOST_BEFORE)),
    });
    table.row(Row {
        place: 51,
        what: format!("flood of {RATE}/s, the most memory"),
        responder: format!("{peak:.1} MiB"),
        limit: String::new(),
        ratio: String::new(),
        goal: Some((format!("<= {MOST_MEMORY:.0} MiB"), peak <= MOST_MEMORY)),
    });
    let answers: Vec<String> = answers
        .iter()
        .map(|(status, count)| format!("{count} x {}", status.as_u16()))
        .collect();
    table.note(
        50,
        format!(
            "flood: {rate:.0} alerts/s were sent, answered {}; decisions before each Emergency: {before:?}.",
            answers.join(", ")
        ),
    );
    Ok(())
}

/// Sends [`RATE`] alerts a second until it is told to stop.
async fn send(url: String, bodies: Arc<Bodies>, stop: Arc<AtomicUsize>) -> anyhow::Result<(usize, Duration, Answers)> {
    let mut sender = LoadClient::connect(&url, TOGETHER).await?;
    let started = Instant::now();
    let (mut sent, mut answers) = (0, Answers::new());
    while stop.load(Ordering::Relaxed) == 0 {
        let (bodies, first) = (Arc::clone(&bodies), sent);
        for (status, count) in sender.post(TOGETHER, move |number| bodies.body(first + number)).await? {
            *answers.entry(status).or_default() += count;
        }
        sent += TOGETHER;
        let due = INTERVAL * u32::try_from(sent / TOGETHER)?;
        sleep_until((started + due).into()).await;
    }
    Ok((sent, started.elapsed(), answers))
}

/// How many decisions were taken between the arrival of each Emergency and its own. Alerts that gave way or were joined took
/// no time of others.
fn decisions_before(responder: &Responder, arrivals: &BTreeMap<String, Timestamp>) -> anyhow::Result<Vec<usize>> {
    let trail = responder.trail();
    let decided: Vec<(Timestamp, String)> = trail
        .iter()
        .filter(|record| record.event() == "decided")
        .filter(|record| !matches!(record.refusal(), Some("Displaced" | "Joined")))
        .filter_map(|record| Some((record.at()?, record.alert().to_owned())))
        .collect();
    let mut before = Vec::with_capacity(arrivals.len());
    for (alert, arrived) in arrivals {
        let own = decided.iter().position(|(_, id)| id == alert);
        let own = own.with_context(|| format!("the Emergency {alert} was never decided"))?;
        before.push(decided[..own].iter().filter(|(at, _)| at >= arrived).count());
    }
    Ok(before)
}

const TIME: &str = "2001-01-01T00:00:00.000000000Z";
const PRIORITY: &str = "the-priority-of-this-alert";
const PROCESS: &str = "the-process-of-this-alert";

/// Alerts of the flood, each about another process, so that none repeats another.
struct Bodies {
    /// One text for each pod, with placeholders.
    texts: Vec<String>,
}

impl Bodies {
    fn about(pods: &[Pod]) -> anyhow::Result<Self> {
        let texts = pods.iter().map(|pod| {
            let mut alert: Value = alert::shell_in(pod)?;
            alert["time"] = json!(TIME);
            alert["priority"] = json!(PRIORITY);
            alert["output_fields"]["proc.name"] = json!(PROCESS);
            Ok(alert.to_string())
        });
        Ok(Self {
            texts: texts.collect::<anyhow::Result<_>>()?,
        })
    }

    fn body(&self, number: usize) -> Bytes {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
        let priority = PRIORITIES[number / self.texts.len() % PRIORITIES.len()];
        self.texts[number % self.texts.len()]
            .replace(TIME, &now)
            .replace(PRIORITY, priority)
            .replace(PROCESS, &format!("p{number}"))
            .into()
    }
}
