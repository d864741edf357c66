//! Finds the parts of an expression that would fail or run long. Step of the flow: match (loading playbooks).

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators};
use regex::Regex;

use super::metered::{TYPES, appends};
use super::variable::Variable;
use crate::document::{Problem, did_you_mean, listed};
use crate::playbook::pattern::compile_regex;

/// Loops within loops: two over ten containers with ten mounts each run a hundred rounds; five took 93 ms.
const MAX_NESTED_LOOPS: usize = 2;

/// Loops of an expression, also one after the other: each copies the items that it goes over.
const MAX_LOOPS: usize = 4;

/// Bytes of an expression that a problem quotes.
const MAX_QUOTE: usize = 60;

/// Nested operators and calls. Evaluation recurses with them, and 100 levels overflow a thread's 2 MiB of stack in a
/// debug build. `&&` and `||` are balanced, so chains of them do not count.
const MAX_DEPTH: usize = 32;

/// The functions of cel's standard library without its features `regex` and `chrono`, and our own `matches`.
pub(super) const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "dyn",
    "type",
    "hasValue",
    "value",
    "or",
    "orValue",
    "optMap",
    "optFlatMap",
    "of",
    "ofNonZeroValue",
    "none",
];

/// The variables, patterns and problems of an expression.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    pub(super) variables: Vec<Variable>,
    pub(super) patterns: HashMap<String, Regex>,
    pub(super) problems: Vec<Problem>,
}

pub(super) fn inspect(expression: &IdedExpr, source: &SourceInfo) -> Inspected {
    let mut inspector = Inspector {
        source,
        found: Inspected::default(),
        bound: Vec::new(),
        results: Vec::new(),
        loops: 0,
        depth: 0,
    };
    inspector.walk(expression);
    inspector.found
}

struct Inspector<'e> {
    source: &'e SourceInfo,
    found: Inspected,
    /// The variables of the enclosing loops.
    bound: Vec<&'e str>,
    /// The names of the results of the enclosing loops.
    results: Vec<&'e str>,
    /// The loops so far.
    loops: usize,
    depth: usize,
}

impl<'e> Inspector<'e> {
    fn problem(&mut self, problem: Problem) {
        if !self.found.problems.contains(&problem) {
            self.found.problems.push(problem);
        }
    }

    fn walk(&mut self, expression: &'e IdedExpr) {
        if self.depth > MAX_DEPTH {
            let message = format!("operators and calls are nested more than {MAX_DEPTH} deep");
            self.problem(self.at(expression.id, &message));
            return;
        }
        self.depth += 1;
        self.visit(expression);
        self.depth -= 1;
    }

    fn visit(&mut self, expression: &'e IdedExpr) {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => self.walk(&select.operand),
            Expr::Call(call) => self.call(expression.id, call),
            Expr::List(list) => list.elements.iter().for_each(|element| self.walk(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(structure) => {
                self.problem(Problem::new(format!(
                    "there is no type `{}`",
                    structure.type_name.escape_debug()
                )));
            }
            Expr::Comprehension(each) => self.comprehension(expression.id, each),
        }
    }

    fn comprehension(&mut self, id: u64, each: &'e ComprehensionExpr) {
        self.walk(&each.iter_range);
        // optMap() only gives its value a name.
        let is_loop = !matches!(&each.iter_range.expr, Expr::List(list) if list.elements.is_empty());
        let outer = self.bound.len();
        if is_loop {
            self.loops += 1;
            self.results.push(&each.accu_var);
            let advice = "say it with `fields`, a selector, or fewer of all(), exists(), map() and filter()";
            if self.results.len() > MAX_NESTED_LOOPS {
                let problem = self.at(id, &format!("loops are nested more than {MAX_NESTED_LOOPS} deep"));
                self.problem(problem.help(advice));
            } else if self.loops == MAX_LOOPS + 1 {
                let problem = self.at(id, &format!("an expression has at most {MAX_LOOPS} loops"));
                self.problem(problem.help(advice));
            }
        }
        self.bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
        self.bound.extend(each.iter_var2.as_deref());
        for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
            self.walk(part);
        }
        self.bound.truncate(outer);
        if is_loop {
            self.results.pop();
        }
    }

    /// A problem that quotes the expression from this part on. The place of a call is its bracket: the name before it belongs
    /// to it.
    fn at(&self, id: u64, message: &str) -> Problem {
        let source = self.source.source.as_str();
        let place = self
            .source
            .offset_for(id)
            .and_then(|(start, _)| usize::try_from(start).ok());
        let Some(before) = place.and_then(|place| source.get(..place)) else {
            return Problem::new(message);
        };
        let named = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        let from = &source[named.len()..];
        let quote = &from[..from.floor_char_boundary(MAX_QUOTE)];
        let more = if quote.len() < from.len() { "…" } else { "" };
        Problem::new(format!("{message}, at `{}{more}`", quote.escape_debug()))
    }

    fn entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key);
                self.walk(&entry.value);
            }
        }
    }

    fn identifier(&mut self, name: &'e str) {
        if self.bound.contains(&name) || name.starts_with('@') || TYPES.contains(&name) {
            return;
        }
        match Variable::ALL.into_iter().find(|variable| variable.as_str() == name) {
            Some(variable) if !self.found.variables.contains(&variable) => self.found.variables.push(variable),
            Some(_) => {}
            None => {
                let names = || Variable::ALL.into_iter().map(Variable::as_str);
                let help = did_you_mean(name, names()).unwrap_or_else(|| format!("it can read {}", listed(names())));
                self.problem(Problem::new(format!("there is no variable `{}`", name.escape_debug())).help(help));
            }
        }
    }

    fn call(&mut self, id: u64, call: &'e CallExpr) {
        let name = call.func_name.as_str();
        if name == operators::ADD && self.results.last().is_some_and(|result| !appends(call, result)) {
            let problem = self.at(id, "`+` in a loop can make a text or a list grow with every round");
            self.problem(problem.help("compare the parts one by one, or add outside of the loop"));
        }
        let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_operator && !FUNCTIONS.contains(&name) {
            let help = did_you_mean(name, FUNCTIONS.iter().copied());
            self.problem(Problem::new(format!("there is no function `{}`", name.escape_debug())).maybe_help(help));
        }
        if name == "matches" {
            self.pattern(call.args.last());
        }
        if let Some(target) = &call.target {
            self.walk(target);
        }
        call.args.iter().for_each(|argument| self.walk(argument));
    }

    /// A pattern must be a literal: only then it is compiled once, and an attacker's text is never compiled as a
    /// pattern.
    fn pattern(&mut self, pattern: Option<&IdedExpr>) {
        let Some(Expr::Literal(LiteralValue::String(text))) = pattern.map(|pattern| &pattern.expr) else {
            self.problem(Problem::new("the pattern of `matches` must be written as text"));
            return;
        };
        match compile_regex(text.inner()) {
            Ok(regex) => drop(self.found.patterns.insert(text.inner().to_owned(), regex)),
            Err(problem) => self.problem(problem),
        }
    }
}
