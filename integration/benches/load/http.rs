//! The cost of an unmatched alert over HTTP: rate and CPU time of the process, compared with a bare axum handler that
//! reads the same body from the same client. The two alternate.

use bytes::Bytes;
use hyper::StatusCode;
use integration::responder::Responder;

use crate::{
    client::LoadClient,
    process::{BareAxum, Cost, Meter},
    report::{CostGoal, Table},
    say,
};

/// A recorded alert of a rule that none of the hundred playbooks names.
pub(crate) const UNMATCHED: &[u8] =
    include_bytes!("../../../responder/core/testdata/alerts/05_syscall_host_process_container_id_host.json");

/// Talon's cost in microseconds with 32 connections, measured on another machine with two cores.
const TALON: f64 = 158.0;

pub(crate) async fn measure(responder: &Responder, quick: bool, table: &mut Table) -> anyhow::Result<()> {
    let bare = BareAxum::start()?;
    let (rounds, requests) = if quick { (3, 5_000) } else { (7, 10_000) };
    for (place, connections) in [(30, 1), (32, 32)] {
        say(&format!(
            "HTTP: {rounds} times {requests} alerts that nothing matches, {connections} connections, and as many to bare axum"
        ));
        let mut to_responder = LoadClient::connect(responder.url(), connections).await?;
        let mut to_bare = LoadClient::connect(&bare.url, connections).await?;
        cost(&mut to_bare, bare.pid(), requests / 5).await?;
        cost(&mut to_responder, responder.pid(), requests / 5).await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            theirs.push(cost(&mut to_bare, bare.pid(), requests).await?);
            ours.push(cost(&mut to_responder, responder.pid(), requests).await?);
        }
        let goal = CostGoal {
            rate: 0.5,
            cpu: Some(1.5),
        };
        let plural = if connections == 1 { "" } else { "s" };
        table.costs(
            place,
            &format!("HTTP, {connections} connection{plural}"),
            &goal,
            [&ours, &theirs],
        );
    }
    table.note(
        34,
        format!(
            "unmatched: user and system time of the process, {} bytes a body, 100 playbooks; the limit is an axum handler \
             that reads the body. Talon: {TALON:.0} us.",
            UNMATCHED.len()
        ),
    );
    Ok(())
}

async fn cost(sender: &mut LoadClient, pid: u32, requests: usize) -> anyhow::Result<Cost> {
    let meter = Meter::start(pid)?;
    sender
        .post_for(StatusCode::OK, requests, |_| Bytes::from_static(UNMATCHED))
        .await?;
    meter.cost(requests)
}
