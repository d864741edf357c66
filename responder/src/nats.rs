//! The NATS intake as the command line names it: none, or its configuration.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use responder_intake::nats::NatsConfig;

use crate::config::nats::{JetStreamDoc, NatsDoc};

/// Alerts over NATS, beside HTTP.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    /// Takes alerts from this NATS server, nats://host:port or tls://host:port; several of one cluster may be named
    #[arg(long, value_name = "URL", env = "RESPONDER_NATS_URL", value_delimiter = ',', hide_env = true)]
    nats_url: Vec<String>,
    /// Subjects to listen to; falco.> by default, where falcosidekick publishes
    #[arg(long, value_name = "SUBJECT", requires = "nats_url", env = "RESPONDER_NATS_SUBJECT", value_delimiter = ',', hide_env = true)]
    nats_subject: Vec<String>,
    /// Takes the messages from this stream, which keeps each until it is decided, instead of as they pass by
    #[arg(long, value_name = "STREAM", requires = "nats_url", env = "RESPONDER_NATS_STREAM", hide_env = true)]
    nats_stream: Option<String>,
    /// A file with all that can be set for NATS
    #[arg(long, value_name = "FILE", hide = true, conflicts_with = "nats_url")]
    nats_config: Option<PathBuf>,
}

impl NatsArgs {
    /// What was asked for; `None` for HTTP only.
    pub(crate) fn config(&self) -> anyhow::Result<Option<NatsConfig>> {
        let doc = match &self.nats_config {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                serde_saphyr::from_str(&text).with_context(|| format!("{} has a mistake", file.display()))?
            }
            None if self.nats_url.is_empty() => return Ok(None),
            None => {
                let mut doc = NatsDoc::of(self.nats_url.clone());
                doc.subjects = (!self.nats_subject.is_empty()).then(|| self.nats_subject.clone());
                doc.jet_stream = self.nats_stream.clone().map(JetStreamDoc::of);
                doc
            }
        };
        Ok(Some(doc.compile().context("the settings for NATS can't work")?))
    }
}
