//! The `responder` binary.

mod cli;
mod clock;
mod command;
mod config;
mod nats;
mod notify;
mod report;
mod rules;
mod sources;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(code) => code,
        Err(error) => {
            // The chain once, on one line; a log may not be running yet.
            let _ = report::print_message(&format!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    // `run` does so itself, once it knows where its traces go.
    if !matches!(cli.command, Command::Run(_)) {
        telemetry::start_logging(&cli.log, "warn", None)?;
    }
    // A second call would be answered with the provider that is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match &cli.command {
        Command::Run(args) => runtime()?.block_on(command::run::run(args, &cli.log)),
        Command::Check(args) => command::check::run(args),
        Command::Explain(args) => runtime()?.block_on(command::explain::run(args)),
        Command::Replay(args) => runtime()?.block_on(command::replay::run(args)),
        Command::Schema(args) => command::schema::run(args),
        Command::Completions(args) => command::completions::run(args),
    }
}
