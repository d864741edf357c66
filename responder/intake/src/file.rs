//! Alerts from a file or from standard input, for `replay` and `explain`. Step of the flow: intake.
//!
//! A recording has one alert on each line (JSONL), as Falco's `file_output` writes it. A single alert may span several
//! lines, as an editor or `jq` leaves it, and a JSON array of alerts is accepted too.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use responder_core::alert::{Alert, Bounds, DecodeError};
use serde_json::value::RawValue;

/// An alert with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertInFile {
    /// The place.
    pub place: Place,
    /// The decoded alert.
    pub alert: Alert,
}

/// The place of an alert in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The line of a recording, from 1.
    Line(u64),
    /// The element of an array, from 1.
    Element(u64),
    /// The file holds one alert and nothing else.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Element(number) => write!(f, "element {number}"),
            Self::Whole => f.write_str("the text"),
        }
    }
}

/// Why a file, or a part of it, can't be read as alerts.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file can't be read.
    #[error("the alerts can't be read; look at the file and its permissions")]
    Io(#[from] io::Error),
    /// A part of the file is not an alert.
    #[error("{place} is not an alert")]
    Decode {
        /// The place of the part.
        place: Place,
        /// The reason.
        #[source]
        source: DecodeError,
    },
    /// The file holds no alert.
    #[error("there is no alert in it; give Falco's alerts as JSON, one a line")]
    Empty,
}

/// The alerts of a recording, one a line; blank lines are skipped. A line that is not an alert is an error with its place,
/// and reading goes on with the next line; after [`FileError::Io`] the iterator ends.
///
/// Memory holds one line at a time, and of a line no more than its bound.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    bounds: Bounds,
    number: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads a recording.
    pub const fn new(reader: R, bounds: Bounds) -> Self {
        Self {
            reader,
            bounds,
            number: 0,
            ended: false,
        }
    }

    /// The next line without its end; `None` at the end of the file. A line over its bound comes cut just past the
    /// bound, so that decoding refuses it; the rest of it is skipped.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let most = (self.bounds.body as u64).saturating_add(2);
        let mut line = Vec::new();
        if self.reader.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 == most {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<AlertInFile, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.number += 1;
            match self.line() {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => return Some(decode(Place::Line(self.number), &line, &self.bounds)),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

/// The alerts of a small file: one alert over any number of lines, an array of alerts, or one a line.
///
/// # Errors
///
/// The first part that can't be read; for a file with a single object, what is wrong with the object.
pub fn alerts(text: &[u8], bounds: &Bounds) -> Result<Vec<AlertInFile>, FileError> {
    let text = text.trim_ascii();
    match text.first() {
        None => return Err(FileError::Empty),
        Some(b'[') => {
            if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(text) {
                let decoded = (1..)
                    .zip(elements)
                    .map(|(number, element)| decode(Place::Element(number), element.get().as_bytes(), bounds));
                let decoded: Vec<_> = decoded.collect::<Result<_, _>>()?;
                return if decoded.is_empty() {
                    Err(FileError::Empty)
                } else {
                    Ok(decoded)
                };
            }
        }
        Some(_) => {}
    }
    let whole = decode(Place::Whole, text, bounds);
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .count();
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // A first line that is an alert by itself tells a recording from a single broken alert over several lines.
    if whole.is_err() && lines > 1 && Alert::decode(first, bounds).is_ok() {
        return Lines::new(text, *bounds).collect();
    }
    whole.map(|alert| vec![alert])
}

fn decode(place: Place, text: &[u8], bounds: &Bounds) -> Result<AlertInFile, FileError> {
    match Alert::decode(text, bounds) {
        Ok(alert) => Ok(AlertInFile { place, alert }),
        Err(source) => Err(FileError::Decode { place, source }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ALERT: &str =
        r#"{"rule":"R","priority":"Notice","time":"2026-07-06T23:05:05.771201256Z","output_fields":{}}"#;

    fn places(found: &[Result<AlertInFile, FileError>]) -> Vec<String> {
        let place = |found: &Result<AlertInFile, FileError>| match found {
            Ok(placed) => placed.place.to_string(),
            Err(error) => format!("{error}!"),
        };
        found.iter().map(place).collect()
    }

    #[test]
    fn each_line_is_an_alert_and_a_bad_one_is_an_error_at_its_place() {
        let recording = format!("{ALERT}\n\n   \r\n{ALERT}\r\nno alert\n{ALERT}");
        let found: Vec<_> = Lines::new(recording.as_bytes(), Bounds::default()).collect();
        assert_eq!(
            places(&found),
            ["line 1", "line 4", "line 5 is not an alert!", "line 6"]
        );
    }

    #[test]
    fn a_line_past_the_bound_is_refused_and_the_next_one_is_read() {
        let bounds = Bounds {
            body: ALERT.len(),
            ..Bounds::default()
        };
        let recording = format!("{ALERT}\n{}\n{ALERT}\n", "x".repeat(10 * ALERT.len()));
        let found: Vec<_> = Lines::new(recording.as_bytes(), bounds).collect();
        assert_eq!(places(&found), ["line 1", "line 2 is not an alert!", "line 3"]);
        assert!(
            matches!(
                found[1],
                Err(FileError::Decode {
                    source: DecodeError::TooLarge { .. },
                    ..
                })
            ),
            "{:?}",
            found[1]
        );
    }

    #[rstest]
    #[case::over_lines(ALERT.replace(',', ",\n  "), &["the text"])]
    #[case::by_itself(format!("\n{ALERT}\n"), &["the text"])]
    #[case::recording(format!("{ALERT}\n\n{ALERT}\n"), &["line 1", "line 3"])]
    #[case::array(format!("[{ALERT},\n{ALERT}]"), &["element 1", "element 2"])]
    fn a_small_file_may_have_any_of_the_usual_formats(#[case] text: String, #[case] expected: &[&str]) {
        let found = alerts(text.as_bytes(), &Bounds::default()).unwrap();
        let found: Vec<_> = found.iter().map(|placed| placed.place.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::nothing("", "there is no alert in it")]
    #[case::no_elements("[]", "there is no alert in it")]
    #[case::broken_over_lines("{\n\"rule\": \"R\",\n", "the text is not an alert")]
    #[case::not_an_array("[1, 2]", "element 1 is not an alert")]
    #[case::text("13:44:05.478445995: Critical A shell", "the text is not an alert")]
    fn what_is_no_alert_is_refused_at_its_place(#[case] text: &str, #[case] error: &str) {
        let found = alerts(text.as_bytes(), &Bounds::default()).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}
