//! Alerts from a file or from standard input, for `replay` and `explain`. Step of the flow: intake.
//!
//! A recording has one alert on each line (JSONL), as Falco's `file_output` writes it. A log that has kept Falco's lines is
//! a recording too: of a container, by CRI or docker's json-file, or of syslog. A single alert may span several lines, as an
//! editor or `jq` leaves it, and a JSON array of alerts is accepted too.

mod lines;
mod log_line;
mod pieces;
mod placed;

use responder_core::alert::Bounds;
use serde_json::value::RawValue;

use self::placed::decode;

pub use self::lines::Lines;
pub use self::placed::{AlertInFile, FileError, Place};

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
    // A first line that is an alert by itself tells a recording from a single broken alert over several lines.
    if whole.is_err() && Lines::new(text, *bounds).next().is_some_and(|first| first.is_ok()) {
        return Lines::new(text, *bounds).collect();
    }
    whole.map(|alert| vec![alert])
}

#[cfg(test)]
mod tests {
    use responder_core::alert::{Alert, DecodeError};
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

    fn json_string(text: &str) -> String {
        serde_json::Value::from(text).to_string()
    }

    #[test]
    fn the_logs_of_a_container_and_of_syslog_are_recordings() {
        let (start, end) = ALERT.split_at(40);
        let startup = "Falco version: 0.41.0";
        let recording = [
            format!("2026-07-06T23:05:05.1Z stdout F {ALERT}"),
            format!("2026-07-06T23:05:05.1Z stdout P {start}"),
            format!("2026-07-06T23:05:05.1Z stderr F {startup}"),
            format!("2026-07-06T23:05:05.1Z stdout F {end}"),
            "2026-07-06T23:05:05.1Z stdout F ".to_owned(),
            format!(
                r#"{{"log":{},"stream":"stdout","time":"x"}}"#,
                json_string(&format!("{ALERT}\n"))
            ),
            format!(r#"{{"log":{},"stream":"stdout","time":"x"}}"#, json_string(start)),
            format!(
                r#"{{"log":{},"stream":"stdout","time":"x"}}"#,
                json_string(&format!("{end}\n"))
            ),
            format!("<134>Jul  6 23:05:05 worker-1 falco[1]: {ALERT}"),
            format!("<134>1 2026-07-06T23:05:05Z worker-1 falco 1 - - {ALERT}"),
            ALERT.to_owned(),
            format!("2026-07-06T23:05:05.1Z stdout P {start}"),
        ];
        for end in ["\n", "\r\n"] {
            let recording = recording.join(end);
            let found: Vec<_> = Lines::new(recording.as_bytes(), Bounds::default()).collect();
            assert_eq!(
                places(&found),
                [
                    "line 1",
                    "line 3 is not an alert!",
                    "line 2",
                    "line 6",
                    "line 7",
                    "line 9",
                    "line 10",
                    "line 11",
                    "line 12 is not an alert!"
                ]
            );
            let alert = Alert::decode(ALERT.as_bytes(), &Bounds::default()).unwrap();
            assert!(found.iter().flatten().all(|placed| placed.alert == alert));
        }
    }

    #[test]
    fn pieces_that_never_end_are_refused_at_the_bound() {
        let bounds = Bounds {
            body: 1000,
            ..Bounds::default()
        };
        let piece = format!("2026-07-06T23:05:05.1Z stdout P {}\n", "x".repeat(300));
        let recording = format!("{}2026-07-06T23:05:05.1Z stdout F x\n{ALERT}\n", piece.repeat(50));
        let found: Vec<_> = Lines::new(recording.as_bytes(), bounds).collect();
        assert_eq!(places(&found), ["line 1 is not an alert!", "line 52"]);
        let Err(FileError::Decode { source, .. }) = &found[0] else {
            panic!("{found:?}");
        };
        assert_eq!(
            *source,
            DecodeError::TooLarge {
                size: 1001,
                bound: 1000
            }
        );
    }

    #[rstest]
    #[case::over_lines(ALERT.replace(',', ",\n  "), &["the text"])]
    #[case::by_itself(format!("\n{ALERT}\n"), &["the text"])]
    #[case::recording(format!("{ALERT}\n\n{ALERT}\n"), &["line 1", "line 3"])]
    #[case::log_line(format!("2026-07-06T23:05:05.1Z stdout F {ALERT}\n"), &["line 1"])]
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
