//! The NATS intake as the command line names it: none, or its configuration.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use responder_intake::nats::NatsConfig;

use crate::config::nats::{JetStreamDoc, NatsDoc, NewStreamDoc};

/// Alerts over NATS, beside HTTP.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    /// Takes alerts from this NATS server, nats://host:port or tls://host:port; several of one cluster may be named
    #[arg(
        long = "nats-url",
        value_name = "URL",
        env = "RESPONDER_NATS_URL",
        value_delimiter = ',',
        hide_env = true
    )]
    url: Vec<String>,
    /// Subjects to listen to; falco.> by default, where falcosidekick publishes
    #[arg(
        long = "nats-subject",
        value_name = "SUBJECT",
        requires = "url",
        env = "RESPONDER_NATS_SUBJECT",
        value_delimiter = ',',
        hide_env = true
    )]
    subject: Vec<String>,
    /// Takes the messages from this stream, which keeps each until it is decided, instead of as they pass by
    #[arg(
        long = "nats-stream",
        value_name = "STREAM",
        requires = "url",
        env = "RESPONDER_NATS_STREAM",
        hide_env = true
    )]
    stream: Option<String>,
    /// Makes the stream, and one for dead letters, where there is none: on one server, for a day or 1 GiB
    #[arg(
        long = "nats-create-stream",
        requires = "stream",
        env = "RESPONDER_NATS_CREATE_STREAM",
        hide_env = true
    )]
    create_stream: bool,
    /// A file with all that can be set for NATS
    #[arg(long = "nats-config", value_name = "FILE", hide = true, conflicts_with = "url")]
    config: Option<PathBuf>,
}

impl NatsArgs {
    /// What was asked for; `None` for HTTP only.
    pub(crate) fn config(&self) -> anyhow::Result<Option<NatsConfig>> {
        let doc = match &self.config {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                serde_saphyr::from_str(&text).with_context(|| format!("{} has a mistake", file.display()))?
            }
            None if self.url.is_empty() => return Ok(None),
            None => {
                let mut doc = NatsDoc::of(self.url.clone());
                doc.subjects = (!self.subject.is_empty()).then(|| self.subject.clone());
                doc.jet_stream = self.stream.clone().map(|stream| JetStreamDoc {
                    create_stream: self.create_stream.then(NewStreamDoc::default),
                    ..JetStreamDoc::of(stream)
                });
                doc
            }
        };
        Ok(Some(doc.compile().context("the settings for NATS can't work")?))
    }
}
