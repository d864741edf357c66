//! The `responder` binary.

mod arguments;
mod cli;
mod clock;
mod command;
mod config;
mod notify;
mod report;
mod rules;
mod sources;
mod telemetry;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command};
use crate::config::Log;

/// musl's own allocator takes one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `run --print-config` takes the origin of each value from the matches.
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match dispatch(&cli, &matches) {
        Ok(code) => code,
        Err(error) => {
            // The whole chain on one line; the log may not have started yet.
            let _ = report::print_message(&format!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    // An error would mean that a provider is installed already: this is the only call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    if !matches!(cli.command, Command::Run(_)) {
        telemetry::start_logging(&Log::of_command(&cli.log), None, None)?;
    }
    match &cli.command {
        // It starts its log itself, with the form from the configuration and the name of the cluster from the guard.
        Command::Run(args) => {
            let runtime = runtime()?;
            let prepared = {
                // The sender of traces needs the runtime.
                let _inside = runtime.enter();
                command::run::prepare(args, &cli.log, matches)?
            };
            match prepared {
                Ok(prepared) => runtime.block_on(prepared.run()),
                Err(code) => Ok(code),
            }
        }
        Command::Check(args) => command::check::run(args),
        Command::Explain(args) => runtime()?.block_on(command::explain::run(args)),
        Command::Replay(args) => runtime()?.block_on(command::replay::run(args)),
        Command::Rbac(args) => command::rbac::run(args),
        Command::Schema(args) => command::schema::run(args),
        Command::Completions(args) => command::completions::run(args, &mut Cli::command()),
    }
}
