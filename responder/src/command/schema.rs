//! `schema`: the JSON schema of playbooks and guards, made from the types that read them.

use std::process::ExitCode;

use clap::Args;

use crate::report::{print_data, to_json_pretty};

/// Nothing to choose: one schema takes every kind of document.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {}

const EXAMPLES: &str = "\
Examples:
  responder schema > playbook.schema.json

With this line at its top a file is completed and checked in every editor that has the YAML language server:
  # yaml-language-server: $schema=playbook.schema.json";

pub(crate) fn run(_: &SchemaArgs) -> anyhow::Result<ExitCode> {
    print_data(&to_json_pretty(&responder_core::playbook::schema())?)?;
    Ok(ExitCode::SUCCESS)
}
