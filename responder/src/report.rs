//! What a person reads: decisions, plans, tables. `explain` and `replay` are written with it, and whatever another command
//! prints goes through it.
//!
//! Text of an alert is an attacker's. Everything here goes through [`printable`] before it reaches a terminal, and JSON
//! through [`json`], so that no alert can move a cursor, recolour a line or turn the direction of reading.

mod decision;
mod explanation;
mod json;
mod paint;
mod print;
mod replay;
mod table;
mod text;

pub(crate) use explanation::{ExplanationReport, PlaybookReport};
pub(crate) use json::{to_json_line, to_json_pretty};
pub(crate) use paint::Paint;
pub(crate) use print::{Format, print_data, print_message};
pub(crate) use replay::{Replay, ReplayEntry};
pub(crate) use text::printable;

/// `1 playbook`, `2 playbooks`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
