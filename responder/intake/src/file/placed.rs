//! An alert of a file, with its place.

use std::fmt;
use std::io;

use responder_core::alert::{Alert, Bounds, DecodeError};

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

pub(super) fn decode(place: Place, text: &[u8], bounds: &Bounds) -> Result<AlertInFile, FileError> {
    match Alert::decode(text, bounds) {
        Ok(alert) => Ok(AlertInFile { place, alert }),
        Err(source) => Err(FileError::Decode { place, source }),
    }
}
