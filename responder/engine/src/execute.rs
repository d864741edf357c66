//! Runs a plan: step by step, each within its time, and as far as the plan's mode permits. Step of the flow: act.

use responder_core::class::ActionClass;
use responder_core::mode::Permit;
use responder_core::on_failure::OnFailure;
use responder_core::plan::{Branch, Plan, PlannedRequest, PlannedStep, Undo};
use responder_core::port::Cluster;
use responder_core::refusal::Refusal;
use responder_core::request::Request;
use tokio::time::Instant;

use crate::outcome::{
    BranchReport, NotSentReason, RequestOutcome, RequestReport, Response, ResponseOutcome, StepReport, UndoReport,
};
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

/// The budgets, as a step asks for a slot that runs instead of one that failed.
pub(crate) trait BranchBudget {
    /// Takes a slot for a step of this class.
    ///
    /// # Errors
    ///
    /// What stands against it: the step is held.
    fn reserve(&self, class: ActionClass) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// The ports of one execution.
pub(crate) struct Executor<'a, C, R, B> {
    pub(crate) sender: &'a RequestSender<'a, C, R>,
    pub(crate) budget: &'a B,
    pub(crate) plan: &'a Plan,
}

/// The first step that failed.
struct FailedStep {
    step: String,
    because: String,
}

impl<C: Cluster, R: Wait, B: BranchBudget + Sync> Executor<'_, C, R, B> {
    /// Runs the plan.
    ///
    /// A target that turns out to be gone or replaced stops the plan under every `onFailure`, and objects that were
    /// created for it are removed again: a policy for a pod that is gone protects nothing.
    pub(crate) async fn execute(&self) -> Execution {
        let plan = self.plan;
        let permit = plan.permit();
        let mut reports: Vec<StepReport> = Vec::with_capacity(plan.steps.len());
        let mut stopped_by: Option<PlanStop> = None;
        let mut failed: Option<FailedStep> = None;
        let mut reverts = false;
        let mut has_ended = false;
        for step in &plan.steps {
            if stopped_by.is_some() {
                reports.push(not_sent(step, NotSentReason::Stopped));
                continue;
            }
            if has_ended {
                reports.push(not_sent(step, NotSentReason::TargetEnded));
                continue;
            }
            let (report, step_stop) = self.run(step, &permit).await;
            has_ended = step_stop.is_none() && ended_otherwise(step, &report);
            if let Some(step_stop) = step_stop {
                failed.get_or_insert_with(|| FailedStep {
                    step: step.name.clone(),
                    because: because(&report),
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
        self.finish(&permit, reports, stopped_by, failed, reverts).await
    }

    async fn finish(
        &self,
        permit: &Permit,
        reports: Vec<StepReport>,
        stopped_by: Option<PlanStop>,
        failed: Option<FailedStep>,
        reverts: bool,
    ) -> Execution {
        let (sender, plan) = (self.sender, self.plan);
        let undone = match (permit, &stopped_by) {
            (Permit::Act(_), Some(stopped_by)) => {
                undo_changes(sender, plan, &reports, permit, stopped_by, reverts).await
            }
            _ => Vec::new(),
        };
        let is_refundable = is_refundable(permit, &reports);
        let response = Response {
            incident: plan.incident.clone(),
            target: plan.target.clone(),
            mode: plan.mode.mode(),
            outcome: outcome(permit, stopped_by, failed, &reports),
            steps: reports,
            undone,
        };
        Execution {
            response,
            is_refundable,
        }
    }

    /// Runs a step, and if it can't be done or fails, the one that runs instead.
    async fn run(&self, step: &PlannedStep, permit: &Permit) -> (StepReport, Option<PlanStop>) {
        let (mut report, stopped_by) = run_step(self.sender, self.plan, step, permit).await;
        let (Some(PlanStop::Failed), Some(otherwise)) = (&stopped_by, &step.otherwise) else {
            return (report, stopped_by);
        };
        let held = match otherwise {
            Branch::Lacking(refusal) => refusal.clone(),
            Branch::Planned(next) => match self.budget.reserve(next.class).await {
                Ok(()) => {
                    let (next, stopped_by) = Box::pin(self.run(next, permit)).await;
                    report.otherwise = Some(BranchReport::Ran(Box::new(next)));
                    return (report, stopped_by);
                }
                Err(refusal) => refusal,
            },
        };
        report.otherwise = Some(BranchReport::Held(held));
        (report, stopped_by)
    }
}

/// Why a step failed: by its last run.
fn because(report: &StepReport) -> String {
    let last = report.runs().last().unwrap_or(report);
    let failed = last.requests.iter().find(|request| !request.outcome.is_success());
    let why = match (&last.obstacle, failed) {
        (Some(obstacle), _) => obstacle.to_string(),
        (None, Some(request)) => format!("{} {}", request.request, request.outcome),
        (None, None) => String::new(),
    };
    match &last.otherwise {
        Some(BranchReport::Held(refusal)) => format!("{why}; its otherwise was held: {refusal}"),
        Some(BranchReport::Ran(_)) | None => why,
    }
}

/// Whether a step that ran instead of another has ended the target.
fn ended_otherwise(step: &PlannedStep, report: &StepReport) -> bool {
    let ran = step.alternatives().zip(report.runs()).skip(1).last();
    let requests = ran.map(|(step, _)| step.plan.requests.as_slice()).unwrap_or_default();
    requests
        .iter()
        .any(|planned| matches!(planned.request, Request::Delete { .. } | Request::Evict { .. }))
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
    reports.iter().flat_map(StepReport::all_requests)
}

/// Each step that ran, or that the plan held ready in its place, with its report.
pub(crate) fn ran<'a>(
    plan: &'a Plan,
    reports: &'a [StepReport],
) -> impl Iterator<Item = (&'a PlannedStep, &'a StepReport)> {
    let pairs = plan.steps.iter().zip(reports);
    pairs.flat_map(|(step, report)| step.alternatives().zip(report.runs()))
}

fn is_refundable(permit: &Permit, reports: &[StepReport]) -> bool {
    // A plan without requests (only notes, or only notifications) has changed nothing and was answered all the same; one
    // whose steps can't be done was not.
    if requests(reports).next().is_none() {
        return reports.iter().any(|report| report.obstacle.is_some());
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
            requests.push(unsent(planned, NotSentReason::Stopped));
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
    if step.obstacle.is_some() {
        stopped_by = Some(PlanStop::Failed);
    }
    (reported(step, requests), stopped_by)
}

fn reported(step: &PlannedStep, requests: Vec<RequestReport>) -> StepReport {
    StepReport {
        name: step.name.clone(),
        obstacle: step.obstacle.clone(),
        requests,
        otherwise: None,
    }
}

fn not_sent(step: &PlannedStep, because: NotSentReason) -> StepReport {
    let requests = step.plan.requests.iter().map(|planned| unsent(planned, because));
    reported(step, requests.collect())
}

fn unsent(planned: &PlannedRequest, because: NotSentReason) -> RequestReport {
    RequestReport {
        request: planned.request.to_string(),
        tries: 0,
        outcome: RequestOutcome::NotSent { because },
    }
}

/// The requests that were carried out, or perhaps, in order.
fn changed<'a>(plan: &'a Plan, reports: &'a [StepReport]) -> Vec<Changed<'a>> {
    let pairs = ran(plan, reports).flat_map(|(step, report)| step.plan.requests.iter().zip(&report.requests));
    let pairs = pairs.map(|(planned, report)| Changed {
        planned,
        outcome: &report.outcome,
    });
    pairs
        .filter(|changed| !changed.outcome.is_certainly_nothing())
        .collect()
}

#[cfg(test)]
mod tests;
