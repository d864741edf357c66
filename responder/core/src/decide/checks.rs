//! The checks of a decision, one function each, in the order of [`decide`](super::decide).

use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use crate::action::{ActionContext, NodeReserve};
use crate::alert::{Sender, Value};
use crate::guard::budget::{applies, cooling, count_budget, count_targets};
use crate::guard::{BudgetScope, Claim, ClaimKind, LedgerView, protected_by_labels, protected_by_name};
use crate::mode::{EffectiveMode, ModeSource};
use crate::node;
use crate::object::{ContainerId, Kind};
use crate::plan::PlannedStep;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::span::Span;
use crate::target::{Subject, Target, TargetKind};
use crate::trace::Trace;

/// How far an alert may be ahead of our clock: the nodes' clocks differ from ours.
const AHEAD: SignedDuration = SignedDuration::from_secs(30);

/// The checks that need no reads.
pub(super) fn screen(context: &Context<'_>, ledger: &LedgerView, trace: &mut Trace) -> Result<Subject, Refusal> {
    sender(context, trace);
    cluster(context, trace)?;
    let subject = subject(context, trace)?;
    alert_exceptions(context, trace)?;
    age(context, trace)?;
    // The kind of claim depends on the mode, and the mode may depend on the namespace's labels. An alert that this
    // playbook has answered with both kinds is a duplicate in every mode.
    if [ClaimKind::Real, ClaimKind::Rehearsed]
        .into_iter()
        .all(|claim_kind| answered(context, ledger, claim_kind).is_some())
    {
        duplicate(context, ledger, ClaimKind::Real, trace)?;
    }
    if let Subject::Pod(claim) = &subject
        && let Some(why) = protected_by_name(context.guard, context.own.namespace.as_ref(), &claim.namespace)
    {
        trace.failed("protection", why.clone());
        return Err(Refusal::new(RefusalReason::Protected, why));
    }
    Ok(subject)
}

/// Notes the sender; intake has authenticated it.
fn sender(context: &Context<'_>, trace: &mut Trace) {
    match context.sender {
        None => {}
        Some(Sender::Anonymous) => trace.skipped("sender", "the sender was not authenticated"),
        Some(sender) => trace.passed("sender", sender.to_string()),
    }
}

fn cluster(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    let Some(identity) = &context.guard.cluster else {
        return Ok(());
    };
    let Some(field) = &identity.field else { return Ok(()) };
    match context.alert.field(field) {
        None | Some(Value::Null) => trace.skipped("cluster", format!("the alert has no {field}")),
        Some(Value::String(name)) if *name == identity.name => trace.passed("cluster", name.clone()),
        Some(other) => {
            let detail = format!(
                "the alert's {field} is {}, and this is {}",
                other.to_string().escape_debug(),
                identity.name
            );
            trace.failed("cluster", detail.clone());
            return Err(Refusal::new(RefusalReason::ForeignCluster, detail));
        }
    }
    Ok(())
}

fn subject(context: &Context<'_>, trace: &mut Trace) -> Result<Subject, Refusal> {
    let subject = Subject::of(context.alert).map_err(|none| {
        trace.failed("subject", none.to_string());
        Refusal::new(RefusalReason::NoTarget, none.to_string())
    })?;
    let wanted = context.playbook.target;
    if matches!(subject, Subject::Host { .. }) && wanted != TargetKind::Node {
        let detail = format!("the alert is about a process of the host, and the playbook acts on a {wanted}");
        trace.failed("subject", detail.clone());
        return Err(Refusal::new(RefusalReason::HostProcess, detail));
    }
    trace.passed("subject", subject.to_string());
    Ok(subject)
}

fn alert_exceptions(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    for (index, exception) in context.playbook.except.iter().enumerate() {
        if !exception.live_match.is_empty() {
            continue;
        }
        except(context, index, true, trace)?;
    }
    Ok(())
}

/// Refuses an alert that matches an exception. `live` says whether the exception's conditions on the live object hold.
fn except(context: &Context<'_>, index: usize, live: bool, trace: &mut Trace) -> Result<(), Refusal> {
    let exception = &context.playbook.except[index];
    let name = format!("except[{index}]");
    if let Some(expired) = exception.expires_at.filter(|&expires| expires <= context.now) {
        trace.skipped(name, format!("it expired at {expired}"));
        return Ok(());
    }
    if live && exception.alert_match.matches(context.alert) {
        trace.failed(name, exception.reason.clone());
        return Err(Refusal::new(RefusalReason::Excepted, exception.reason.clone()));
    }
    trace.passed(name, "does not hold");
    Ok(())
}

/// The greatest age of an alert that is acted on: the smaller of the playbook's and the guard's.
pub(super) fn max_age(context: &Context<'_>) -> Span {
    let guard = context.guard.max_alert_age;
    context
        .playbook
        .limits
        .max_alert_age
        .map_or(guard, |own| own.min(guard))
}

fn age(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    let age = context.now.duration_since(context.alert.time());
    let most = max_age(context);
    let (reason, detail) = if age > most.signed() {
        (
            RefusalReason::Stale,
            format!("the alert is {} s old, and the most is {most}", age.as_secs()),
        )
    } else if age < -AHEAD {
        (
            RefusalReason::Future,
            format!("the alert is {} s ahead of our clock", -age.as_secs()),
        )
    } else {
        trace.passed("age", format!("{} ms, and the most is {most}", age.as_millis()));
        return Ok(());
    };
    trace.failed("age", detail.clone());
    Err(Refusal::new(reason, detail))
}

fn answered<'a>(context: &Context<'_>, ledger: &'a LedgerView, claim_kind: ClaimKind) -> Option<&'a Claim> {
    ledger.claims.iter().find(|claim| {
        claim.claim_kind == claim_kind && claim.alert == context.alert_id && claim.playbook == context.playbook.name
    })
}

/// Refuses an alert that this playbook has already answered.
pub(super) fn duplicate(
    context: &Context<'_>,
    ledger: &LedgerView,
    claim_kind: ClaimKind,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let Some(claim) = answered(context, ledger, claim_kind) else {
        trace.passed("duplicate", "not answered before");
        return Ok(());
    };
    let detail = format!("this alert was answered at {}", claim.at);
    trace.failed("duplicate", detail.clone());
    Err(Refusal::new(RefusalReason::Duplicate, detail))
}

/// Refuses the controller's own pod, namespaces protected by their labels, and nodes of the control plane.
pub(super) fn protection(
    context: &Context<'_>,
    snapshot: &Snapshot,
    target: &Target,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let refuse = |trace: &mut Trace, reason, detail: String| {
        trace.failed("protection", detail.clone());
        Err(Refusal::new(reason, detail))
    };
    let own = context.own;
    let at = target.at();
    if own.pod.as_ref() == Some(at.name()) && own.namespace.as_ref() == at.namespace() && at.kind() == Kind::Pod {
        return refuse(trace, RefusalReason::OwnPod, format!("{at} is the controller itself"));
    }
    if let Some(why) = snapshot
        .namespace
        .found()
        .and_then(|live| protected_by_labels(context.guard, live))
    {
        return refuse(trace, RefusalReason::Protected, why);
    }
    // The labels to check are missing: the namespace was deleted between two reads.
    let judges_labels = !context.guard.protect.selectors.is_empty() && at.namespace().is_some();
    if judges_labels && snapshot.namespace.found().is_none() {
        return refuse(
            trace,
            RefusalReason::Unreadable,
            "the target's namespace was not read".to_owned(),
        );
    }
    if let (Target::Node { .. }, Some(live)) = (target, snapshot.node.found())
        && node::is_control_plane(live)
    {
        return refuse(
            trace,
            RefusalReason::Protected,
            format!("{at} runs the control plane (built-in floor)"),
        );
    }
    trace.passed("protection", format!("{at} is not protected"));
    Ok(())
}

/// The conditions of `match` and `except` on the live object.
pub(super) fn selection(
    context: &Context<'_>,
    subject: &Subject,
    snapshot: &Snapshot,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let container = container(subject);
    let alert = context.alert;
    context
        .playbook
        .live_match
        .holds(alert, snapshot, container, trace)
        .map_err(|why| Refusal::new(RefusalReason::NotSelected, why))?;
    for (index, exception) in context.playbook.except.iter().enumerate() {
        if exception.live_match.is_empty() {
            continue;
        }
        // The conditions of an exception get a trace of their own: failing them does not fail the decision.
        let live = exception
            .live_match
            .holds(alert, snapshot, container, &mut Trace::default())
            .is_ok();
        except(context, index, live, trace)?;
    }
    Ok(())
}

fn container(subject: &Subject) -> Option<&ContainerId> {
    match subject {
        Subject::Pod(claim) => claim.container.as_ref(),
        Subject::Host { .. } => None,
    }
}

/// The safest mode of all settings.
pub(super) fn mode(context: &Context<'_>, snapshot: &Snapshot, target: &Target, trace: &mut Trace) -> EffectiveMode {
    let labels = snapshot
        .namespace
        .found()
        .filter(|_| target.at().namespace().is_some())
        .map(|live| live.metadata.labels.clone().unwrap_or_default());
    let rollout = labels.as_ref().and_then(|labels| {
        context
            .playbook
            .rollout
            .iter()
            .find(|entry| entry.namespaces.matches(labels))
    });
    let ceiling = labels.as_ref().and_then(|labels| {
        context
            .guard
            .namespaces
            .iter()
            .find(|entry| entry.selector.matches(labels))
    });
    let playbook = rollout.map_or((ModeSource::Playbook, context.playbook.mode), |entry| {
        (ModeSource::Rollout, entry.mode)
    });
    let guard = ceiling.map_or((ModeSource::Guard, context.guard.mode), |entry| {
        (ModeSource::GuardNamespace, entry.mode)
    });
    let mode = EffectiveMode::safest(context.process_mode, &[playbook, guard]);
    trace.passed(
        "mode",
        format!(
            "{} by {} ({}: {}, {}: {}, process: {})",
            mode.mode(),
            mode.set_by(),
            playbook.0,
            playbook.1,
            guard.0,
            guard.1,
            context.process_mode
        ),
    );
    mode
}

/// The share of the limits that this response would take.
pub(super) fn claim(context: &Context<'_>, snapshot: &Snapshot, target: &Target, claim_kind: ClaimKind) -> Claim {
    let limits = &context.playbook.limits;
    let windows = context.guard.budgets.iter().map(|budget| budget.per);
    let own = limits
        .cooldown
        .map(|cooldown| cooldown.length)
        .into_iter()
        .chain(limits.targets.map(|limit| limit.per));
    // The claim marks the alert as answered for as long as a redelivery would not be too old.
    let longest = windows
        .chain(own)
        .chain([max_age(context), MINUTE])
        .max()
        .unwrap_or(MINUTE);
    let owner = match target {
        Target::Owner { owner, .. } => Some(owner.uid.clone()),
        Target::Pod { .. } => snapshot
            .owners
            .found()
            .and_then(|chain| chain.topmost())
            .map(|owner| owner.object.uid.clone()),
        Target::Node { .. } => None,
    };
    Claim {
        claim_kind,
        at: context.now,
        counts_until: context
            .now
            .checked_add(longest.signed() + AHEAD)
            .unwrap_or(Timestamp::MAX),
        playbook: context.playbook.name.clone(),
        alert: context.alert_id,
        class: context.playbook.class(),
        kind: target.at().kind(),
        target: target.object().uid.clone(),
        owner,
        namespace: target.at().namespace().cloned(),
    }
}

const MINUTE: Span = Span::minutes::<1>();

/// Plans every step; the refusal of any action refuses the whole response.
pub(super) fn steps(
    context: &Context<'_>,
    snapshot: &Snapshot,
    target: &Target,
    ledger: &LedgerView,
    claim: &Claim,
    incident: &str,
    trace: &mut Trace,
) -> Result<Vec<PlannedStep>, Refusal> {
    let claimed: Vec<_> = ledger
        .claims
        .iter()
        .filter(|other| {
            other.kind == Kind::Node && other.claim_kind == claim.claim_kind && other.target != claim.target
        })
        .filter(|other| context.now.duration_since(other.at) < MINUTE.signed())
        .map(|other| &other.target)
        .collect();
    let action_context = ActionContext {
        alert: context.alert,
        playbook: &context.playbook.name,
        target,
        snapshot,
        incident,
        now: context.now,
        nodes: NodeReserve {
            keep: context.guard.protect.keep_schedulable,
            claimed: &claimed,
        },
    };
    let mut steps = Vec::with_capacity(context.playbook.steps.len());
    for step in &context.playbook.steps {
        let name = format!("step {}", step.name);
        let plan = step
            .action
            .plan(&action_context)
            .inspect_err(|refusal| trace.failed(name.clone(), refusal.detail.clone()))?;
        let requests: Vec<String> = plan
            .requests
            .iter()
            .map(|planned| planned.request.to_string())
            .collect();
        let detail = if requests.is_empty() {
            plan.notes.join("; ")
        } else {
            requests.join("; ")
        };
        trace.passed(name, detail);
        steps.push(PlannedStep {
            name: step.name.clone(),
            action: step.action.name(),
            class: step.action.class(),
            timeout: step.timeout,
            on_failure: step.on_failure,
            plan,
        });
    }
    if !steps.is_empty() && steps.iter().all(|step| step.plan.requests.is_empty()) {
        let notes: Vec<&str> = steps
            .iter()
            .flat_map(|step| &step.plan.notes)
            .map(String::as_str)
            .collect();
        return Err(Refusal::new(RefusalReason::AlreadyDone, notes.join("; ")));
    }
    Ok(steps)
}

/// Checks the cooldown, the playbook's limit and the guard's budgets.
pub(super) fn limits(
    context: &Context<'_>,
    snapshot: &Snapshot,
    ledger: &LedgerView,
    claim: &Claim,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let limits = &context.playbook.limits;
    let topmost = snapshot.owners.found().and_then(|chain| chain.topmost());
    let replicas = topmost.and_then(|owner| owner.replicas);
    known_owner(context, snapshot, trace)?;

    if let Some(cooldown) = limits.cooldown {
        if let Some((earlier, until)) = cooling(cooldown, claim, &ledger.claims) {
            let detail = format!("it was answered at {}, and is left alone until {until}", earlier.at);
            trace.failed("cooldown", detail.clone());
            return Err(Refusal::new(RefusalReason::Cooldown, detail));
        }
        trace.passed(
            "cooldown",
            format!("none runs ({} per {:?})", cooldown.length, cooldown.per),
        );
    }
    if let Some(limit) = limits.targets {
        for count in count_targets(limit, claim, &ledger.claims, replicas)
            .into_iter()
            .flatten()
        {
            let detail = format!("{} of {} targets in {}", count.used, count.limit, limit.per);
            if !count.has_room() {
                trace.failed("limits.targets", detail.clone());
                return Err(Refusal::new(
                    RefusalReason::LimitExhausted,
                    format!("the playbook has acted on {detail}"),
                ));
            }
            trace.passed("limits.targets", detail);
        }
    }
    for budget in context
        .guard
        .budgets
        .iter()
        .filter(|budget| applies(budget, claim.class, claim))
    {
        let count = count_budget(budget, claim, &ledger.claims, replicas);
        let name = format!("budget {:?}/{}", budget.scope, budget.class);
        let detail = format!("{} of {} targets in {}", count.used, count.limit, budget.per);
        if !count.has_room() {
            trace.failed(name.clone(), detail.clone());
            return Err(Refusal::new(
                RefusalReason::BudgetExhausted,
                format!("the guard's {name} stands at {detail}"),
            ));
        }
        trace.passed(name, detail);
    }
    Ok(())
}

/// Refuses if a limit counts by owner and the chain of controllers is broken: each pod would count as its own owner.
fn known_owner(context: &Context<'_>, snapshot: &Snapshot, trace: &mut Trace) -> Result<(), Refusal> {
    let limits = &context.playbook.limits;
    let class = context.playbook.class();
    let by_owner = limits
        .cooldown
        .is_some_and(|cooldown| cooldown.per == crate::limit::CooldownScope::Owner)
        || limits.targets.is_some_and(|limit| limit.percent_of_owner.is_some())
        || context
            .guard
            .budgets
            .iter()
            .any(|budget| budget.scope == BudgetScope::Owner && class >= budget.class);
    let broken = snapshot.owners.found().and_then(|chain| chain.broken.as_ref());
    match broken {
        Some(why) if by_owner => {
            trace.failed("owner", why.clone());
            Err(Refusal::new(
                RefusalReason::OwnerUnknown,
                format!("a limit counts by owner, and {why}"),
            ))
        }
        _ => Ok(()),
    }
}
