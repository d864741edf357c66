//! `completions`: prints the script by which a shell completes commands and options.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::report::print_data;

/// The options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  responder completions bash > /etc/bash_completion.d/responder
  responder completions zsh > ~/.zfunc/_responder
  responder completions fish > ~/.config/fish/completions/responder.fish";

pub(crate) fn run(args: &CompletionsArgs, cli: &mut Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, cli, "responder", &mut script);
    print_data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
