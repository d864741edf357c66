//! The output of the commands: decisions, plans and tables for `explain` and `replay`, and the printing of every command.
//!
//! The text of an alert is under the control of an attacker. All text goes through [`printable`] on its way to a terminal,
//! and JSON through [`json`], so that no alert can move the cursor, recolour a line or turn the direction of reading.

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
