//! Reads the configuration from the file, the environment and the command line. Before the first step.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ArgMatches;
use responder_core::document::{Diagnostics, Findings, Language, SourceFile, read_one};

use super::Configuration;
use super::doc::ConfigurationDoc;
use super::effective::Effective;
use super::overrides::{Overrides, origins};
use super::secret;
use crate::arguments::LogArgs;
use crate::report::{Paint, counted, print_message};
use crate::rules::InvalidRules;
use crate::sources::read_text;

/// A configuration without mistakes.
#[derive(Debug)]
pub(crate) struct Read {
    /// The compiled configuration.
    pub(crate) configuration: Configuration,
    /// Its text, with the origin of each value.
    pub(crate) effective: Effective,
}

/// The problems of keys that the configuration does not have.
pub(super) const LANGUAGE: Language = Language {
    unknown_key: secret::unknown_key,
    ..Language::PLAIN
};

/// The text of a configuration without a file.
const EMPTY: &str = "apiVersion: responder.dev/v1alpha1\nkind: Configuration\n";

/// Reads the file, if one is named, and overrides it with flags and variables. Every mistake is printed.
pub(crate) fn read(
    overrides: &Overrides,
    log: &LogArgs,
    matches: &ArgMatches,
) -> anyhow::Result<Result<Read, InvalidRules>> {
    let source = match &overrides.config {
        Some(file) => SourceFile {
            file: file.clone(),
            text: text(file)?,
        },
        None => SourceFile {
            file: PathBuf::from("(no file)"),
            text: EMPTY.to_owned(),
        },
    };
    let meaning = |mut doc: ConfigurationDoc, findings: &mut Findings<'_>| {
        overrides.apply(log, &mut doc);
        let configuration = doc.compile(findings);
        (doc, configuration)
    };
    let (doc, configuration) = match read_one(&source, &LANGUAGE, meaning) {
        Ok((read, warnings)) => {
            tell(&warnings)?;
            read
        }
        Err(found) => {
            tell(&found)?;
            let count = Paint::of(&io::stderr()).bad(counted(found.errors(), "error"));
            print_message(&format!("{count}; nothing was started\n"))?;
            return Ok(Err(InvalidRules));
        }
    };
    if let Some(mistake) = configuration.mistake() {
        let error = Paint::of(&io::stderr()).bad("error").to_string();
        print_message(&format!("{error}: {mistake}\n"))?;
        return Ok(Err(InvalidRules));
    }
    let file = overrides.config.as_ref().map(|_| &source);
    Ok(Ok(Read {
        configuration,
        effective: Effective::of(&doc, file, &origins(matches))?,
    }))
}

fn text(file: &Path) -> anyhow::Result<String> {
    read_text(file)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("cannot read the configuration {}", file.display()))
}

fn tell(found: &Diagnostics) -> io::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    print_message(&(found.render(Paint::of(&io::stderr()).color()) + "\n"))
}

impl Configuration {
    /// The first mistake in the configuration as a whole.
    fn mistake(&self) -> Option<String> {
        if self.playbooks.is_empty() {
            return Some(
                "there are no playbooks: name files or directories with --playbooks, or in the file of --config"
                    .to_owned(),
            );
        }
        let http = &self.http;
        if !http.listen.ip().is_loopback() && !http.is_authenticated() && !http.insecure_no_auth {
            return Some(format!(
                "{} can be reached from other machines, and senders do not have to authenticate: write `http.auth` or \
                 `http.tls.clientCaFile` in the file of --config, listen on 127.0.0.1, or add --insecure-no-auth if \
                 something else keeps strangers out",
                http.listen
            ));
        }
        None
    }
}
