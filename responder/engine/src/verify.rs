//! Verification: a response was effective, ineffective, or inconclusive. Step of the flow: verify. Reads only.
//!
//! A verification holds no slot and no key. At most [`VerifyLimits::concurrency`] of them read at a time, so that watching
//! a hundred pods end does not slow down the next response.

use std::time::Duration;

use responder_core::network::Isolation;
use responder_core::object::ObjectRef;
use responder_core::patch::Patch;
use responder_core::plan::{Expectation, Plan, PlannedStep};
use responder_core::port::{ClusterReader, Reply};
use responder_core::request::Request;
use tokio::sync::Semaphore;

use self::isolation::IsolationCheck;
use self::reading::reading;
use self::removal::RemovalCheck;
use crate::execute::ran;
use crate::lookup::{Lookup, lookup};
use crate::outcome::{RequestOutcome, StepReport};

mod finding;
mod isolation;
mod reading;
mod removal;

pub use finding::{Effectiveness, Finding, Verification};

/// The pause before the second look. A watch cache lags by milliseconds, and by a second under load.
/// Source: <https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/2340-Consistent-reads-from-cache>
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Bounds of the verifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyLimits {
    /// Readings at a time; 2 by default.
    pub concurrency: usize,
    /// Verifications that may be under way; 2,048 by default. A further one is inconclusive at once.
    pub pending: usize,
    /// How much longer than its grace period a pod may take to go; 30 s by default.
    pub slack: Duration,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            concurrency: 2,
            pending: 2048,
            slack: Duration::from_secs(30),
        }
    }
}

/// An expectation of a step that was done, not yet verified.
#[derive(Debug)]
pub(crate) struct OpenExpectation {
    expectation: Expectation,
    /// The patches of the step, for [`Expectation::Patched`].
    patches: Vec<Patch>,
    /// How the API server took the deletion, for [`Expectation::Gone`].
    is_gone: bool,
    predicted: Option<Isolation>,
}

impl OpenExpectation {
    /// The pod that the step has isolated; `None` for other steps.
    pub(crate) const fn isolated_pod(&self) -> Option<&ObjectRef> {
        match &self.expectation {
            Expectation::Isolated { pod, .. } => Some(pod),
            Expectation::Gone { .. } | Expectation::Patched { .. } => None,
        }
    }
}

/// The expectations of the steps whose requests were all carried out.
pub(crate) fn open_expectations(plan: &Plan, reports: &[StepReport]) -> Vec<OpenExpectation> {
    let done = ran(plan, reports).filter(|(_, report)| {
        let mut requests = report.requests.iter();
        requests.all(|request| matches!(request.outcome, RequestOutcome::Done { .. }))
    });
    done.flat_map(|(step, report)| {
        step.plan
            .expects
            .iter()
            .map(move |expectation| open(step, report, expectation))
    })
    .collect()
}

fn open(step: &PlannedStep, report: &StepReport, expectation: &Expectation) -> OpenExpectation {
    let is_gone = report
        .requests
        .iter()
        .any(|request| matches!(request.outcome, RequestOutcome::Done { reply: Reply::Gone }));
    let patches = step.plan.requests.iter().filter_map(|planned| match &planned.request {
        Request::Patch { patch, .. } => Some(patch.clone()),
        Request::Create { .. } | Request::Delete { .. } | Request::Evict { .. } => None,
    });
    OpenExpectation {
        expectation: expectation.clone(),
        patches: patches.collect(),
        is_gone,
        predicted: step.plan.isolation.clone(),
    }
}

/// Reads the object, and again where its state is a matter of time, until the verdict.
pub(crate) async fn verify<C: ClusterReader>(
    cluster: &C,
    open: &OpenExpectation,
    limits: VerifyLimits,
    readers: &Semaphore,
) -> Finding {
    match &open.expectation {
        Expectation::Gone {
            target,
            grace_seconds,
            node,
        } => {
            let removal = RemovalCheck {
                target,
                node: node.as_ref(),
                is_gone: open.is_gone,
                lasts: Duration::from_secs((*grace_seconds).into()) + limits.slack,
            };
            removal.verify(cluster, readers).await
        }
        Expectation::Patched { target } => {
            let look = || patched(cluster, target, &open.patches, readers);
            confirmed(look().await, look()).await
        }
        Expectation::Isolated { pod, policy, denied_by } => {
            let check = IsolationCheck {
                pod,
                policy,
                denied_by: denied_by.as_ref(),
                predicted: open.predicted.as_ref(),
            };
            let look = || check.verify(cluster, readers);
            confirmed(look().await, look()).await
        }
    }
}

/// The first finding, or that of a second look where the first is ineffective: the write of another client may be under
/// way, and a list of the API server's cache may lag.
async fn confirmed(first: Finding, second: impl Future<Output = Finding>) -> Finding {
    if first.verdict != Effectiveness::Ineffective {
        return first;
    }
    tokio::time::sleep(SECOND_LOOK).await;
    second.await
}

async fn patched<C: ClusterReader>(cluster: &C, target: &ObjectRef, patches: &[Patch], readers: &Semaphore) -> Finding {
    let seen = match reading(readers, lookup(cluster, target)).await {
        Ok(Lookup::Same(seen)) => seen,
        Ok(Lookup::Gone | Lookup::Replaced(_)) => {
            return Finding::new(Effectiveness::Inconclusive, format!("{} is gone since", target.at));
        }
        Err(error) => return Finding::unread(&error),
    };
    let differences = patches.iter().map(|patch| patch.differences(&seen.fields));
    let differs: Vec<String> = differences.flatten().collect();
    if differs.is_empty() {
        return Finding::new(Effectiveness::Effective, format!("{} is as patched", target.at));
    }
    Finding::new(
        Effectiveness::Ineffective,
        format!("{} has other values: {}", target.at, differs.join(", ")),
    )
}

#[cfg(test)]
mod tests;
