//! Why a body, or a part of it, can't be read as an alert.

use responder_core::alert::{DecodeError, Position};

use super::envelope_error::{AlertmanagerError, CloudEventError};

/// Why a body, or a part of it, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no alert, nor an envelope that is known.
    #[error(transparent)]
    Alert(#[from] DecodeError),
    /// An array without an element.
    #[error("the body holds no alert; leave out empty batches")]
    NoAlerts,
    /// A body of several alerts that is broken, from the place of this error on.
    #[error("{0}; nothing from there on was read")]
    Rest(DecodeError),
    /// More alerts than one body may hold.
    #[error(
        "the body holds {more} alerts more than the {bound} that are taken of one; send them in bodies of their own"
    )]
    TooMany {
        /// Alerts that were not read.
        more: usize,
        /// Alerts that were.
        bound: usize,
    },
    /// A CloudEvent without data that could be an alert.
    #[error(transparent)]
    CloudEvent(#[from] CloudEventError),
    /// The data of a CloudEvent, a text of its own, is no alert.
    #[error("the data of the CloudEvent is no alert: {0}")]
    Data(DecodeError),
    /// Labels from which no faithful alert can be made.
    #[error(transparent)]
    Alertmanager(#[from] AlertmanagerError),
    /// Labels whose values are not those of an alert.
    #[error("the labels make no alert: {0}")]
    Labels(DecodeError),
}

impl Unreadable {
    /// The kind of error as a metric label: one of [`DecodeError::KINDS`] or of
    /// [`TRANSPORT_KINDS`](crate::TRANSPORT_KINDS).
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Alert(error) | Self::Rest(error) | Self::Data(error) | Self::Labels(error) => error.kind(),
            Self::NoAlerts => "empty",
            Self::TooMany { .. } => "batch",
            Self::CloudEvent(_) => "cloud_event",
            Self::Alertmanager(_) => "alertmanager",
        }
    }

    /// The place in the body, where there is one.
    pub(crate) const fn position(&self) -> Option<Position> {
        match self {
            Self::Alert(error) | Self::Rest(error) => error.position(),
            _ => None,
        }
    }

    /// The same error about a part that begins at `start`, with `offset` bytes of the body before it.
    pub(super) fn in_part(self, start: Position, offset: usize) -> Self {
        match self {
            Self::Alert(error) => Self::Alert(error.in_part(start, offset)),
            Self::Rest(error) => Self::Rest(error.in_part(start, offset)),
            other => other,
        }
    }
}
