//! Runs a plan: step by step, each within its time, and as far as the plan's mode permits. Step of the flow: act.

use responder_core::mode::Permit;
use responder_core::on_failure::OnFailure;
use responder_core::plan::{Plan, PlannedRequest, PlannedStep, Undo};
use responder_core::port::Cluster;
use tokio::time::Instant;

use crate::outcome::{NotSentReason, RequestOutcome, RequestReport, Response, ResponseOutcome, StepReport, UndoReport};
use crate::revert::{Changed, undo};
use crate::send::{RequestSender, SendOptions};
use crate::wait::Wait;

/// The outcome of a plan that has run.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) response: Response,
    /// Whether it is certain that nothing was changed, and the claim can be taken back.
    pub(crate) is_refundable: bool,
}

/// Why a plan stops before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PlanStop {
    TargetGone,
    TargetReplaced,
    Expired,
    /// A step failed whose `onFailure` stops the plan.
    Failed,
}

/// The first step that failed.
struct FailedStep {
    step: String,
    because: String,
}

/// Runs a plan.
///
/// A target that turns out to be gone or replaced stops the plan whatever `onFailure` says, and objects that were created
/// for it are removed again: a policy for a pod that is gone protects nothing.
pub(crate) async fn execute<C: Cluster, R: Wait>(sender: &RequestSender<'_, C, R>, plan: &Plan) -> Execution {
    let permit = plan.permit();
    let mut reports: Vec<StepReport> = Vec::with_capacity(plan.steps.len());
    let mut stopped_by: Option<PlanStop> = None;
    let mut failed: Option<FailedStep> = None;
    let mut reverts = false;
    for step in &plan.steps {
        if stopped_by.is_some() {
            reports.push(not_sent(step));
            continue;
        }
        let (report, step_stop) = run_step(sender, plan, step, &permit).await;
        if let Some(step_stop) = step_stop {
            let because = report.requests.iter().find(|request| !request.outcome.is_success());
            let because = because
                .map(|request| format!("{} {}", request.request, request.outcome))
                .unwrap_or_default();
            failed.get_or_insert_with(|| FailedStep {
                step: step.name.clone(),
                because,
            });
            stopped_by = match (step_stop, step.on_failure) {
                (PlanStop::Failed, OnFailure::Continue) => None,
                (step_stop @ (PlanStop::Failed | PlanStop::Expired), OnFailure::Revert) => {
                    reverts = true;
                    Some(step_stop)
                }
                (step_stop, _) => Some(step_stop),
            };
        }
        reports.push(report);
    }

    let undone = match (&permit, &stopped_by) {
        (Permit::Act(_), Some(stopped_by)) => undo_changes(sender, plan, &reports, &permit, stopped_by, reverts).await,
        _ => Vec::new(),
    };
    let is_refundable = is_refundable(&permit, &reports);
    let response = Response {
        incident: plan.incident.clone(),
        target: plan.target.clone(),
        mode: plan.mode.mode(),
        outcome: outcome(&permit, stopped_by, failed, &reports),
        steps: reports,
        undone,
    };
    Execution {
        response,
        is_refundable,
    }
}

/// Undoes what was changed, the last first: all of it where a step's `onFailure` asks so, and of a target that is gone or
/// replaced the objects that were created for it.
async fn undo_changes<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    plan: &Plan,
    reports: &[StepReport],
    permit: &Permit,
    stopped_by: &PlanStop,
    reverts: bool,
) -> Vec<UndoReport> {
    let is_vain = matches!(stopped_by, PlanStop::TargetGone | PlanStop::TargetReplaced);
    let wanted = |planned: &PlannedRequest| reverts || is_vain && matches!(planned.undo, Undo::DeleteCreated);
    let mut undone = Vec::new();
    for changed in changed(plan, reports).into_iter().rev() {
        if wanted(changed.planned) {
            undone.push(undo(sender, changed, permit).await);
        }
    }
    undone
}

fn requests(reports: &[StepReport]) -> impl Iterator<Item = &RequestReport> {
    reports.iter().flat_map(|report| &report.requests)
}

fn is_refundable(permit: &Permit, reports: &[StepReport]) -> bool {
    // A plan without requests (only notes, or only notifications) has changed nothing and was answered all the same.
    if requests(reports).next().is_none() {
        return false;
    }
    match permit {
        Permit::Act(_) => requests(reports).all(|request| request.outcome.is_certainly_nothing()),
        // A rehearsal or an observation that succeeded takes its shadow slot, as the response would have.
        Permit::DryRun | Permit::Nothing => !requests(reports).any(|request| request.outcome.is_success()),
    }
}

fn outcome(
    permit: &Permit,
    stopped_by: Option<PlanStop>,
    failed: Option<FailedStep>,
    reports: &[StepReport],
) -> ResponseOutcome {
    let is_done =
        |request: &RequestReport| matches!(request.outcome, RequestOutcome::Done { .. } | RequestOutcome::Rehearsed);
    let is_any_done = requests(reports).any(is_done);
    match (stopped_by, failed) {
        (Some(PlanStop::TargetGone), _) => ResponseOutcome::TargetGone,
        (Some(PlanStop::TargetReplaced), _) => ResponseOutcome::TargetReplaced,
        (Some(PlanStop::Expired), _) if !is_any_done => ResponseOutcome::Expired,
        (_, Some(FailedStep { step, because })) if is_any_done => ResponseOutcome::PartlyDone { step, because },
        (_, Some(FailedStep { step, because })) => ResponseOutcome::Failed { step, because },
        (_, None) => match permit {
            Permit::Nothing => ResponseOutcome::Observed,
            Permit::DryRun => ResponseOutcome::Rehearsed,
            Permit::Act(_) => ResponseOutcome::Done,
        },
    }
}

async fn run_step<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    plan: &Plan,
    step: &PlannedStep,
    permit: &Permit,
) -> (StepReport, Option<PlanStop>) {
    let options = SendOptions {
        deadline: Instant::now() + step.timeout,
        valid_until: Some(plan.valid_until),
        undoes: false,
    };
    let mut stopped_by = None;
    let mut requests = Vec::with_capacity(step.plan.requests.len());
    for planned in &step.plan.requests {
        if stopped_by.is_some() {
            requests.push(stopped(planned));
            continue;
        }
        let report = sender.send(&planned.request, permit, options).await;
        stopped_by = match &report.outcome {
            outcome if outcome.is_success() => None,
            RequestOutcome::TargetGone { .. } => Some(PlanStop::TargetGone),
            RequestOutcome::TargetReplaced { .. } => Some(PlanStop::TargetReplaced),
            RequestOutcome::Expired { .. }
            | RequestOutcome::NotSent {
                because: NotSentReason::Expired,
            } => Some(PlanStop::Expired),
            _ => Some(PlanStop::Failed),
        };
        requests.push(report);
    }
    (
        StepReport {
            name: step.name.clone(),
            requests,
        },
        stopped_by,
    )
}

fn not_sent(step: &PlannedStep) -> StepReport {
    StepReport {
        name: step.name.clone(),
        requests: step.plan.requests.iter().map(stopped).collect(),
    }
}

fn stopped(planned: &PlannedRequest) -> RequestReport {
    let outcome = RequestOutcome::NotSent {
        because: NotSentReason::Stopped,
    };
    RequestReport {
        request: planned.request.to_string(),
        tries: 0,
        outcome,
    }
}

/// The requests that were carried out, or perhaps, in order.
fn changed<'a>(plan: &'a Plan, reports: &'a [StepReport]) -> Vec<Changed<'a>> {
    let planned = plan.steps.iter().flat_map(|step| &step.plan.requests);
    let outcomes = reports
        .iter()
        .flat_map(|report| &report.requests)
        .map(|request| &request.outcome);
    let pairs = planned
        .zip(outcomes)
        .map(|(planned, outcome)| Changed { planned, outcome });
    pairs
        .filter(|changed| !changed.outcome.is_certainly_nothing())
        .collect()
}

#[cfg(test)]
mod tests;
