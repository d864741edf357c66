//! Names reserved for later versions, refused with a hint, never ignored. Step of the flow: match (loading playbooks).

use crate::document::{Language, Problem};

/// Planned keys: their type, name, and purpose.
const KEYS: &[(&str, &str, &str)] = &[
    ("Match", "also", "a second signal on the same target"),
    ("Exception", "also", "a second signal on the same target"),
    ("PlaybookSpec", "approval", "steps that wait for a person"),
    ("Step", "if", "a step that depends on recurrences"),
    ("GuardSpec", "breaker", "a breaker that a person re-arms"),
];

/// Planned actions.
const ACTIONS: &[&str] = &["evidence", "detach", "scale", "suspend", "lock", "drain"];

/// Planned words, with their enumeration.
const WORDS: &[(&str, &str)] = &[
    ("OnExhausted", "Hold"),
    ("TargetKind", "Namespace"),
    ("TargetKind", "Resource"),
    ("NotifyMoment", "AwaitingApproval"),
    ("TaintEffect", "NoExecute"),
];

/// Planned kinds of document.
const KINDS: &[&str] = &["Playbook", "Override", "PlaybookTest"];

/// Other tools' names for actions, with ours.
const SYNONYMS: &[(&str, &str)] = &[
    ("terminate", "delete"),
    ("kill", "delete"),
    ("remove", "delete"),
    ("labelize", "label"),
    ("isolate", "quarantine"),
    ("networkpolicy", "quarantine"),
];

/// The hints for playbooks and guards.
pub(super) const LANGUAGE: Language = Language {
    unknown_key,
    planned_word: word,
};

fn unknown_key(type_name: &str, name: &str) -> Option<Problem> {
    if let Some(what) = key(type_name, name) {
        let problem = Problem::new(format!("`{name}` is not in this version"));
        return Some(problem.help(format!("leave it out; planned: {what}")));
    }
    (type_name == "Step").then(|| {
        let problem = Problem::new(format!("there is no action `{}`", name.escape_debug()));
        problem.maybe_help(synonym(name).map(|ours| format!("did you mean `{ours}`?")))
    })
}

/// The purpose of a planned key; `None` when the key is not planned.
fn key(type_name: &str, key: &str) -> Option<&'static str> {
    let action = type_name == "Step" && ACTIONS.contains(&key);
    let planned = KEYS
        .iter()
        .find(|(of, name, _)| *of == type_name && *name == key)
        .map(|(_, _, what)| *what);
    if action {
        Some("an action of this name")
    } else {
        planned
    }
}

/// Whether a later version adds the word to the enumeration.
fn word(type_name: &str, word: &str) -> bool {
    WORDS.contains(&(type_name, word))
}

/// Whether a later version reads this kind of document.
pub(super) fn kind(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// Our name for another tool's action.
fn synonym(action: &str) -> Option<&'static str> {
    SYNONYMS
        .iter()
        .find(|(theirs, _)| action.eq_ignore_ascii_case(theirs))
        .map(|(_, ours)| *ours)
}
