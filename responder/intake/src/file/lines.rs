//! A recording: one alert a line, as Falco has written it or as a log has kept it.

use std::io::{self, BufRead, Read as _};

use responder_core::alert::Bounds;

use super::log_line::LogLine;
use super::pieces::{Joined, Pieces};
use super::placed::{AlertInFile, FileError, Place, decode};

/// The alerts of a recording, one a line; blank lines are skipped. A line that is not an alert is an error with its place,
/// and reading goes on with the next line; after [`FileError::Io`] the iterator ends.
///
/// A line may be wrapped as a container runtime (CRI, docker's json-file) or a syslog daemon keeps it. A runtime cuts long
/// lines; their pieces are joined, and the place of the alert is the line of the first.
///
/// Memory holds one line at a time and the pieces of one for each stream, and of each no more than its bound.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    bounds: Bounds,
    number: u64,
    pieces: Pieces,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads a recording.
    pub const fn new(reader: R, bounds: Bounds) -> Self {
        Self {
            reader,
            bounds,
            number: 0,
            pieces: Pieces::new(bounds.body),
            ended: false,
        }
    }

    /// The next line without its end; `None` at the end of the file. A line over its bound comes cut, longer than an alert
    /// may be, so that decoding refuses it; the rest of it is skipped.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let most = longest_line(&self.bounds).saturating_add(2);
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

    /// What a line, or the pieces that it ends, holds; `None` where there is more to come or nothing.
    fn read(&mut self, line: &[u8]) -> Option<Result<AlertInFile, FileError>> {
        match LogLine::parse(line) {
            LogLine::Whole(text) => self.decode(self.number, &text),
            LogLine::Piece { stream, text, is_last } => {
                let Joined { first, text } = self.pieces.join(stream, self.number, text, is_last)?;
                self.decode(first, &text)
            }
        }
    }

    fn decode(&self, number: u64, text: &[u8]) -> Option<Result<AlertInFile, FileError>> {
        (!text.trim_ascii().is_empty()).then(|| decode(Place::Line(number), text, &self.bounds))
    }
}

/// The bytes of the longest line that may hold an alert: a runtime escapes each quotation mark, and has keys of its own.
const fn longest_line(bounds: &Bounds) -> u64 {
    (bounds.body as u64).saturating_mul(2).saturating_add(1024)
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<AlertInFile, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.number += 1;
            match self.line() {
                Ok(Some(line)) => {
                    let read = self.read(&line);
                    if read.is_some() {
                        return read;
                    }
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.pieces = Pieces::new(self.bounds.body);
                    return Some(Err(error.into()));
                }
            }
        }
        // A line whose last piece is missing.
        let Joined { first, text } = self.pieces.take()?;
        Some(decode(Place::Line(first), &text, &self.bounds))
    }
}
