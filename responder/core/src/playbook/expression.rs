//! `when`: CEL expressions over the live objects and the alert. Step of the flow: decide.
//!
//! cel has neither a type checker nor a cost limit. Loading therefore checks variables, functions and patterns, which
//! cel would only check when it evaluates, bounds the length of an expression and its loops, and makes it count its steps.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, IdedExpr, ParseErrors, Value};
use regex::Regex;
use serde::Serialize;

use crate::alert::Alert;
use crate::document::Problem;
use crate::owner::{Controller, Owner};
use crate::snapshot::{Part, Snapshot};

mod inspect;
mod meter;
mod metered;
mod variable;

use meter::{MOST_STEPS, Meter};
use variable::NAMESPACE;
pub(super) use variable::Variable;

/// A compiled expression.
pub(super) struct Expression {
    source: String,
    /// Counts its steps.
    tree: IdedExpr,
    variables: Vec<Variable>,
    /// Every pattern of `matches`, compiled once: cel's own `matches` compiles its pattern on each call.
    patterns: Arc<HashMap<String, Regex>>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// In bytes. A longer expression is a program; `fields` and selectors say the same in less.
const MAX_LENGTH: usize = 1000;
/// Levels of brackets. cel's parser takes up to 150 KiB of stack for each in a debug build, and a thread has 2 MiB: at
/// cel's own bound of 96 the stack overflows and the process aborts.
const MAX_NESTING: u16 = 8;

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Expression {
    /// Compiles an expression, or returns all problems that can be found without evaluating it.
    pub(super) fn compile(source: &str) -> Result<Self, Vec<Problem>> {
        if source.len() > MAX_LENGTH {
            return Err(vec![Problem::new(format!(
                "an expression has at most {MAX_LENGTH} bytes"
            ))]);
        }
        let (tree, places) = STANDARD
            .parser()
            .max_recursion_depth(MAX_NESTING)
            .parse_with_source_info(source)
            .map_err(|errors| vec![syntax(&errors)])?;
        let inspected = inspect::inspect(&tree, &places);
        if !inspected.problems.is_empty() {
            return Err(inspected.problems);
        }
        Ok(Self {
            source: source.to_owned(),
            tree: metered::metered(tree),
            variables: inspected.variables,
            patterns: Arc::new(inspected.patterns),
        })
    }

    /// The expression as written.
    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the expression reads the variable.
    pub(super) fn reads(&self, variable: Variable) -> bool {
        self.variables.contains(&variable)
    }

    /// Evaluates the expression. An error is one sentence for the trace, with untrusted text escaped.
    pub(super) fn evaluate(&self, alert: &Alert, snapshot: &Snapshot) -> Result<bool, String> {
        let meter = Meter::new();
        let result = self.counted(alert, snapshot, &meter);
        if meter.is_empty() {
            return Err(format!("it takes more than {MOST_STEPS} steps for these objects"));
        }
        result
    }

    fn counted(&self, alert: &Alert, snapshot: &Snapshot, meter: &Meter) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| match patterns.get(&*pattern) {
            Some(regex) => Ok(regex.is_match(&text)),
            None => Err(ExecutionError::function_error(
                "matches",
                "its pattern was not in the expression",
            )),
        };
        context
            .add_function("matches", matches)
            .map_err(|error| error.to_string())?;
        meter.add_to(&mut context)?;
        for variable in &self.variables {
            context.add_variable_from_value(variable.as_str(), value(*variable, alert, snapshot)?);
        }
        match Value::resolve_val(&self.tree, &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(truth) => Ok(*truth.inner()),
                None => Err(format!("its type is {}, not bool", value.get_type().name())),
            },
            Err(error) => Err(error
                .to_string()
                .chars()
                .take(200)
                .flat_map(char::escape_debug)
                .collect()),
        }
    }
}

fn syntax(errors: &ParseErrors) -> Problem {
    let first = errors
        .errors
        .first()
        .map(|error| error.msg.as_str())
        .unwrap_or_default();
    let message: String = first
        .chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if message.contains("recursion") {
        return Problem::new(format!("brackets are nested more than {MAX_NESTING} deep"));
    }
    let problem = Problem::new(format!("this is no CEL expression: {message}"));
    if message.ends_with("reserved identifier: namespace") {
        problem.help(format!("the namespace object is `{NAMESPACE}`"))
    } else {
        problem
    }
}

fn value(variable: Variable, alert: &Alert, snapshot: &Snapshot) -> Result<Value, String> {
    match variable {
        Variable::Pod => object(&snapshot.pod, "the pod", &["hostNetwork", "hostPID", "hostIPC"]),
        Variable::Node => object(&snapshot.node, "the node", &["unschedulable"]),
        Variable::Namespace => object(&snapshot.namespace, "the namespace", &[]),
        Variable::Alert => json(alert).map(convert),
        Variable::Owner => {
            let owner = part(&snapshot.owners, "the owner")?
                .topmost()
                .ok_or("the pod has no known owner")?;
            owner_value(owner).map(convert)
        }
    }
}

/// A controller as JSON: kind, namespace, name and uid, then what is known of it.
fn owner_value(owner: &Controller) -> Result<serde_json::Value, String> {
    let (mut value, replicas, labels, annotations) = match owner {
        Controller::Known(owner) => {
            let Owner {
                object,
                replicas,
                selector: _,
                runs_falco: _,
                labels,
                annotations,
            } = owner;
            (json(object)?, *replicas, labels, annotations)
        }
        Controller::Custom(owner) => {
            // With its group: no kind of others is taken for one of Kubernetes' own.
            let named = serde_json::json!({
                "kind": owner.kind.to_string(), "namespace": owner.namespace, "name": owner.name, "uid": owner.uid,
            });
            (named, owner.replicas.clone().ok(), &owner.labels, &owner.annotations)
        }
    };
    if let Some(map) = value.as_object_mut() {
        map.extend(replicas.map(|replicas| ("replicas".to_owned(), replicas.into())));
        map.insert("labels".to_owned(), json(labels)?);
        let mut annotations = json(annotations)?;
        cut_annotations(&mut annotations);
        map.insert("annotations".to_owned(), annotations);
    }
    Ok(value)
}

fn part<'a, T>(part: &'a Part<T>, what: &str) -> Result<&'a T, String> {
    part.found().ok_or_else(|| format!("{what} is not there"))
}

/// The bytes that an expression sees of the value of an annotation. Keys and the values of labels are short by Kubernetes'
/// rules; all annotations of an object have 256 KiB.
const MAX_ANNOTATION: usize = 1024;

/// A live object as a CEL value. The API server omits false switches and empty maps; labels, annotations and the given
/// switches are filled in, so `pod.spec.hostNetwork == false` is true for a pod without the key.
fn object<T: Serialize>(found: &Part<T>, what: &str, switches: &[&str]) -> Result<Value, String> {
    let mut value = json(part(found, what)?)?;
    if let Some(metadata) = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        for map in ["labels", "annotations"] {
            metadata.entry(map).or_insert_with(|| serde_json::json!({}));
        }
        metadata.get_mut("annotations").map(cut_annotations);
    }
    if let Some(spec) = value.get_mut("spec").and_then(serde_json::Value::as_object_mut) {
        for switch in switches {
            spec.entry(*switch).or_insert(serde_json::Value::Bool(false));
        }
    }
    Ok(convert(value))
}

fn cut_annotations(annotations: &mut serde_json::Value) {
    for value in annotations
        .as_object_mut()
        .into_iter()
        .flat_map(serde_json::Map::values_mut)
    {
        if let serde_json::Value::String(text) = value {
            text.truncate(text.floor_char_boundary(MAX_ANNOTATION));
        }
    }
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// Converts JSON to CEL. Whole numbers become `int` if they fit, the type of CEL's integer literals.
fn convert(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(signed), _) => Value::Int(signed),
            (None, Some(unsigned)) => Value::UInt(unsigned),
            (None, None) => number.as_f64().map_or(Value::Null, Value::Float),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(values) => Value::List(Arc::new(values.into_iter().map(convert).collect())),
        serde_json::Value::Object(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (Key::String(Arc::new(key)), convert(value)));
            Value::Map(Map {
                map: Arc::new(entries.collect()),
            })
        }
    }
}

#[cfg(test)]
mod tests;
