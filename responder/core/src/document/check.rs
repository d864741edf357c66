//! Checks a document against the schema of its types and reports every unknown key, missing key and wrong type at its
//! place.
//!
//! Serde stops at the first error and has no places. This check walks the tree along the schema that schemars makes
//! from the types, so there is one definition. It leaves out values that can't be used, so the meaning of the rest is
//! checked in the same run. The remaining value deserialises; if it does not, the caller reports an error and does not
//! load it.

use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::diagnose::Problem;
use super::language::Language;
use super::path::Path;
use super::suggest::{closest, did_you_mean, either, listed};
use super::tree::{Content, Node};
use crate::alert::Priority;
use crate::span::Span;

mod expected;

use expected::{Type, is_one_of, limits};

/// A problem, with its range in the file and its path in the document.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: Range<usize>,
    pub(crate) path: Path,
    pub(crate) problem: Problem,
}

/// Checks a document. Unusable values are marked in the tree and left out of the returned value; `None` when the root
/// itself is unusable.
pub(crate) fn check(
    root: &mut Node,
    text: &str,
    schema: &Value,
    language: &Language,
    found: &mut Vec<Found>,
) -> Option<Value> {
    let mut check = Check {
        definitions: schema.get("$defs"),
        language,
        text,
        found,
    };
    let expected = check.resolve(schema);
    check.value(root, expected, &Path::default())
}

struct Check<'a> {
    definitions: Option<&'a Value>,
    language: &'a Language,
    text: &'a str,
    found: &'a mut Vec<Found>,
}

impl<'a> Check<'a> {
    fn resolve(&self, schema: &'a Value) -> Type<'a> {
        let name = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.rsplit('/').next());
        match name.and_then(|name| Some((name, self.definitions?.get(name)?))) {
            Some((name, schema)) => Type { name, schema },
            None => Type { name: "", schema },
        }
    }

    /// Whether a value is of the right kind, ignoring its contents.
    fn fits(&self, content: &Content, expected: Type<'a>) -> bool {
        let alternatives = expected.list("anyOf");
        if matches!(expected.name, "Duration" | "Priority") || expected.words().is_some() {
            matches!(content, Content::Text(_))
        } else if alternatives.is_empty() {
            is_one_of(content, &expected.types())
        } else {
            alternatives
                .iter()
                .any(|schema| self.fits(content, self.resolve(schema)))
        }
    }

    /// The accepted kinds of value, as a noun phrase for messages.
    fn expected(&self, expected: Type<'a>) -> String {
        let alternatives = expected.list("anyOf");
        if alternatives.is_empty() || expected.name == "Priority" {
            return expected.expected();
        }
        let nouns = alternatives
            .iter()
            .map(|schema| self.expected(self.resolve(schema)))
            .filter(|noun| !noun.is_empty());
        nouns.collect::<Vec<_>>().join(" or ")
    }

    fn report(&mut self, at: Range<usize>, path: &Path, problem: impl Into<Problem>) {
        self.found.push(Found {
            at,
            path: path.clone(),
            problem: problem.into(),
        });
    }

    /// The value as JSON, or `None` when it can't be used. Marks the node when it, or a value below it, has a problem.
    fn value(&mut self, node: &mut Node, expected: Type<'a>, path: &Path) -> Option<Value> {
        let before = self.found.len();
        let value = self.content(node, expected, path);
        node.flawed = self.found.len() > before;
        value
    }

    fn content(&mut self, node: &mut Node, expected: Type<'a>, path: &Path) -> Option<Value> {
        if expected.name == "Duration" || expected.name == "Priority" {
            return self.parsed(node, expected, path);
        }
        if let Some(words) = expected.words() {
            return self.word(node, expected, &words, path);
        }
        let alternatives = expected.list("anyOf");
        if !alternatives.is_empty() {
            let types: Vec<Type<'a>> = alternatives.iter().map(|schema| self.resolve(schema)).collect();
            if let Some(chosen) = types.iter().find(|alternative| self.fits(&node.value, **alternative)) {
                return self.content(node, *chosen, path);
            }
            return self.mismatch(node, expected, &self.expected(expected), path);
        }
        let types = expected.types();
        if !types.is_empty() && !is_one_of(&node.value, &types) {
            return self.mismatch(node, expected, &expected.expected(), path);
        }
        match &mut node.value {
            Content::Map(_) => self.map(node, expected, path),
            Content::List(_) => self.list(node, expected, path),
            scalar => {
                let value = json(scalar)?;
                self.bounds(node, expected, &value, path)
            }
        }
    }

    fn mismatch(&mut self, node: &Node, expected: Type<'a>, noun: &str, path: &Path) -> Option<Value> {
        let written = self.text.get(node.at.clone()).unwrap_or_default();
        let types = expected.types();
        let takes = |name: &str| types.contains(&name);
        let help = match &node.value {
            Content::Boolean(_) | Content::Integer(_) | Content::Float(_) if takes("string") => {
                Some(format!("put it in quotes: \"{written}\""))
            }
            Content::Text(text) if takes("boolean") => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "true" => Some("write `true`".to_owned()),
                "no" | "off" | "false" => Some("write `false`".to_owned()),
                _ => None,
            },
            Content::Text(text) if takes("integer") || takes("number") => text
                .parse::<f64>()
                .is_ok()
                .then(|| format!("write it without quotes: {text}")),
            Content::Text(_) | Content::Integer(_) | Content::Boolean(_) | Content::Float(_) if takes("array") => {
                Some(format!("write a list: [{written}]"))
            }
            Content::Map(_) if takes("array") => Some("write a list: begin each entry with `- `".to_owned()),
            _ => None,
        };
        let message = format!("this must be {noun}, and is {}", node.kind());
        let at = first_line(self.text, &node.at);
        self.report(at, path, Problem::new(message).maybe_help(help));
        None
    }

    /// Text with its own syntax: a duration or a priority.
    fn parsed(&mut self, node: &Node, expected: Type<'a>, path: &Path) -> Option<Value> {
        let Some(text) = node.text() else {
            let help = match node.value {
                Content::Integer(seconds) if expected.name == "Duration" => {
                    Some(format!("write the unit: {seconds}s or {seconds}m"))
                }
                _ => None,
            };
            let message = format!("this must be {}, and is {}", expected.expected(), node.kind());
            self.report(
                first_line(self.text, &node.at),
                path,
                Problem::new(message).maybe_help(help),
            );
            return None;
        };
        let problem = match expected.name {
            "Duration" => text.parse::<Span>().err().map(|error| Problem::new(error.to_string())),
            _ => text.parse::<Priority>().err().map(|_| {
                let names = || Priority::ALL.iter().map(|priority| priority.as_str());
                let help = did_you_mean(text, names()).unwrap_or_else(|| format!("write {}", either(names())));
                Problem::new(format!("`{}` is not a priority of Falco", text.escape_debug())).help(help)
            }),
        };
        match problem {
            None => Some(Value::String(text.to_owned())),
            Some(problem) => {
                self.report(node.at.clone(), path, problem);
                None
            }
        }
    }

    fn word(&mut self, node: &Node, expected: Type<'a>, words: &[&str], path: &Path) -> Option<Value> {
        let Some(text) = node.text() else {
            return self.mismatch(node, expected, &expected.expected(), path);
        };
        if words.contains(&text) {
            return Some(Value::String(text.to_owned()));
        }
        let problem = if (self.language.planned_word)(expected.name, text) {
            Problem::new(format!("`{text}` is not in this version"))
                .help(format!("write {}", either(words.iter().copied())))
        } else {
            let message = format!(
                "this must be {}, and is `{}`",
                either(words.iter().copied()),
                text.escape_debug()
            );
            Problem::new(message).maybe_help(did_you_mean(text, words.iter().copied()))
        };
        self.report(node.at.clone(), path, problem);
        None
    }

    fn bounds(&mut self, node: &Node, expected: Type<'a>, value: &Value, path: &Path) -> Option<Value> {
        let problem = match value {
            Value::Number(number) => {
                let (least, most) = limits(expected);
                let number = number.as_f64().unwrap_or_default();
                match (
                    least.filter(|least| number < *least),
                    most.filter(|most| number > *most),
                ) {
                    (None, None) => None,
                    _ => Some(match (least, most) {
                        (Some(least), Some(most)) => format!("this must be between {least} and {most}"),
                        (Some(least), None) => format!("this must be {least} or more"),
                        (None, most) => format!("this must be {} or less", most.unwrap_or_default()),
                    }),
                }
            }
            Value::String(text) => {
                let length = text.chars().count();
                let count = |keyword| {
                    expected
                        .get(keyword)
                        .and_then(Value::as_u64)
                        .and_then(|count| usize::try_from(count).ok())
                };
                if count("minLength").is_some_and(|least| length < least) {
                    Some("this must not be empty".to_owned())
                } else if let Some(most) = count("maxLength").filter(|most| length > *most) {
                    Some(format!("this has {length} characters; at most {most} are allowed"))
                } else if expected.get("format").and_then(Value::as_str) == Some("date-time") {
                    let form = "this must be a time like 2027-01-01T00:00:00Z";
                    text.parse::<jiff::Timestamp>().is_err().then(|| form.to_owned())
                } else if expected.get("format").and_then(Value::as_str) == Some("ip-port") {
                    let form = "this must be an IP address and a port, like 127.0.0.1:2803 or [::1]:2803";
                    text.parse::<std::net::SocketAddr>().is_err().then(|| form.to_owned())
                } else {
                    None
                }
            }
            _ => None,
        };
        match problem {
            None => Some(value.clone()),
            Some(message) => {
                self.report(node.at.clone(), path, message);
                None
            }
        }
    }

    fn list(&mut self, node: &mut Node, expected: Type<'a>, path: &Path) -> Option<Value> {
        let at = first_line(self.text, &node.at);
        let Content::List(nodes) = &mut node.value else {
            return None;
        };
        let least = expected.number("minItems").unwrap_or_default();
        let most = expected.number("maxItems").unwrap_or(f64::INFINITY);
        #[expect(clippy::cast_precision_loss, reason = "a file has at most 50000 values")]
        let length = nodes.len() as f64;
        if length < least {
            self.report(
                at,
                path,
                Problem::new("this list is empty").help("write its entries, or leave the key out"),
            );
            return None;
        }
        if length > most {
            self.report(
                at,
                path,
                format!("this list has {length} entries; at most {most} are allowed"),
            );
            return None;
        }
        let items = expected.get("items").map(|items| self.resolve(items));
        let mut values = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter_mut().enumerate() {
            let value = match items {
                Some(items) => self.value(node, items, &path.index(index)),
                None => json(&node.value),
            };
            node.dropped = value.is_none();
            values.extend(value);
        }
        Some(Value::Array(values))
    }

    fn map(&mut self, node: &mut Node, expected: Type<'a>, path: &Path) -> Option<Value> {
        let at = first_line(self.text, &node.at);
        let Content::Map(entries) = &mut node.value else {
            return None;
        };
        let properties = expected.get("properties").and_then(Value::as_object);
        let mut map = Map::new();
        let mut flawed = Vec::new();
        for entry in entries.iter_mut() {
            let path = path.key(&entry.key);
            let value = if let Some(property) = properties.and_then(|properties| properties.get(&entry.key)) {
                let expected = self.resolve(property);
                if entry.value.value == Content::Null {
                    self.empty(&entry.key, entry.key_at.clone(), expected, &path);
                    entry.value.flawed = true;
                    None
                } else {
                    self.value(&mut entry.value, expected, &path)
                }
            } else {
                match expected.get("additionalProperties") {
                    Some(Value::Bool(false)) | None => {
                        self.unknown(&entry.key, entry.key_at.clone(), expected, &path);
                        entry.value.flawed = true;
                        None
                    }
                    Some(any) => {
                        let any = self.resolve(any);
                        self.value(&mut entry.value, any, &path)
                    }
                }
            };
            match value {
                Some(value) => drop(map.insert(entry.key.clone(), value)),
                None => flawed.push(entry.key.clone()),
            }
        }
        let missing: Vec<&str> = expected
            .list("required")
            .iter()
            .filter_map(Value::as_str)
            .filter(|key| !map.contains_key(*key))
            .collect();
        // A value that is present but wrong has been reported already.
        let absent: Vec<&str> = missing
            .iter()
            .copied()
            .filter(|key| !flawed.iter().any(|flawed| flawed == key))
            .collect();
        if !absent.is_empty() {
            let message = format!(
                "{} {} missing",
                listed(absent.iter().copied()),
                if absent.len() == 1 { "is" } else { "are" }
            );
            self.report(at, path, message);
        }
        missing.is_empty().then_some(Value::Object(map))
    }

    /// Reports a key without a value: read as absent, it would make the match wider than it looks.
    fn empty(&mut self, key: &str, at: Range<usize>, expected: Type<'a>, path: &Path) {
        let object = expected.types().contains(&"object") && expected.list("required").is_empty();
        let help = if object {
            format!("write `{key}: {{}}`, or leave the key out")
        } else {
            "write a value, or leave the key out".to_owned()
        };
        self.report(at, path, Problem::new(format!("`{key}` has no value")).help(help));
    }

    fn unknown(&mut self, key: &str, at: Range<usize>, expected: Type<'a>, path: &Path) {
        let keys = || {
            expected
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|keys| keys.keys().map(String::as_str))
        };
        let problem = (self.language.unknown_key)(expected.name, key)
            .unwrap_or_else(|| Problem::new(format!("unknown key `{}`", key.escape_debug())));
        let problem = if problem.help.is_some() {
            problem
        } else {
            problem.maybe_help(match closest(key, keys()) {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None if keys().next().is_none() => Some("it takes no keys: write `{}`".to_owned()),
                None => Some(format!("known here: {}", listed(keys()))),
            })
        };
        self.report(at, path, problem);
    }
}

fn json(content: &Content) -> Option<Value> {
    Some(match content {
        Content::Null => Value::Null,
        Content::Boolean(truth) => Value::Bool(*truth),
        Content::Integer(integer) => Value::Number(match u64::try_from(*integer) {
            Ok(unsigned) => unsigned.into(),
            Err(_) => i64::try_from(*integer).ok()?.into(),
        }),
        Content::Float(float) => Value::Number(Number::from_f64(*float)?),
        Content::Text(text) => Value::String(text.clone()),
        Content::List(nodes) => nodes
            .iter()
            .map(|node| json(&node.value))
            .collect::<Option<Vec<_>>>()?
            .into(),
        Content::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), json(&entry.value.value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}

/// The range of the first line only: the caret of a block points at its start.
fn first_line(text: &str, at: &Range<usize>) -> Range<usize> {
    let line = text
        .get(at.clone())
        .and_then(|block| block.split(['\n', '\r']).next())
        .unwrap_or_default();
    at.start..at.start + line.trim_end().len()
}
