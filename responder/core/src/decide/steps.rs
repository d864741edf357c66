//! The steps of a playbook as requests.

use super::audited;
use super::context::Context;
use crate::action::{ActionContext, StepProblem};
use crate::class::ActionClass;
use crate::corroboration::Corroboration;
use crate::guard::{Claim, LedgerView, Reserved};
use crate::obstacle::Obstacle;
use crate::plan::{Branch, PlannedStep, StepPlan};
use crate::playbook::Step;
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::trace::{CheckName, Trace};

/// What the steps of one response are planned from.
pub(super) struct StepInput<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) target: &'a Target,
    /// How certainly the live pod is the alert's; `None` for a host.
    pub(super) corroboration: Option<Corroboration>,
    /// Why no step can be done; `None` where it depends on the step.
    pub(super) obstacle: Option<&'a Obstacle>,
    pub(super) ledger: &'a LedgerView,
    pub(super) claim: &'a Claim,
    pub(super) incident: &'a str,
}

/// Plans every step, each with the one that runs instead if it fails.
///
/// # Errors
///
/// The refusal of any step refuses the whole response; so does a plan with nothing left to do.
pub(super) fn plan(input: &StepInput<'_>, trace: &mut Trace) -> Result<Vec<PlannedStep>, Refusal> {
    let context = input.context;
    let contain_lacks = audited::unproven(context.alert);
    let destroy_lacks = destroy_lacks(input, contain_lacks.as_ref());
    let action_context = ActionContext {
        alert: context.alert,
        playbook: &context.playbook.name,
        target: input.target,
        snapshot: input.snapshot,
        incident: input.incident,
        now: context.now,
        protect: &context.guard.protect,
        redactor: context.guard.redactor,
        max_grace: context.guard.max_grace,
        contain_lacks: contain_lacks.as_ref(),
        destroy_lacks: destroy_lacks.as_ref(),
        reserved: Reserved::beside(input.claim, &input.ledger.claims, context.now),
    };
    let mut steps = Vec::with_capacity(context.playbook.steps.len());
    for step in &context.playbook.steps {
        let check = CheckName::Step(step.name.clone());
        steps.push(match input.obstacle {
            Some(obstacle) => {
                trace.failed(check, format!("can't be done: {obstacle}"));
                step_of(step, Err(obstacle.clone()), None)
            }
            None => planned(step, check, &action_context, trace)?,
        });
    }
    if !steps.is_empty() && steps.iter().all(PlannedStep::is_idle) {
        let notes: Vec<&str> = steps
            .iter()
            .flat_map(|step| &step.plan.notes)
            .map(String::as_str)
            .collect();
        let is_ending = matches!(input.target, Target::Pod { .. })
            && input.snapshot.pod.found().is_some_and(|live| pod::is_terminating(live));
        let reason = if is_ending {
            RefusalReason::Terminating
        } else {
            RefusalReason::AlreadyDone
        };
        return Err(Refusal::new(reason, notes.join("; ")));
    }
    Ok(steps)
}

/// What the alert lacks for a branch of class Destroy. Only the container's id, which comes from the kernel, and the pod's
/// uid, which is never reused, tie a syscall alert to the pod; an audit alert never has more than names.
fn destroy_lacks(input: &StepInput<'_>, contain_lacks: Option<&Refusal>) -> Option<Refusal> {
    if let Some(lacks) = contain_lacks {
        return Some(lacks.clone());
    }
    let level = input.corroboration?;
    let is_enough = level >= Corroboration::PodUid || input.context.alert.source().is_k8s_audit();
    (!is_enough).then(|| {
        let detail = format!(
            "the alert corroborates by {level} only, and Destroy needs {}",
            Corroboration::PodUid
        );
        Refusal::new(RefusalReason::Uncorroborated, detail)
    })
}

fn planned(
    step: &Step,
    check: CheckName,
    context: &ActionContext<'_>,
    trace: &mut Trace,
) -> Result<PlannedStep, Refusal> {
    let planned = match step.action.plan(context) {
        Ok(plan) => Ok(plan),
        Err(StepProblem::Blocked(obstacle)) => Err(obstacle),
        Err(StepProblem::Refused(refusal)) => {
            trace.failed(check, refusal.detail.clone());
            return Err(refusal);
        }
    };
    match (&planned, &step.otherwise) {
        (Ok(plan), _) => trace.passed(check, described(plan)),
        (Err(obstacle), Some(_)) => trace.skipped(check, format!("can't be done: {obstacle}")),
        (Err(obstacle), None) => trace.failed(check, format!("can't be done: {obstacle}")),
    }
    let otherwise = step.otherwise.as_deref().map(|next| branch(next, context, trace));
    Ok(step_of(step, planned, otherwise))
}

fn step_of(step: &Step, planned: Result<StepPlan, Obstacle>, otherwise: Option<Branch>) -> PlannedStep {
    let (plan, obstacle) = match planned {
        Ok(plan) => (plan, None),
        Err(obstacle) => (StepPlan::default(), Some(obstacle)),
    };
    PlannedStep {
        name: step.name.clone(),
        action: step.action.name(),
        class: plan.raised_to.unwrap_or(step.class),
        timeout: step.timeout,
        on_failure: step.on_failure,
        obstacle,
        plan,
        otherwise,
    }
}

/// The step that runs instead of one that fails. What stands against it is told, and refuses nothing else.
fn branch(step: &Step, context: &ActionContext<'_>, trace: &mut Trace) -> Branch {
    let check = CheckName::Step(format!("otherwise {}", step.name));
    let lacks = match step.class {
        ActionClass::Destroy => context.destroy_lacks,
        ActionClass::Contain => context.contain_lacks,
        ActionClass::Notify | ActionClass::Annotate => None,
    };
    if let Some(lacks) = lacks {
        trace.skipped(check, format!("left out: {}", lacks.detail));
        return Branch::Lacking(lacks.clone());
    }
    match planned(step, check, context, trace) {
        Ok(step) => Branch::Planned(Box::new(step)),
        Err(refusal) => Branch::Lacking(refusal),
    }
}

fn described(plan: &StepPlan) -> String {
    if plan.requests.is_empty() {
        return plan.notes.join("; ");
    }
    let requests: Vec<String> = plan
        .requests
        .iter()
        .map(|planned| planned.request.to_string())
        .collect();
    requests.join("; ")
}
