//! Printing: data to standard output, everything else to standard error.

use std::io::{self, Write as _};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a person
    #[default]
    Text,
    /// For a machine
    Json,
}

/// Prints data. A reader that closes the pipe (`| head`) is no failure.
pub(crate) fn print_data(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    unless_closed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Prints a message.
pub(crate) fn print_message(text: &str) -> io::Result<()> {
    unless_closed(io::stderr().lock().write_all(text.as_bytes()))
}

fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
