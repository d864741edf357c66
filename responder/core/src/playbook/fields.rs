//! Predicates over the fields of an alert. Step of the flow: match.
//!
//! An undecidable comparison is false, also for negative operators: a missing or null field (except for
//! `exists: false`), a value of another type than the operand, or a result that depends on the text that falcosidekick
//! cut off. In a list, a positive operator needs one matching element and a negative one needs all to match; an empty
//! list satisfies neither.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::Regex;

use super::pattern::{Pattern, is_regex_match_of_cut};
use crate::alert::{Alert, Value};

mod compile;

pub(super) use compile::compile;

/// A field and its tests; all must hold.
#[derive(Debug)]
pub(super) struct Predicate {
    pub(super) field: Box<str>,
    tests: Vec<Test>,
}

/// An operator with its operand.
#[derive(Debug)]
struct Test {
    /// The operator as written, for traces: `notIn [bash, sh]`.
    asked: String,
    operand: Operand,
    /// Whether the test holds when the operand does not match.
    negative: bool,
}

#[derive(Debug)]
enum Operand {
    Exists(bool),
    OneOf(Vec<Literal>),
    Prefix(Vec<String>),
    Suffix(Vec<String>),
    Part(Vec<String>),
    Glob(Vec<Pattern>),
    Regex(Vec<Regex>),
    Network(Vec<IpNet>),
    /// The number's ordering relative to this one must be among these.
    Order(&'static [Ordering], Number),
}

/// A value of a playbook to compare with.
#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Boolean(bool),
    Number(Number),
    Text(String),
}

/// A number, exact if whole.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(integer) => Some(Self::Whole(integer.get())),
            Value::Float(float) if float.is_finite() => Some(Self::Fraction(*float)),
            _ => None,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(&other),
            (Self::Whole(one), Self::Fraction(other)) => compare_mixed(one, other),
            (Self::Fraction(one), Self::Whole(other)) => compare_mixed(other, one).reverse(),
            // Both are finite: JSON and YAML documents can't hold other floats. `+ 0.0` turns -0.0 into 0.0, which
            // `total_cmp` tells apart.
            (Self::Fraction(one), Self::Fraction(other)) => (one + 0.0).total_cmp(&(other + 0.0)),
        }
    }
}

fn compare_mixed(whole: i128, fraction: f64) -> Ordering {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, and no 64-bit integer reaches the ends"
    )]
    let truncated = fraction.trunc() as i128;
    whole
        .cmp(&truncated)
        .then_with(|| 0.0_f64.total_cmp(&(fraction.fract() + 0.0)))
}

impl Predicate {
    /// Whether all tests hold for this alert. Allocates nothing.
    pub(super) fn holds(&self, alert: &Alert) -> bool {
        let value = alert.field(&self.field);
        self.tests.iter().all(|test| test.holds(value))
    }

    /// The result of each test, with the operator as written.
    pub(super) fn explain<'a>(&'a self, alert: &Alert) -> impl Iterator<Item = (bool, &'a str)> {
        let value = alert.field(&self.field).cloned();
        self.tests
            .iter()
            .map(move |test| (test.holds(value.as_ref()), test.asked.as_str()))
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        if let Operand::Exists(wanted) = self.operand {
            return value.is_some() == wanted;
        }
        let wanted = Some(!self.negative);
        match value {
            None => false,
            Some(Value::List(values)) if self.negative => {
                !values.is_empty() && values.iter().all(|value| self.operand.is_true_of(value) == wanted)
            }
            Some(Value::List(values)) => values.iter().any(|value| self.operand.is_true_of(value) == wanted),
            Some(value) => self.operand.is_true_of(value) == wanted,
        }
    }
}

impl Operand {
    /// Whether the operand matches one value; `None` if undecidable.
    fn is_true_of(&self, value: &Value) -> Option<bool> {
        match self {
            Self::Exists(_) => None,
            Self::OneOf(literals) => any(literals.iter().filter_map(|literal| literal.equals(value))),
            Self::Order(orders, number) => Some(orders.contains(&Number::of(value)?.compare(*number))),
            Self::Network(networks) => {
                let address = value
                    .as_str()
                    .filter(|_| !value.is_cut())?
                    .parse::<IpAddr>()
                    .ok()?
                    .to_canonical();
                Some(networks.iter().any(|network| network.contains(&address)))
            }
            _ => {
                let text = value.as_str()?;
                if value.is_cut() {
                    self.is_true_of_cut(known(text))
                } else {
                    Some(self.is_true_of_text(text))
                }
            }
        }
    }

    fn is_true_of_text(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix.as_str())),
            Self::Suffix(suffixes) => suffixes.iter().any(|suffix| text.ends_with(suffix.as_str())),
            Self::Part(parts) => parts.iter().any(|part| text.contains(part.as_str())),
            Self::Glob(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
            Self::Regex(expressions) => expressions.iter().any(|regex| regex.is_match(text)),
            Self::Exists(_) | Self::OneOf(_) | Self::Network(_) | Self::Order(..) => false,
        }
    }

    /// Whether the operand matches a text of which only the beginning is known.
    fn is_true_of_cut(&self, known: &str) -> Option<bool> {
        match self {
            Self::Prefix(prefixes) => all_known(prefixes.iter().map(|prefix| {
                if known.len() >= prefix.len() || !prefix.starts_with(known) {
                    Some(known.starts_with(prefix.as_str()))
                } else {
                    None
                }
            })),
            Self::Part(parts) => all_known(parts.iter().map(|part| known.contains(part.as_str()).then_some(true))),
            Self::Glob(patterns) => all_known(patterns.iter().map(|pattern| pattern.is_match_of_cut(known))),
            Self::Regex(expressions) => all_known(expressions.iter().map(|regex| is_regex_match_of_cut(regex, known))),
            Self::Suffix(_) | Self::Exists(_) | Self::OneOf(_) | Self::Network(_) | Self::Order(..) => None,
        }
    }
}

impl Literal {
    /// Whether the value equals the literal; `None` if their types differ or the lost part of the text decides.
    fn equals(&self, value: &Value) -> Option<bool> {
        match (self, value) {
            (Self::Boolean(literal), Value::Bool(truth)) => Some(literal == truth),
            (Self::Number(literal), Value::Integer(_) | Value::Float(_)) => {
                Some(Number::of(value)?.compare(*literal) == Ordering::Equal)
            }
            // The whole text was longer than its known beginning, so it differs from every literal up to that length.
            (Self::Text(literal), Value::String(text)) if value.is_cut() => {
                let known = known(text);
                (literal.len() <= known.len() || !literal.starts_with(known)).then_some(false)
            }
            (Self::Text(literal), Value::String(text)) => Some(**literal == **text),
            _ => None,
        }
    }
}

/// The known beginning of a text that falcosidekick cut, without the mark and without half a character.
fn known(text: &str) -> &str {
    text.strip_suffix("[...]").unwrap_or(text).trim_end_matches('\u{fffd}')
}

/// Whether any answer is true; `None` when there are no answers.
fn any(answers: impl Iterator<Item = bool>) -> Option<bool> {
    answers.fold(None, |sum, answer| Some(sum.unwrap_or(false) || answer))
}

/// Whether any answer is true; `None` when none is true and one is undecidable.
fn all_known(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut sum = Some(false);
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => sum = None,
        }
    }
    sum
}

#[cfg(test)]
mod tests;
