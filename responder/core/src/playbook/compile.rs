//! Compiles a playbook: from the document to its meaning. Step of the flow: match (loading playbooks).

use std::path::Path as FilePath;
use std::time::Duration;

use jiff::Timestamp;

use super::doc::{ClusterPlaybookDoc, ExceptDoc, LimitsDoc, MatchDoc, PlaybookSpecDoc, StepDoc};
use super::{Exception, Playbook, Rollout, Step, lint};
use crate::action::{ACTIONS, Action, ActionDocs};
use crate::alert::Source;
use crate::class::ActionClass;
use crate::content_hash::ContentHash;
use crate::corroboration::Corroboration;
use crate::document::{Findings, Path, Problem, either, listed};
use crate::limit::{Cooldown, Limits, TargetLimit};
use crate::notify::Notify;
use crate::playbook_name::PlaybookName;
use crate::selector::Selector;
use crate::span::Span;
use crate::target::TargetKind;

mod matching;

/// The time for all requests of a step together, unless the step sets `timeout`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The time that a step has for its request beside what it waits for others.
const LEAST_BESIDE_PATIENCE: Duration = Duration::from_secs(10);
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);

/// Compiles a playbook and reports all problems. The result is only valid if none of them is an error.
pub(super) fn playbook(
    doc: &ClusterPlaybookDoc,
    file: &FilePath,
    now: Timestamp,
    findings: &mut Findings<'_>,
) -> Option<Playbook> {
    let (root, spec) = (Path::default(), Path::default().key("spec"));
    let name = PlaybookName::new(&doc.metadata.name);
    if name.is_none() {
        let problem = Problem::new(format!("`{}` can't be a name", doc.metadata.name.escape_debug()));
        findings.error(
            &root.key("metadata").key("name"),
            problem.help("lower-case letters, digits, `-` and `.`, at most 253"),
        );
    }
    let written = &doc.spec;
    let (alert_match, live_match) = matching::compile(&written.r#match, &spec.key("match"), findings);
    if !written.r#match.reads_alert() {
        absent_alert_part(&written.r#match, &spec.key("match"), findings);
    }
    let steps: Vec<Step> = written
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| compile_step(step, written.target, &spec.key("steps").index(index), findings))
        .collect();
    check_order(&steps, &spec.key("steps"), findings);
    check_ways_on(&steps, &spec.key("steps"), findings);
    check_patience(&steps, written.limits.max_alert_age, &spec.key("steps"), findings);
    let class = steps.iter().map(|step| step.class).max().unwrap_or(ActionClass::Notify);
    check_corroboration(written, &alert_match.sources, class, &spec, findings);
    lint::evidence(written.quarantined, &steps, &spec.key("quarantined"), findings);
    lint::evasions(&written.r#match, &spec.key("match"), findings);
    lint::matching(
        &written.r#match,
        None,
        &written.extra_fields,
        &spec.key("match"),
        findings,
    );
    lint::audited(
        &written.r#match,
        class,
        &written.extra_fields,
        &spec.key("match"),
        findings,
    );
    let except = written.except.iter().enumerate().map(|(index, except)| {
        let path = spec.key("except").index(index);
        let exception = compile_exception(except, &path, now, findings);
        lint::loopholes(&except.r#match, &path, findings);
        lint::matching(
            &except.r#match,
            written.r#match.rules.as_deref(),
            &written.extra_fields,
            &path,
            findings,
        );
        exception
    });
    let except = except.collect();
    let rollout = written.rollout.iter().enumerate().filter_map(|(index, rollout)| {
        let namespaces = Selector::compile(
            &rollout.namespaces,
            &spec.key("rollout").index(index).key("namespaces"),
            findings,
        )?;
        Some(Rollout {
            namespaces,
            mode: rollout.mode,
        })
    });
    let rollout = rollout.collect();
    let notify = written
        .notify
        .iter()
        .map(|notify| Notify {
            to: notify.to.clone(),
            on: notify.on.clone(),
        })
        .collect();
    check_receivers(written, &spec.key("notify"), findings);
    Some(Playbook {
        name: name?,
        hash: ContentHash::of(doc),
        file: Some(file.to_owned()),
        description: written.description.clone(),
        mode: written.mode,
        rollout,
        alert_match,
        live_match,
        except,
        target: written.target,
        corroboration: written.corroboration,
        quarantined: written.quarantined.unwrap_or_default(),
        order: written.order,
        limits: compile_limits(&written.limits, written.target, &spec.key("limits"), findings),
        steps,
        notify,
    })
}

fn absent_alert_part(doc: &MatchDoc, path: &Path, findings: &mut Findings<'_>) {
    let help = "name `rules`, `sources`, `minPriority`, `tags` or `fields`";
    let message = if *doc == MatchDoc::default() {
        "an empty match takes every alert there is"
    } else {
        "no part of this match reads the alert, so it would take every alert there is"
    };
    findings.absence(path, Problem::new(message).help(help));
}

fn compile_exception(doc: &ExceptDoc, path: &Path, now: Timestamp, findings: &mut Findings<'_>) -> Exception {
    let (alert_match, live_match) = matching::compile(&doc.r#match, path, findings);
    if doc.r#match == MatchDoc::default() {
        let problem = Problem::new("this exception asks nothing, so it would except everything");
        findings.absence(path, problem.help("write the parts of a match beside `reason`"));
    }
    if doc.reason.trim().is_empty() {
        findings.error(
            &path.key("reason"),
            Problem::new("an exception needs its reason").help("a ticket, a name, a sentence"),
        );
    }
    if let Some(expired) = doc.expires_at.filter(|expires| *expires <= now) {
        let problem = Problem::new(format!("this exception expired at {expired} and no longer excepts"));
        findings.warn(&path.key("expiresAt"), problem.help("remove it, or set a new time"));
    }
    Exception {
        alert_match,
        live_match,
        reason: doc.reason.clone(),
        expires_at: doc.expires_at,
    }
}

fn compile_limits(doc: &LimitsDoc, target: TargetKind, path: &Path, findings: &mut Findings<'_>) -> Limits {
    if let Some(targets) = doc
        .targets
        .filter(|targets| targets.max.is_none() && targets.percent_of_owner.is_none())
    {
        let problem = Problem::new(format!("how many targets per {}?", targets.per));
        findings.absence(
            &path.key("targets"),
            problem.help("write `max`, `percentOfOwner` or both"),
        );
    }
    let has_percentage = doc.targets.is_some_and(|targets| targets.percent_of_owner.is_some());
    if has_percentage && target != TargetKind::Pod {
        let why = match target {
            TargetKind::Node => "a node has no owner",
            TargetKind::Owner | TargetKind::Pod => "an owner is one target",
        };
        let problem = Problem::new(format!("{why}, so no percentage of its pods can be counted"));
        let path = path.key("targets").key("percentOfOwner");
        findings.warn(&path, problem.help("write a number: `max`"));
    }
    Limits {
        max_alert_age: doc.max_alert_age,
        cooldown: doc.cooldown.map(|cooldown| Cooldown {
            per: cooldown.per,
            length: cooldown.r#for,
        }),
        targets: doc.targets.map(|targets| TargetLimit {
            max: targets.max,
            per: targets.per,
            percent_of_owner: targets.percent_of_owner,
            at_least: targets.at_least,
        }),
    }
}

fn compile_step(doc: &StepDoc, target: TargetKind, path: &Path, findings: &mut Findings<'_>) -> Option<Step> {
    let actions = doc.action.written();
    let name = match actions.as_slice() {
        [one] => *one,
        [] => {
            let help = format!("write {}", either(ActionDocs::NAMES.iter().copied()));
            findings.absence(path, Problem::new("this step has no action").help(help));
            return None;
        }
        [_, second, ..] => {
            let message = format!(
                "a step has exactly one action, and this has {}",
                listed(actions.iter().copied())
            );
            findings.error(
                &path.key(second),
                Problem::new(message).help("begin a step of its own with `- `"),
            );
            return None;
        }
    };
    let otherwise = match &doc.otherwise {
        Some(next) => Some(Box::new(compile_step(next, target, &path.key("otherwise"), findings)?)),
        None => None,
    };
    match doc.action.compile()? {
        Ok(action) => {
            check_target(&*action, target, &path.key(name), findings);
            Some(Step {
                name: doc.name.clone().unwrap_or_else(|| name.to_owned()),
                class: action.class(target),
                timeout: compile_timeout(doc, &*action, path, findings),
                action,
                on_failure: doc.on_failure,
                otherwise,
            })
        }
        Err(problem) => {
            let at = findings.dotted(&path.key(name), &problem.parameter);
            findings.absence(&at, problem.message);
            None
        }
    }
}

/// The time of a step. Where its action waits for others, the default leaves time for the request as well.
fn compile_timeout(doc: &StepDoc, action: &dyn Action, path: &Path, findings: &mut Findings<'_>) -> Duration {
    let patience = action.patience().map_or(Duration::ZERO, crate::span::Span::get);
    let least = patience + LEAST_BESIDE_PATIENCE;
    let Some(timeout) = doc.timeout.map(crate::span::Span::get) else {
        return if patience.is_zero() {
            DEFAULT_TIMEOUT
        } else {
            DEFAULT_TIMEOUT.max(least).min(*TIMEOUTS.end())
        };
    };
    if !TIMEOUTS.contains(&timeout) {
        findings.error(&path.key("timeout"), "the timeout of a step is between 1s and 10m");
    } else if !patience.is_zero() && timeout <= patience {
        let problem = Problem::new("the step's time is over before its `blockedFor`");
        findings.error(
            &path.key("timeout"),
            problem.help("give the step more time, or the eviction less"),
        );
    }
    timeout
}

fn check_target(action: &dyn Action, target: TargetKind, path: &Path, findings: &mut Findings<'_>) {
    if action.targets().contains(&target) {
        return;
    }
    let kinds = either(action.targets().iter().map(|kind| kind.as_str()));
    let takes_pods = action.targets().contains(&TargetKind::Pod);
    let help = match target {
        TargetKind::Owner if takes_pods && action.class(TargetKind::Pod) == ActionClass::Destroy => {
            "write `target: Pod`: the pod goes, and its owner makes a new one. Owners themselves are never deleted"
                .to_owned()
        }
        TargetKind::Node if takes_pods && action.class(TargetKind::Pod) == ActionClass::Destroy => {
            let of_nodes = ACTIONS.iter().filter(|action| action.targets.contains(&target));
            let names = either(of_nodes.map(|action| action.name));
            format!("write `target: Pod` for the pod of the alert, or choose an action on nodes: {names}")
        }
        _ => format!("it acts on {kinds}: write that as `target`, or choose another action"),
    };
    let message = format!("`{}` does not act on the target {target}", action.name());
    findings.error(path, Problem::new(message).help(help));
}

/// Warns about a step after the one that ends the target, since it finds nothing to act on, and refuses one that repeats
/// the end: it was meant for the case that the first is blocked.
fn check_order(steps: &[Step], path: &Path, findings: &mut Findings<'_>) {
    let destroys = |step: &Step| step.class == ActionClass::Destroy;
    let Some(last) = steps.iter().position(destroys) else {
        return;
    };
    let Some(after) = steps.get(last + 1) else { return };
    let (first, second) = (&steps[last].name, &after.name);
    if destroys(after) {
        let problem = Problem::new(format!(
            "`{first}` ends the target, and then `{second}` has nothing to end"
        ));
        let help = format!(
            "write `otherwise: {{{}: {{}}}}` beside `{}`",
            after.action.name(),
            steps[last].action.name()
        );
        findings.error(&path.index(last + 1), problem.help(help));
        return;
    }
    let problem = Problem::new(format!(
        "after `{first}` the target is gone, and `{second}` finds nothing to act on"
    ));
    findings.warn(
        &path.index(last + 1),
        problem.help("put the step that ends the target last"),
    );
}

/// Warns of a step without a way on, where a tenant can block it.
fn check_ways_on(steps: &[Step], path: &Path, findings: &mut Findings<'_>) {
    for (index, step) in steps.iter().enumerate() {
        let Some(blocked_by) = step.action.blocked_by().filter(|_| step.otherwise.is_none()) else {
            continue;
        };
        let problem = Problem::new(format!("{blocked_by}, and then this response fails"));
        findings.warn(
            &path.index(index).key(step.action.name()),
            problem.help("write what happens then beside it: `otherwise: {delete: {}}`"),
        );
    }
}

/// Refuses a step that waits for longer than its alert is acted on: its way on would come too late.
fn check_patience(steps: &[Step], max_age: Option<Span>, path: &Path, findings: &mut Findings<'_>) {
    let Some(max_age) = max_age else { return };
    for (index, step) in steps.iter().enumerate() {
        let Some(patience) = step.action.patience().filter(|patience| *patience >= max_age) else {
            continue;
        };
        let problem = Problem::new(format!(
            "this waits for {patience}, and after the {max_age} of `maxAlertAge` nothing is sent any more"
        ));
        findings.error(
            &path.index(index).key(step.action.name()).key("blockedFor"),
            problem.help("wait for less, or raise `limits.maxAlertAge`"),
        );
    }
}

/// Compares the corroboration that the playbook requires with the fields that its sources have.
fn check_corroboration(
    spec: &PlaybookSpecDoc,
    sources: &[Source],
    class: ActionClass,
    path: &Path,
    findings: &mut Findings<'_>,
) {
    let sources_at = path.key("match").key("sources");
    if !findings.is_clean(&sources_at) {
        return;
    }
    let (asked, at) = (spec.corroboration, path.key("corroboration"));
    let only_audit = !sources.is_empty() && sources.iter().all(Source::is_k8s_audit);
    let maybe_syscall = sources.is_empty() || sources.iter().any(Source::is_syscall);
    if only_audit && asked > Corroboration::Named {
        let message = format!(
            "alerts of k8s_audit name a pod and nothing else, so the corroboration {asked} refuses all of them"
        );
        findings.absence(&at, Problem::new(message).help("write `corroboration: Named`"));
    } else if maybe_syscall && asked < Corroboration::PodUid && class == ActionClass::Destroy {
        let problem = Problem::new("Destroy never goes below PodUid for syscall alerts");
        findings.error(
            &at,
            problem.help("write `corroboration: PodUid`, or `sources: [k8s_audit]` in the match"),
        );
    } else if sources.iter().any(Source::is_k8s_audit) && asked > Corroboration::Named {
        let message =
            format!("alerts of k8s_audit name a pod and nothing else: the corroboration {asked} refuses them");
        findings.warn(
            &sources_at,
            Problem::new(message).help("write a playbook of their own with `corroboration: Named`"),
        );
    }
}

fn check_receivers(spec: &PlaybookSpecDoc, path: &Path, findings: &mut Findings<'_>) {
    for (index, notify) in spec.notify.iter().enumerate() {
        for (place, _) in notify.to.iter().enumerate().filter(|(_, to)| to.trim().is_empty()) {
            findings.error(&path.index(index).key("to").index(place), "a receiver has a name");
        }
    }
}
