//! Compares responder with its limits: plain deletions by the API server, a bare axum handler for HTTP, and a bare consumer
//! for NATS. Each pair is measured in the same run, alternately, and the result is their ratio.
//!
//! `cargo bench --profile dist -p integration --bench load`, with `-- --quick` for fewer repetitions and `-- latency`,
//! `-- burst`, `-- http`, `-- memory`, `-- flood`, `-- nats`, `-- jetstream` for a part of it. Figures of another profile than `dist`,
//! which the image ships, are printed to work with: without goals, and marked as not for publication.
//!
//! etcd, kube-apiserver, kube-controller-manager, kwok, responder and the client share this machine. With few cores,
//! responder takes time from the API server, so the ratios of latency and bursts are worse than on a cluster.

mod burst;
mod client;
mod cluster;
mod flood;
mod http;
mod latency;
mod memory;
mod nats;
mod process;
mod report;

use std::{
    io::{self, Write as _},
    thread::available_parallelism,
    time::Instant,
};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use integration::responder::{Responder, ResponderOptions, SHIPPED_PROFILE, playbooks::playbook, profile};

use self::{cluster::BenchCluster, report::Table};

/// Measures responder against plain deletions, a bare HTTP handler and a bare NATS consumer.
#[derive(Debug, Parser)]
struct Arguments {
    /// Parts to measure; all by default
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Fewer repetitions, and bursts of up to 100 pods
    #[arg(long)]
    quick: bool,
    /// cargo passes this argument.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One pod at a time
    Latency,
    /// Ten, a hundred and a thousand pods at once
    Burst,
    /// The cost of an unmatched alert over HTTP
    Http,
    /// Idle, and under floods
    Memory,
    /// Ten thousand alerts a second that a playbook matches
    Flood,
    /// The cost of an unmatched alert over core NATS
    Nats,
    /// The cost of an unmatched alert over a stream of JetStream
    Jetstream,
}

/// The rule that the matching playbook names.
const RULE: &str = "Terminal shell in container";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut table = tokio::runtime::Runtime::new()?.block_on(measure(&arguments))?;
    let profile = profile();
    if profile.as_deref() != Some(SHIPPED_PROFILE) {
        table.withhold_goals();
    }
    writeln!(
        io::stdout(),
        "{}\n{}\n{table}",
        machine(),
        described(profile.as_deref())
    )
    .context("cannot write to standard output")
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Table> {
    let wants = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut table = Table::default();
    if wants(Part::Nats) {
        nats::core(arguments.quick, &mut table).await?;
    }
    if wants(Part::Jetstream) {
        nats::jetstream(arguments.quick, &mut table).await?;
    }
    if ![Part::Latency, Part::Burst, Part::Http, Part::Memory, Part::Flood]
        .into_iter()
        .any(wants)
    {
        return Ok(table);
    }
    say("starting the control plane, and building responder where it is not fresh");
    let cluster = BenchCluster::start().await?;
    if wants(Part::Memory) {
        // Measure a process that has done nothing else.
        let responder = responder(&cluster, playbooks()).await?;
        memory::measure(&responder, arguments.quick, &mut table).await?;
    }
    if wants(Part::Flood) {
        let spec = format!("mode: Enforce\n  match: {{rules: [{RULE}]}}");
        let marks = playbook(
            "mark",
            &spec,
            &["annotate: {annotations: {process: {field: proc.name}}}"],
        );
        let responder = responder(&cluster, marks).await?;
        flood::measure(&cluster, &responder, arguments.quick, &mut table).await?;
    }
    if ![Part::Latency, Part::Burst, Part::Http].into_iter().any(wants) {
        table.sort();
        return Ok(table);
    }
    let mut responder = responder(&cluster, playbooks()).await?;
    if wants(Part::Http) {
        http::measure(&responder, arguments.quick, &mut table).await?;
    }
    if wants(Part::Latency) {
        latency::measure(&cluster, &responder, arguments.quick, &mut table).await?;
    }
    if wants(Part::Burst) {
        burst::measure(&cluster, &mut responder, arguments.quick, &mut table).await?;
    }
    table.sort();
    Ok(table)
}

/// Starts a responder with these playbooks, and with defaults for everything else.
async fn responder(cluster: &BenchCluster, playbooks: String) -> anyhow::Result<Responder> {
    let options = ResponderOptions {
        playbooks,
        kubeconfig: Some(cluster.kubeconfig()?),
        mode: Some("Enforce"),
        ..ResponderOptions::default()
    };
    let mut responder = Responder::start(&options).await?;
    responder.wait_until_ready().await?;
    Ok(responder)
}

/// A hundred playbooks, of which one matches the alerts.
fn playbooks() -> String {
    let deletes = |name: &str, rule: &str| {
        let spec = format!("mode: Enforce\n  match: {{rules: [{rule}]}}");
        playbook(name, &spec, &["delete: {gracePeriodSeconds: 0}"])
    };
    let others = (1..100).map(|number| deletes(&format!("other-{number}"), &format!("Rule {number}")));
    std::iter::once(deletes("answer", RULE)).chain(others).collect()
}

/// Which profile the figures are of, and whether they may be published.
fn described(profile: Option<&str>) -> String {
    match profile {
        Some(SHIPPED_PROFILE) => format!("Profile: {SHIPPED_PROFILE}, as in the image."),
        other => format!(
            "Profile: {}. NOT FOR PUBLICATION, and no goal is judged: that takes `cargo bench --profile \
             {SHIPPED_PROFILE} -p integration --bench load`.",
            other.unwrap_or("unknown, of the program that RESPONDER_BINARY names")
        ),
    }
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let cores = available_parallelism().map_or(0, usize::from);
    format!(
        "\nMachine: {cores} cores ({model}). They are shared by etcd, kube-apiserver, kube-controller-manager, kwok, \
         responder and the client."
    )
}

/// Reports progress on standard error; the result goes to standard output.
fn say(text: &str) {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let since = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    // Progress is optional: ignore a closed standard error.
    let _ = writeln!(io::stderr(), "{since:>4} s  {text}");
}
