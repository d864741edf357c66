//! One alert on each line (NDJSON).

use responder_core::alert::{Bounds, Position};

use super::part::{self, Batch, BodyPart, MOST_ALERTS};
use super::places::Places;

/// Whether a body that is no alert has alerts on its lines: there are several, and the first is an object by its looks.
/// Falco's text output never is, whatever a process has put behind a line end.
pub(super) fn are_several(body: &[u8]) -> bool {
    let mut lines = filled(body);
    let is_object = lines
        .next()
        .is_some_and(|line| line.trim_ascii().starts_with(b"{") && line.trim_ascii().ends_with(b"}"));
    is_object && lines.next().is_some()
}

/// Reads the alert of each line; blank lines are passed over.
pub(super) fn read(body: &[u8], bounds: &Bounds) -> Batch {
    let mut places = Places::new(body);
    let mut lines = filled(body);
    let parts = lines
        .by_ref()
        .take(MOST_ALERTS)
        .map(|line| {
            let (Position { line: number, .. }, offset) = places.of(line);
            let start = Position {
                line: number,
                ..Position::START
            };
            BodyPart {
                line: number,
                read: part::read(line, bounds).map_err(|error| error.in_part(start, offset)),
            }
        })
        .collect();
    Batch {
        parts,
        unread: lines.count(),
    }
}

fn filled(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
}
