//! The part of a match that reads the alert. Step of the flow: match.

use std::fmt::Write as _;

use globset::GlobSet;

use super::fields::Predicate;
use crate::alert::{Alert, Priority, Source, Value};
use crate::trace::{AlertCondition, CheckName, Trace};

/// The conditions on an alert. Every part present must hold; an empty match takes every alert.
#[derive(Debug, Default)]
pub struct AlertMatch {
    pub(super) rules: Option<RuleNames>,
    pub(super) sources: Vec<Source>,
    pub(super) min_priority: Option<Priority>,
    pub(super) tags: Tags,
    pub(super) fields: Vec<Predicate>,
}

/// Accepted rule names; the alert's rule must equal one or match a glob.
#[derive(Debug, Default)]
pub(super) struct RuleNames {
    pub(super) exact: Vec<String>,
    pub(super) globs: Vec<String>,
    /// All globs, compiled into one automaton.
    pub(super) set: GlobSet,
}

/// Conditions on the rule's tags.
#[derive(Debug, Default)]
pub(super) struct Tags {
    pub(super) all: Vec<String>,
    pub(super) any: Vec<String>,
    pub(super) none: Vec<String>,
}

impl RuleNames {
    pub(super) fn matches(&self, rule: &str) -> bool {
        self.exact.iter().any(|name| name == rule) || self.set.is_match(rule)
    }
}

impl Tags {
    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.any.is_empty() && self.none.is_empty()
    }

    fn matches(&self, alert: &Alert) -> bool {
        let has = |tag: &String| alert.tags().iter().any(|tagged| **tagged == **tag);
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

impl AlertMatch {
    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.rules.is_none()
            && self.sources.is_empty()
            && self.min_priority.is_none()
            && self.tags.is_empty()
            && self.fields.is_empty()
    }

    /// Whether every condition holds. Allocates nothing.
    pub fn matches(&self, alert: &Alert) -> bool {
        self.rules
            .as_ref()
            .is_none_or(|rules| rules.matches(alert.rule().as_str()))
            && self.matches_besides_rule(alert)
    }

    /// Like [`AlertMatch::matches`], without the rule's name, which the index has checked.
    pub(super) fn matches_besides_rule(&self, alert: &Alert) -> bool {
        self.matches_source(alert)
            && self.min_priority.is_none_or(|least| alert.priority() >= least)
            && self.tags.matches(alert)
            && self.fields.iter().all(|predicate| predicate.holds(alert))
    }

    fn matches_source(&self, alert: &Alert) -> bool {
        self.sources.is_empty() || self.sources.contains(alert.source())
    }

    /// Notes every condition with its result and the compared values, under `match.…`. Agrees with
    /// [`AlertMatch::matches`], which holds exactly when no condition here failed.
    pub fn trace(&self, alert: &Alert, trace: &mut Trace) {
        let mut note = |condition, holds: bool, detail: String| {
            let name = CheckName::AlertMatch(condition);
            if holds {
                trace.passed(name, detail);
            } else {
                trace.failed(name, detail);
            }
        };
        if let Some(rules) = &self.rules {
            let rule = alert.rule().as_str();
            let asked: Vec<String> = rules.exact.iter().chain(&rules.globs).map(|name| shown(name)).collect();
            note(
                AlertCondition::Rules,
                rules.matches(rule),
                format!("the rule is {}; asked {}", shown(rule), asked.join(" or ")),
            );
        }
        if !self.sources.is_empty() {
            let asked: Vec<&str> = self.sources.iter().map(Source::as_str).collect();
            let detail = format!(
                "the source is {}; asked {}",
                shown(alert.source().as_str()),
                asked.join(" or ")
            );
            note(AlertCondition::Sources, self.matches_source(alert), detail);
        }
        if let Some(least) = self.min_priority {
            note(
                AlertCondition::MinPriority,
                alert.priority() >= least,
                format!("the priority is {}; asked {least} or more", alert.priority()),
            );
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> = alert.tags().iter().map(|tag| shown(tag)).collect();
            let tags = if tags.is_empty() {
                "none".to_owned()
            } else {
                tags.join(", ")
            };
            let mut detail = format!("the tags are {tags}; asked");
            for (word, asked) in [
                ("all", &self.tags.all),
                ("any", &self.tags.any),
                ("none", &self.tags.none),
            ] {
                if !asked.is_empty() {
                    // Writing to a string can't fail.
                    let _ = write!(detail, " {word} of [{}]", asked.join(", "));
                }
            }
            note(AlertCondition::Tags, self.tags.matches(alert), detail);
        }
        for (index, predicate) in self.fields.iter().enumerate() {
            let value = value(alert.field(&predicate.field));
            for (holds, asked) in predicate.explain(alert) {
                note(
                    AlertCondition::Field(index),
                    holds,
                    format!("{} is {value}; asked {asked}", predicate.field),
                );
            }
        }
    }
}

/// The longest text from an alert in a trace, in characters.
const SHOWN: usize = 80;

/// The text in quotes, escaped and shortened to 80 characters.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "not in the alert".to_owned(),
        Some(Value::String(text)) if value.is_some_and(Value::is_cut) => {
            format!("{} (cut by falcosidekick)", shown(text))
        }
        Some(Value::String(text)) => shown(text),
        Some(Value::List(values)) => {
            let first: Vec<String> = values.iter().take(5).map(|one| self::value(Some(one))).collect();
            let rest = if values.len() > 5 { ", …" } else { "" };
            format!("[{}{rest}]", first.join(", "))
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
