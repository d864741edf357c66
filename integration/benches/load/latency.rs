//! One pod at a time: from sending the alert to the watch event of the deletion, compared with one plain deletion. The
//! two alternate.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use hyper::StatusCode;
use integration::responder::{Responder, alert};
use tokio::time::sleep;

use crate::{
    client::LoadClient,
    cluster::BenchCluster,
    report::{Figures, Row, Table},
    say,
};

/// A pause before each measurement, so that all work of the previous one is done.
const PAUSE: Duration = Duration::from_millis(250);
/// Rounds that are not counted, to open connections and fill caches.
const WARM_UP: usize = 3;

pub(crate) async fn measure(
    cluster: &BenchCluster,
    responder: &Responder,
    quick: bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    let count = if quick { 10 } else { 30 };
    say(&format!(
        "latency: {count} pods one at a time, and as many plain deletions in turns"
    ));
    let pods = cluster.make_pods("idle", 2 * (count + WARM_UP)).await?;
    let mut sender = LoadClient::connect(responder.url(), 1).await?;
    let mut deletions = cluster.watch().await?;
    let (mut answered, mut plain) = (Vec::new(), Vec::new());
    for pair in pods.chunks_exact(2) {
        sleep(PAUSE).await;
        let body = Bytes::from(alert::shell_in(&pair[0])?.to_string());
        let started = Instant::now();
        sender
            .post_for(StatusCode::ACCEPTED, 1, move |_| body.clone())
            .await
            .context("the alert was not accepted")?;
        answered.push(deletions.last_of(&pair[..1]).await?.duration_since(started));

        sleep(PAUSE).await;
        let started = Instant::now();
        cluster.delete(&pair[1]).await?;
        plain.push(deletions.last_of(&pair[1..]).await?.duration_since(started));
    }
    let answered = Figures::milliseconds(&answered[WARM_UP..]);
    let plain = Figures::milliseconds(&plain[WARM_UP..]);
    for (place, what, percent) in [(10, "median", 50), (11, "90 %", 90), (12, "worst", 100)] {
        let (ours, theirs) = (answered.percentile(percent), plain.percentile(percent));
        let ratio = ours / theirs;
        table.row(Row {
            place,
            what: format!("idle, alert to watch event, {what} of {count}"),
            responder: format!("{ours:.1} ms"),
            limit: format!("{theirs:.1} ms"),
            ratio: format!("{ratio:.2} x"),
            goal: (percent == 50).then(|| ("<= 1.7 x".to_owned(), ratio <= 1.7)),
        });
    }
    table.note(
        10,
        "idle: one pod every half second; the limit is one plain DELETE with uid precondition and grace 0.",
    );
    Ok(())
}
