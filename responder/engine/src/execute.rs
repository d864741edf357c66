//! Runs a plan: step by step, each within its time, and as far as the plan's mode permits. Step of the flow: act.

use responder_core::mode::Permit;
use responder_core::on_failure::OnFailure;
use responder_core::plan::{Plan, PlannedRequest, PlannedStep, Undo};
use responder_core::port::Cluster;
use tokio::time::Instant;

use crate::outcome::{NotSentReason, RequestOutcome, RequestReport, Response, ResponseOutcome, StepReport};
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
    let mut end: Option<PlanStop> = None;
    let mut failed: Option<FailedStep> = None;
    let mut reverts = false;
    for step in &plan.steps {
        if end.is_some() {
            reports.push(not_sent(step));
            continue;
        }
        let (report, stop) = run_step(sender, plan, step, &permit).await;
        if let Some(stop) = stop {
            let because = report.requests.iter().find(|request| !request.outcome.is_success());
            let because = because
                .map(|request| format!("{} {}", request.request, request.outcome))
                .unwrap_or_default();
            failed.get_or_insert_with(|| FailedStep {
                step: step.name.clone(),
                because,
            });
            end = match (stop, step.on_failure) {
                (PlanStop::Failed, OnFailure::Continue) => None,
                (stop @ (PlanStop::Failed | PlanStop::Expired), OnFailure::Revert) => {
                    reverts = true;
                    Some(stop)
                }
                (stop, _) => Some(stop),
            };
        }
        reports.push(report);
    }

    let undone = if let (Permit::Act(_), Some(end)) = (&permit, &end) {
        let changed = changed(plan, &reports);
        let is_vain = matches!(end, PlanStop::TargetGone | PlanStop::TargetReplaced);
        let wanted =
            |planned: &PlannedRequest| reverts || is_vain && matches!(planned.undo, Undo::DeleteCreated { .. });
        let mut undone = Vec::new();
        for changed in changed.into_iter().rev().filter(|changed| wanted(changed.planned)) {
            undone.push(undo(sender, changed, &permit).await);
        }
        undone
    } else {
        Vec::new()
    };

    let requests = || reports.iter().flat_map(|report| &report.requests);
    let is_refundable = match plan.permit() {
        Permit::Act(_) => requests().all(|request| request.outcome.is_certainly_nothing()),
        // A rehearsal or an observation that succeeded takes its shadow slot, as the response would have.
        Permit::DryRun | Permit::Nothing => !requests().any(|request| request.outcome.is_success()),
    };
    // A plan without requests (only notes, or only notifications) has changed nothing and was answered all the same.
    let is_refundable = is_refundable && requests().next().is_some();
    let anything_done =
        requests().any(|request| matches!(request.outcome, RequestOutcome::Done { .. } | RequestOutcome::Rehearsed));
    let outcome = match (end, failed) {
        (Some(PlanStop::TargetGone), _) => ResponseOutcome::TargetGone,
        (Some(PlanStop::TargetReplaced), _) => ResponseOutcome::TargetReplaced,
        (Some(PlanStop::Expired), _) if !anything_done => ResponseOutcome::Expired,
        (_, Some(FailedStep { step, because })) if anything_done => ResponseOutcome::PartlyDone { step, because },
        (_, Some(FailedStep { step, because })) => ResponseOutcome::Failed { step, because },
        (_, None) => match permit {
            Permit::Nothing => ResponseOutcome::Observed,
            Permit::DryRun => ResponseOutcome::Rehearsed,
            Permit::Act(_) => ResponseOutcome::Done,
        },
    };
    let response = Response {
        incident: plan.incident.clone(),
        target: plan.target.clone(),
        mode: plan.mode.mode(),
        outcome,
        steps: reports,
        undone,
    };
    Execution {
        response,
        is_refundable,
    }
}

async fn run_step<C: Cluster, R: Wait>(
    sender: &RequestSender<'_, C, R>,
    plan: &Plan,
    step: &PlannedStep,
    permit: &Permit,
) -> (StepReport, Option<PlanStop>) {
    let until = SendOptions {
        deadline: Instant::now() + step.timeout,
        valid: Some(plan.valid_until),
        undoes: false,
    };
    let mut end = None;
    let mut requests = Vec::with_capacity(step.plan.requests.len());
    for planned in &step.plan.requests {
        if end.is_some() {
            requests.push(stopped(planned));
            continue;
        }
        let report = sender.send(&planned.request, permit, until).await;
        end = match &report.outcome {
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
        end,
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
