//! Reads the alerts of `explain` and `replay` from a file or from standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use responder_core::alert::{Alert, Bounds};
use responder_intake::file::{AlertInFile, FileError, Lines, alerts};

/// Recorded alerts in the order of their times, and the lines that are not alerts.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// By time, then by place: several Falcos may write into one file, each with a buffer.
    pub(super) alerts: Vec<AlertInFile>,
    /// The errors of lines that are not alerts.
    pub(super) bad: Vec<FileError>,
}

impl Recording {
    /// Reads all lines.
    ///
    /// # Errors
    ///
    /// The file can't be read. A line that is not an alert is no error here.
    pub(super) fn read(reader: impl BufRead) -> io::Result<Self> {
        let mut recording = Self::default();
        for line in Lines::new(reader, Bounds::default()) {
            match line {
                Ok(placed) => recording.alerts.push(placed),
                Err(FileError::Io(error)) => return Err(error),
                Err(bad) => recording.bad.push(bad),
            }
        }
        recording
            .alerts
            .sort_by_key(|placed| (placed.alert.time(), placed.place));
        Ok(recording)
    }
}

/// A recording from a file, or from standard input for `-`.
pub(super) fn read_recording(path: &Path) -> anyhow::Result<Recording> {
    let recording = if is_stdin(path) {
        Recording::read(io::stdin().lock())
    } else {
        File::open(path).and_then(|file| Recording::read(BufReader::new(file)))
    };
    recording.with_context(|| cannot_read(path))
}

/// The one alert of a file, or of standard input for `-`.
pub(super) fn read_alert(path: &Path) -> anyhow::Result<Alert> {
    let bounds = Bounds::default();
    // White space may make an alert over several lines longer than its bound; a file that is longer still is not an alert.
    let most = 4 * bounds.body as u64;
    let mut text = Vec::new();
    let read = if is_stdin(path) {
        io::stdin().lock().take(most).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut text))
    };
    read.with_context(|| cannot_read(path))?;
    let mut found = alerts(&text, &bounds).with_context(|| cannot_read(path))?;
    anyhow::ensure!(
        found.len() == 1,
        "{} holds {} alerts: explain takes one, replay takes many",
        name(path),
        found.len()
    );
    found
        .pop()
        .map(|placed| placed.alert)
        .context("there is no alert in it")
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", name(path))
}

fn name(path: &Path) -> String {
    if is_stdin(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Recording;

    #[test]
    fn alerts_are_in_the_order_of_their_times_and_bad_lines_keep_their_numbers() {
        let alert =
            |time: &str| format!(r#"{{"rule": "r", "priority": "Notice", "time": "{time}", "output_fields": {{}}}}"#);
        let lines = [
            alert("2026-07-14T03:00:02Z"),
            String::new(),
            "no alert".to_owned(),
            alert("2026-07-14T03:00:01Z"),
            alert("2026-07-14T03:00:02Z"),
        ];
        let recording = Recording::read((lines.join("\r\n") + "\n").as_bytes()).unwrap();
        let places: Vec<_> = recording.alerts.iter().map(|placed| placed.place.to_string()).collect();
        assert_eq!(places, ["line 4", "line 1", "line 5"]);
        let bad: Vec<_> = recording.bad.iter().map(ToString::to_string).collect();
        assert_eq!(bad, ["line 3 is not an alert"]);
    }
}
