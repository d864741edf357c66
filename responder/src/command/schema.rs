//! `schema`: prints the JSON schema of playbooks and guards, or of the configuration, made from the types that read them.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use responder_core::document::schema_of;

use crate::config::ConfigurationDoc;
use crate::report::{print_data, to_json_pretty};

/// The options of `schema`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {
    /// The documents that the schema is for
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    of: What,
}

/// The documents that a schema is for.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum What {
    /// Playbooks and guards: one schema for both kinds
    #[default]
    Playbooks,
    /// The file of `run --config`
    Config,
}

const EXAMPLES: &str = "\
Examples:
  responder schema > playbook.schema.json
  responder schema --of config > config.schema.json

With this line at the top of a file, editors with the YAML language server complete and check it:
  # yaml-language-server: $schema=playbook.schema.json";

pub(crate) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let schema = match args.of {
        What::Playbooks => responder_core::playbook::schema(),
        What::Config => schema_of::<ConfigurationDoc>(),
    };
    print_data(&to_json_pretty(&schema)?)?;
    Ok(ExitCode::SUCCESS)
}
