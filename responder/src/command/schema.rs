//! `schema`: the JSON schema of playbooks and guards, or of the configuration, made from the types that read them.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use responder_core::document::schema_of;

use crate::config::ConfigurationDoc;
use crate::report::{print_data, to_json_pretty};

/// Which schema.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    of: What,
}

/// What a schema is of.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum What {
    /// Playbooks and guards: one schema takes every kind of document
    #[default]
    Playbooks,
    /// The file of `run --config`
    Config,
}

const EXAMPLES: &str = "\
Examples:
  responder schema > playbook.schema.json
  responder schema --of config > config.schema.json

With this line at its top a file is completed and checked in every editor that has the YAML language server:
  # yaml-language-server: $schema=playbook.schema.json";

pub(crate) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let schema = match args.of {
        What::Playbooks => responder_core::playbook::schema(),
        What::Config => schema_of::<ConfigurationDoc>(),
    };
    print_data(&to_json_pretty(&schema)?)?;
    Ok(ExitCode::SUCCESS)
}
