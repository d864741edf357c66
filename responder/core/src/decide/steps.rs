//! The steps of a playbook as requests.

use super::context::Context;
use crate::action::ActionContext;
use crate::guard::{Claim, LedgerView, Reserved};
use crate::plan::PlannedStep;
use crate::refusal::{Refusal, RefusalReason};
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::trace::{CheckName, Trace};

/// Plans every step; the refusal of any action refuses the whole response.
pub(super) fn plan(
    context: &Context<'_>,
    snapshot: &Snapshot,
    target: &Target,
    ledger: &LedgerView,
    claim: &Claim,
    incident: &str,
    trace: &mut Trace,
) -> Result<Vec<PlannedStep>, Refusal> {
    let action_context = ActionContext {
        alert: context.alert,
        playbook: &context.playbook.name,
        target,
        snapshot,
        incident,
        now: context.now,
        protect: &context.guard.protect,
        reserved: Reserved::beside(claim, &ledger.claims, context.now),
    };
    let mut steps = Vec::with_capacity(context.playbook.steps.len());
    for step in &context.playbook.steps {
        let check = CheckName::Step(step.name.clone());
        let plan = step
            .action
            .plan(&action_context)
            .inspect_err(|refusal| trace.failed(check.clone(), refusal.detail.clone()))?;
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
        trace.passed(check, detail);
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
