//! Where words go: data to standard output, everything else to standard error.

use std::io::{self, Write as _};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a person
    #[default]
    Text,
    /// For a machine
    Json,
}

/// Prints data. Whoever reads it may stop reading (`| head`): that is no failure.
pub(crate) fn print_data(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    unless_closed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Prints what is not data.
pub(crate) fn print_message(text: &str) -> io::Result<()> {
    unless_closed(io::stderr().lock().write_all(text.as_bytes()))
}

fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
