//! Compiles predicates, typed by the field's name. Step of the flow: match (loading playbooks).

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Literal, Number, Operand, Predicate, Test};
use crate::alert::{FieldType, falco_type};
use crate::document::{Findings, Path, Problem};
use crate::playbook::doc::{OneOrMany, PredicateDoc, ScalarDoc};
use crate::playbook::pattern::{Pattern, compile_regex};

/// Compiles a predicate and reports its problems below `path`.
pub(in crate::playbook) fn compile(doc: &PredicateDoc, path: &Path, findings: &mut Findings<'_>) -> Predicate {
    let mut compiler = Compiler {
        field: &doc.field,
        kind: falco_type(&doc.field),
        path,
        findings,
        tests: Vec::new(),
        failed: false,
    };
    compiler.equality("equals", doc.equals.as_ref().map(std::slice::from_ref), false);
    compiler.equality("notEquals", doc.not_equals.as_ref().map(std::slice::from_ref), true);
    compiler.equality("in", doc.r#in.as_deref(), false);
    compiler.equality("notIn", doc.not_in.as_deref(), true);
    let text = |text: &str| {
        if text.is_empty() {
            Err(Problem::new("an empty text is in every text"))
        } else {
            Ok(text.to_owned())
        }
    };
    compiler.text("startsWith", doc.starts_with.as_ref(), false, text, Operand::Prefix);
    compiler.text("endsWith", doc.ends_with.as_ref(), false, text, Operand::Suffix);
    compiler.text("contains", doc.contains.as_ref(), false, text, Operand::Part);
    compiler.text("glob", doc.glob.as_ref(), false, Pattern::compile, Operand::Glob);
    compiler.text("notGlob", doc.not_glob.as_ref(), true, Pattern::compile, Operand::Glob);
    compiler.text("matches", doc.matches.as_ref(), false, compile_regex, Operand::Regex);
    compiler.network("inCidr", doc.in_cidr.as_ref(), false);
    compiler.network("notInCidr", doc.not_in_cidr.as_ref(), true);
    compiler.order("lt", doc.lt.as_ref(), &[Ordering::Less]);
    compiler.order("le", doc.le.as_ref(), &[Ordering::Less, Ordering::Equal]);
    compiler.order("gt", doc.gt.as_ref(), &[Ordering::Greater]);
    compiler.order("ge", doc.ge.as_ref(), &[Ordering::Greater, Ordering::Equal]);
    if let Some(exists) = doc.exists {
        compiler.push(format!("exists {exists}"), Operand::Exists(exists), false);
    }
    let Compiler {
        tests,
        findings,
        failed,
        ..
    } = compiler;
    if doc.field.trim() != doc.field || doc.field.chars().any(char::is_control) {
        findings.error(&path.key("field"), "a field's name has no blanks at its ends");
    }
    if tests.is_empty() && !failed {
        let problem = Problem::new(format!("nothing is asked of `{}`", doc.field.escape_debug()));
        findings.absence(
            path,
            problem.help("add an operator: `exists: true`, `equals`, `in`, `startsWith`, `glob`, …"),
        );
    }
    Predicate {
        field: doc.field.as_str().into(),
        tests,
    }
}

struct Compiler<'a, 'f> {
    field: &'a str,
    kind: Option<FieldType>,
    path: &'a Path,
    findings: &'a mut Findings<'f>,
    tests: Vec<Test>,
    /// Whether any operator failed to compile.
    failed: bool,
}

impl Compiler<'_, '_> {
    fn push(&mut self, asked: String, operand: Operand, negative: bool) {
        self.tests.push(Test {
            asked,
            operand,
            negative,
        });
    }

    fn error(&mut self, operator: &str, index: Option<usize>, problem: Problem) {
        self.failed = true;
        let path = self.path.key(operator);
        let path = index.map_or_else(|| path.clone(), |index| path.index(index));
        self.findings.error(&path, problem);
    }

    fn equality(&mut self, operator: &str, docs: Option<&[ScalarDoc]>, negative: bool) {
        let Some(docs) = docs else { return };
        let is_list = matches!(operator, "in" | "notIn");
        let mut literals = Vec::with_capacity(docs.len());
        for (index, doc) in docs.iter().enumerate() {
            if let Err(problem) = self.check_literal(doc) {
                self.error(operator, is_list.then_some(index), problem);
            }
            literals.push(literal(doc));
        }
        let shown: Vec<String> = docs.iter().map(shown).collect();
        let asked = if is_list {
            format!("{operator} [{}]", shown.join(", "))
        } else {
            format!("{operator} {}", shown.join(", "))
        };
        self.push(asked, Operand::OneOf(literals), negative);
    }

    /// Whether the field's type allows this value at all.
    fn check_literal(&self, doc: &ScalarDoc) -> Result<(), Problem> {
        let Some(kind) = self.kind else { return Ok(()) };
        let whole = matches!(doc, ScalarDoc::Unsigned(_) | ScalarDoc::Signed(_));
        let holds = match doc {
            ScalarDoc::Text(_) => kind.is_text(),
            ScalarDoc::Boolean(_) => kind == FieldType::Boolean,
            ScalarDoc::Unsigned(_) | ScalarDoc::Signed(_) => kind.is_number(),
            ScalarDoc::Float(_) => kind == FieldType::Float,
        };
        if !holds {
            let problem = Problem::new(format!(
                "`{}` is {kind}, and is compared with {}",
                self.field,
                noun(doc)
            ));
            return Err(match doc {
                ScalarDoc::Text(text) if kind.is_number() && text.parse::<f64>().is_ok() => {
                    problem.help(format!("write {text}, without quotes"))
                }
                ScalarDoc::Text(text) if kind == FieldType::Boolean && matches!(&**text, "true" | "false") => {
                    problem.help(format!("write {text}, without quotes"))
                }
                doc if kind.is_text() => problem.help(format!("put it in quotes: \"{}\"", shown(doc))),
                _ => problem,
            });
        }
        if kind == FieldType::Port && whole && !matches!(doc, ScalarDoc::Unsigned(0..=65535)) {
            return Err(Problem::new("a port is between 0 and 65535"));
        }
        if kind.is_address() && matches!(doc, ScalarDoc::Text(text) if text.parse::<IpNet>().is_ok()) {
            return Err(
                Problem::new(format!("{} is a network, and `{}` is {kind}", shown(doc), self.field))
                    .help("use `inCidr` or `notInCidr`"),
            );
        }
        Ok(())
    }

    fn text<T>(
        &mut self,
        operator: &str,
        texts: Option<&OneOrMany>,
        negative: bool,
        compile: impl Fn(&str) -> Result<T, Problem>,
        operand: impl Fn(Vec<T>) -> Operand,
    ) {
        let Some(texts) = texts else { return };
        if let Some(kind) = self.kind.filter(|kind| !kind.is_text()) {
            let problem = Problem::new(format!("`{}` is {kind}; `{operator}` reads text", self.field));
            let help = if kind.is_number() {
                "use equals, in, lt, le, gt or ge"
            } else {
                "use equals"
            };
            self.error(operator, None, problem.help(help));
            return;
        }
        if let Some(compiled) = self.each(operator, texts, compile) {
            self.push(format!("{operator} {}", listed(texts)), operand(compiled), negative);
        }
    }

    /// Compiles each text; `None` when any fails.
    fn each<T>(
        &mut self,
        operator: &str,
        texts: &OneOrMany,
        compile: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        let is_list = matches!(texts, OneOrMany::Many(_));
        let mut compiled = Vec::new();
        let mut whole = true;
        for (index, text) in texts.as_slice().iter().enumerate() {
            match compile(text) {
                Ok(one) => compiled.push(one),
                Err(problem) => {
                    self.error(operator, is_list.then_some(index), problem);
                    whole = false;
                }
            }
        }
        whole.then_some(compiled)
    }

    fn network(&mut self, operator: &str, texts: Option<&OneOrMany>, negative: bool) {
        let Some(texts) = texts else { return };
        if let Some(kind) = self.kind.filter(|kind| !kind.is_address()) {
            let problem = Problem::new(format!("`{}` is {kind}, not an IP address", self.field));
            self.error(
                operator,
                None,
                problem.help("fields with addresses are fd.sip, fd.cip, fd.rip and fd.lip, among others"),
            );
            return;
        }
        if let Some(networks) = self.each(operator, texts, network) {
            self.push(
                format!("{operator} {}", listed(texts)),
                Operand::Network(networks),
                negative,
            );
        }
    }

    fn order(&mut self, operator: &str, doc: Option<&ScalarDoc>, orders: &'static [Ordering]) {
        let Some(doc) = doc else { return };
        if let Some(kind) = self.kind.filter(|kind| !kind.is_number()) {
            self.error(
                operator,
                None,
                Problem::new(format!("`{}` is {kind}; `{operator}` compares numbers", self.field)),
            );
            return;
        }
        match literal(doc) {
            Literal::Number(number) => self.push(
                format!("{operator} {}", shown(doc)),
                Operand::Order(orders, number),
                false,
            ),
            _ => self.error(
                operator,
                None,
                Problem::new(format!(
                    "`{operator}` compares with a number, and this is {}",
                    noun(doc)
                )),
            ),
        }
    }
}

fn network(text: &str) -> Result<IpNet, Problem> {
    if let Ok(network) = text.parse::<IpNet>() {
        let truncated = network.trunc();
        if truncated == network {
            return Ok(network);
        }
        let problem = Problem::new(format!("`{text}` has bits set after its prefix"));
        return Err(problem.help(format!(
            "write {truncated} for the network, or {} for the address",
            IpNet::from(network.addr())
        )));
    }
    let problem = Problem::new(format!("`{}` is no network", text.escape_debug()));
    Err(match text.parse::<IpAddr>() {
        Ok(address) => problem.help(format!("write {} for one address", IpNet::from(address))),
        Err(_) => problem.help("write an address and the length of its prefix, such as 10.0.0.0/8 or \"fd00::/8\""),
    })
}

fn literal(doc: &ScalarDoc) -> Literal {
    match doc {
        ScalarDoc::Boolean(truth) => Literal::Boolean(*truth),
        ScalarDoc::Unsigned(number) => Literal::Number(Number::Whole((*number).into())),
        ScalarDoc::Signed(number) => Literal::Number(Number::Whole((*number).into())),
        ScalarDoc::Float(number) => Literal::Number(Number::Fraction(*number)),
        ScalarDoc::Text(text) => Literal::Text(text.clone()),
    }
}

const fn noun(doc: &ScalarDoc) -> &'static str {
    match doc {
        ScalarDoc::Boolean(_) => "a boolean",
        ScalarDoc::Unsigned(_) | ScalarDoc::Signed(_) => "an integer",
        ScalarDoc::Float(_) => "a float",
        ScalarDoc::Text(_) => "text",
    }
}

fn shown(doc: &ScalarDoc) -> String {
    match doc {
        ScalarDoc::Boolean(truth) => truth.to_string(),
        ScalarDoc::Unsigned(number) => number.to_string(),
        ScalarDoc::Signed(number) => number.to_string(),
        ScalarDoc::Float(number) => number.to_string(),
        ScalarDoc::Text(text) => text.escape_debug().to_string(),
    }
}

fn listed(texts: &OneOrMany) -> String {
    let shown: Vec<String> = texts
        .as_slice()
        .iter()
        .map(|text| text.escape_debug().to_string())
        .collect();
    if shown.len() == 1 {
        shown.concat()
    } else {
        format!("[{}]", shown.join(", "))
    }
}
