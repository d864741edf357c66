//! Many pods at once: the rate from the first alert to the watch event of the last deletion, compared with plain
//! deletions of as many pods with as many in flight. The two alternate, and plain deletions come first and last.

use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use hyper::StatusCode;
use integration::responder::{Responder, alert};

use crate::{
    client::LoadClient,
    cluster::BenchCluster,
    report::{Figures, Row, Table},
    say,
};

/// The most requests that the responder has in flight by default. The alerts here are Critical: others get six of the
/// eight slots.
const IN_FLIGHT: usize = 8;
const CONNECTIONS: usize = 32;

/// The size of a burst, the number of rounds, and its place in the table.
const FULL: [(usize, usize, u8); 3] = [(10, 5, 20), (100, 3, 21), (1000, 2, 22)];
const QUICK: [(usize, usize, u8); 2] = [(10, 3, 20), (100, 2, 21)];

pub(crate) async fn measure(
    cluster: &BenchCluster,
    responder: &mut Responder,
    quick: bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut sender = LoadClient::connect(responder.url(), CONNECTIONS).await?;
    let bursts: &[_] = if quick { &QUICK } else { &FULL };
    for &(size, rounds, place) in bursts {
        let mut plain = vec![plain_burst(cluster, size, 0).await?];
        let mut answered = Vec::new();
        for round in 1..=rounds {
            answered.push(answered_burst(cluster, responder, &mut sender, size, round).await?);
            plain.push(plain_burst(cluster, size, round).await?);
        }
        let (answered, plain) = (Figures::new(answered), Figures::new(plain));
        let share = answered.median() / plain.median() * 100.0;
        table.row(Row {
            place,
            what: format!("burst of {size}"),
            responder: format!("{:.0} pods/s", answered.median()),
            limit: format!("{:.0} pods/s", plain.median()),
            ratio: format!("{share:.0} %"),
            goal: (size == 1000).then(|| (">= 50 %".to_owned(), share >= 50.0)),
        });
        let note = format!(
            "burst of {size}, pods/s of each round: responder {}; plain {}.",
            answered.list(0),
            plain.list(0)
        );
        table.note(place, note);
    }
    table.note(
        23,
        format!(
            "bursts: alerts of priority Critical over {CONNECTIONS} connections, until the last watch event; both sides \
             have {IN_FLIGHT} in flight."
        ),
    );
    Ok(())
}

async fn plain_burst(cluster: &BenchCluster, size: usize, round: usize) -> anyhow::Result<f64> {
    let pods = cluster.make_pods(&format!("plain-{size}-{round}"), size).await?;
    let mut deletions = cluster.watch().await?;
    let started = Instant::now();
    // Read the watch at the same time: otherwise it would delay the answers to the deletions.
    let (deleted, last) = tokio::join!(cluster.delete_all(&pods, IN_FLIGHT), deletions.last_of(&pods));
    deleted?;
    Ok(rate("plain deletions", size, started, last?))
}

async fn answered_burst(
    cluster: &BenchCluster,
    responder: &mut Responder,
    sender: &mut LoadClient,
    size: usize,
    round: usize,
) -> anyhow::Result<f64> {
    let pods = cluster.make_pods(&format!("alert-{size}-{round}"), size).await?;
    let bodies = pods
        .iter()
        .map(|pod| Ok(Bytes::from(alert::shell_in(pod)?.to_string())));
    let bodies: Vec<_> = bodies.collect::<anyhow::Result<_>>()?;
    let before = responder.metrics().await?.accounts();
    let mut deletions = cluster.watch().await?;
    let started = Instant::now();
    let posting = sender.post_for(StatusCode::ACCEPTED, size, move |number| bodies[number].clone());
    let (posted, last) = tokio::join!(posting, deletions.last_of(&pods));
    posted?;
    let rate = rate("responder", size, started, last?);

    let after = responder
        .wait_until_at_rest(before.decisions + u64::try_from(size)?)
        .await?;
    let planned = |accounts: &integration::responder::Accounts| accounts.planned.values().sum::<u64>();
    ensure!(
        planned(&after) - planned(&before) == u64::try_from(size)?,
        "not every alert was planned: {after:?}"
    );
    ensure!(after.is_balanced(), "the accounts don't balance: {after:?}");
    Ok(rate)
}

fn rate(what: &str, size: usize, started: Instant, last: Instant) -> f64 {
    let took = last.duration_since(started).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a thousand at most")]
    let rate = size as f64 / took;
    say(&format!(
        "burst of {size}, {what}: the last pod was deleted after {took:.3} s, {rate:.0}/s"
    ));
    rate
}
