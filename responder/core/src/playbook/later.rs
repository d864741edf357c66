//! Parts of the language whose place is reserved: refused by name, never ignored.
//! Step of the flow: match (reading playbooks).

use crate::document::{Language, Problem};

/// Keys, by the type in which they will stand.
const KEYS: &[(&str, &str, &str)] = &[
    ("Match", "also", "a second signal on the same target"),
    ("Exception", "also", "a second signal on the same target"),
    ("PlaybookSpec", "approval", "steps that wait for a person"),
    ("Step", "if", "a step that depends on recurrences"),
    ("GuardSpec", "breaker", "a breaker that a person re-arms"),
];

/// Actions.
const ACTIONS: &[&str] = &["evidence", "detach", "scale", "suspend", "lock", "drain"];

/// Words, by the enumeration in which they will stand.
const WORDS: &[(&str, &str)] = &[
    ("OnExhausted", "Hold"),
    ("TargetKind", "Namespace"),
    ("TargetKind", "Resource"),
    ("NotifyMoment", "AwaitingApproval"),
    ("TaintEffect", "NoExecute"),
];

/// Kinds of document.
const KINDS: &[&str] = &["Playbook", "Override", "PlaybookTest"];

/// What other tools call the actions.
const SYNONYMS: &[(&str, &str)] = &[
    ("terminate", "delete"),
    ("kill", "delete"),
    ("remove", "delete"),
    ("labelize", "label"),
    ("isolate", "quarantine"),
    ("networkpolicy", "quarantine"),
];

/// What playbooks and guards say of what they do not take.
pub(super) const LANGUAGE: Language = Language {
    unknown_key,
    planned_word: word,
};

fn unknown_key(type_name: &str, name: &str) -> Option<Problem> {
    if let Some(what) = key(type_name, name) {
        let problem = Problem::new(format!("`{name}` is not in this version"));
        return Some(problem.help(format!("leave it out; planned is {what}")));
    }
    (type_name == "Step").then(|| {
        let problem = Problem::new(format!("there is no action `{}`", name.escape_debug()));
        problem.maybe_help(synonym(name).map(|ours| format!("did you mean `{ours}`?")))
    })
}

/// What a key of a type will be; `None` for a key that nobody plans.
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

/// Whether a word will be one of an enumeration.
fn word(type_name: &str, word: &str) -> bool {
    WORDS.contains(&(type_name, word))
}

/// Whether a kind of document will be read.
pub(super) fn kind(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// What another tool's action is called here.
fn synonym(action: &str) -> Option<&'static str> {
    SYNONYMS
        .iter()
        .find(|(theirs, _)| action.eq_ignore_ascii_case(theirs))
        .map(|(_, ours)| *ours)
}
