//! Warnings about matches that are allowed but probably wrong. Step of the flow: match (loading playbooks).

pub(super) use self::attacker::{evasions, loopholes};
pub(super) use self::evidence::evidence;
use super::doc::{MatchDoc, PredicateDoc};
use super::pattern::is_glob;
use crate::alert::{ShippedRule, Source, falco_type, shipped_rule, shipped_rules};
use crate::class::ActionClass;
use crate::document::{Findings, Path, Problem, closest, listed};

mod attacker;
mod evidence;

/// Warns about rules, sources and fields that no alert has. An exception without rules of its own is checked with those
/// of the match.
pub(super) fn matching(
    doc: &MatchDoc,
    rules_of_match: Option<&[String]>,
    extra_fields: &[String],
    path: &Path,
    findings: &mut Findings<'_>,
) {
    let own = doc.rules.as_deref();
    for (index, name) in own
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter(|(_, name)| !is_glob(name))
    {
        rule(name, doc, &path.key("rules").index(index), findings);
    }
    for (index, name) in doc.sources.iter().flatten().enumerate() {
        source(name, &path.key("sources").index(index), findings);
    }
    let named = own
        .or(rules_of_match)
        .unwrap_or_default()
        .iter()
        .filter(|name| !is_glob(name));
    let shipped: Vec<&ShippedRule> = named.filter_map(|name| shipped_rule(name)).collect();
    for (index, predicate) in doc.fields.iter().flatten().enumerate() {
        if !extra_fields.contains(&predicate.field) && !asks_for_absence(predicate) {
            field(
                &predicate.field,
                &shipped,
                &path.key("fields").index(index).key("field"),
                findings,
            );
        }
    }
}

/// Warns about rules of the audit log whose alerts do not show how their request ended, in a playbook that contains or
/// destroys.
pub(super) fn audited(
    doc: &MatchDoc,
    class: ActionClass,
    extra_fields: &[String],
    path: &Path,
    findings: &mut Findings<'_>,
) {
    if class < ActionClass::Contain {
        return;
    }
    for (index, name) in doc.rules.iter().flatten().enumerate() {
        let Some(shipped) = shipped_rule(name).filter(|shipped| shipped.source.is_k8s_audit()) else {
            continue;
        };
        let carries = |field: &str| shipped.carries(field) || extra_fields.iter().any(|extra| extra == field);
        let message = if !carries("ka.response.code") {
            format!(
                "alerts of this rule do not show whether the request succeeded (`ka.response.code`), so {class} is refused"
            )
        } else if !carries("ka.uri") && !STREAMS.contains(&name.as_str()) {
            "alerts of this rule do not show a dry run (`ka.uri`), so it is taken for a request that was carried out"
                .to_owned()
        } else {
            continue;
        };
        let help = "let Falco append `ka.response.code` and `ka.uri` to alerts of k8s_audit (`append_output`), and name \
                    them in `extraFields`";
        findings.warn(&path.key("rules").index(index), Problem::new(message).help(help));
    }
}

/// Falco's rules about streams, which can't be dry runs.
const STREAMS: [&str; 2] = ["Attach/Exec Pod", "port-forward"];

fn asks_for_absence(predicate: &PredicateDoc) -> bool {
    predicate.exists == Some(false)
}

fn rule(name: &str, doc: &MatchDoc, path: &Path, findings: &mut Findings<'_>) {
    let Some(shipped) = shipped_rule(name) else {
        // A rule of the operator's own is fine; only a name close to one of Falco's is suspicious.
        if let Some(meant) = closest(name, shipped_rules().map(|shipped| shipped.rule.as_str())) {
            let problem = Problem::new(format!("Falco ships no rule `{}`", name.escape_debug()));
            findings.warn(path, problem.help(format!("did you mean `{meant}`?")));
        }
        return;
    };
    if let Some(least) = doc.min_priority.filter(|least| shipped.priority < *least) {
        let message = format!(
            "Falco ships this rule with the priority {}, which is less than {least}",
            shipped.priority
        );
        findings.warn(path, Problem::new(message).help("lower minPriority, or leave it out"));
    }
    if let Some(sources) = doc
        .sources
        .as_ref()
        .filter(|sources| !sources.iter().any(|name| Source::new(name) == shipped.source))
    {
        let message = format!(
            "Falco ships this rule for the source {}, not for {}",
            shipped.source,
            listed(sources.iter().map(String::as_str))
        );
        findings.warn(path, Problem::new(message));
    }
}

fn source(name: &str, path: &Path, findings: &mut Findings<'_>) {
    let source = Source::new(name);
    if source.is_syscall() || source.is_k8s_audit() || source.is_internal() {
        return;
    }
    let problem = match closest(name, ["syscall", "k8s_audit"]) {
        Some(meant) => Problem::new(format!("no alert comes from the source `{}`", name.escape_debug()))
            .help(format!("did you mean `{meant}`?")),
        None => Problem::new(format!(
            "alerts of the source `{}` never name a Kubernetes object, so each is refused",
            name.escape_debug()
        ))
        .help("the sources syscall and k8s_audit do"),
    };
    findings.warn(path, problem);
}

fn field(name: &str, shipped: &[&ShippedRule], path: &Path, findings: &mut Findings<'_>) {
    if falco_type(name).is_none() {
        let known = shipped_rules().flat_map(|rule| rule.output_fields.iter().map(String::as_str));
        let help = match closest(name, known.chain(ShippedRule::APPENDED)) {
            Some(meant) => format!("did you mean `{meant}`? A field that your Falco adds belongs in `extraFields`"),
            None => "name it in `extraFields` if your Falco adds it".to_owned(),
        };
        findings.warn(
            path,
            Problem::new(format!("Falco has no field `{}`", name.escape_debug())).help(help),
        );
        return;
    }
    let without: Vec<&str> = shipped
        .iter()
        .filter(|rule| !rule.carries(name))
        .map(|rule| rule.rule.as_str())
        .collect();
    if !without.is_empty() {
        let message = format!(
            "alerts of {} do not carry `{}`, so this never holds for them",
            listed(without),
            name.escape_debug()
        );
        let help = "let Falco append it (`append_output`) and name it in `extraFields`, or ask for another field";
        findings.warn(path, Problem::new(message).help(help));
    }
}
