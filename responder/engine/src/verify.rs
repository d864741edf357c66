//! Verification: a response was effective, ineffective, or inconclusive. Step of the flow: verify. Reads only.
//!
//! A verification holds no slot and no key. At most [`VerifyLimits::concurrency`] of them read at a time, so that watching
//! a hundred pods end does not slow down the next response.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use responder_core::guard::{Isolation, isolation};
use responder_core::object::{Locator, ObjectRef};
use responder_core::own::QuarantinePolicy;
use responder_core::patch::Patch;
use responder_core::plan::{Expectation, Plan, PlannedStep};
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError, Reply};
use responder_core::request::Request;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::execute::ran;
use crate::lookup::{Lookup, lookup};
use crate::outcome::{RequestOutcome, StepReport};

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

/// The effect of a response, or of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effectiveness {
    /// The object is as it should be.
    Effective,
    /// No reading could tell, or none came in time.
    Inconclusive,
    /// The object is not as it should be.
    Ineffective,
}

impl Effectiveness {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Effective, Self::Inconclusive, Self::Ineffective];

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Inconclusive => "inconclusive",
            Self::Ineffective => "ineffective",
        }
    }
}

/// The verdict on a whole response: the worst of its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The worst.
    pub verdict: Effectiveness,
    /// One for each expectation.
    pub findings: Vec<Finding>,
}

/// The verdict on one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The verdict.
    pub verdict: Effectiveness,
    /// What was seen.
    pub detail: String,
}

impl Finding {
    fn new(verdict: Effectiveness, detail: impl Into<String>) -> Self {
        Self {
            verdict,
            detail: detail.into(),
        }
    }

    fn unread(error: &ReadError) -> Self {
        Self::new(Effectiveness::Inconclusive, error.to_string())
    }
}

impl Verification {
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        let verdict = findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Effectiveness::Effective);
        Self { verdict, findings }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.as_str())?;
        let details: Vec<&str> = self.findings.iter().map(|finding| finding.detail.as_str()).collect();
        if details.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", details.join("; "))
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
            let removal = Removal {
                target,
                node: node.as_ref(),
                is_gone: open.is_gone,
                lasts: Duration::from_secs((*grace_seconds).into()) + limits.slack,
            };
            removal.verify(cluster, readers).await
        }
        Expectation::Patched { target } => patched(cluster, target, &open.patches, readers).await,
        Expectation::Isolated { pod, policy } => isolated(cluster, pod, policy, open.predicted.as_ref(), readers).await,
    }
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

async fn isolated<C: ClusterReader>(
    cluster: &C,
    target: &ObjectRef,
    at: &Locator,
    predicted: Option<&Isolation>,
    readers: &Semaphore,
) -> Finding {
    let Some(namespace) = target.at.namespace() else {
        return Finding::new(Effectiveness::Inconclusive, format!("{} has no namespace", target.at));
    };
    let readings = reading(readers, async {
        tokio::try_join!(
            cluster.pod(namespace, target.at.name()),
            cluster.network_policies(namespace),
            cluster.policy_engine()
        )
    });
    let (live, policies, engine) = match readings.await {
        Ok(readings) => readings,
        Err(error) => return Finding::unread(&error),
    };
    let live = live.filter(|live| live.metadata.uid.as_deref() == Some(target.uid.as_str()));
    let Some(live) = live else {
        return Finding::new(Effectiveness::Effective, format!("{} is gone since", target.at));
    };
    let labels = pod::labels(&live);
    let ours = policies
        .iter()
        .find(|policy| policy.metadata.name.as_deref() == Some(at.name().as_str()));
    let Some(ours) = ours else {
        return Finding::new(Effectiveness::Ineffective, format!("{at} is not there"));
    };
    if let Some(flaw) = QuarantinePolicy::flaw(ours, &labels) {
        return Finding::new(Effectiveness::Ineffective, format!("{at} {flaw}"));
    }
    let observed = isolation(&labels, &policies, engine.as_ref());
    let expected = predicted.map(Isolation::leaks).unwrap_or_default();
    let more: Vec<String> = observed
        .leaks()
        .iter()
        .filter(|leak| !expected.contains(leak))
        .map(ToString::to_string)
        .collect();
    if !more.is_empty() {
        return Finding::new(
            Effectiveness::Ineffective,
            format!("{} leaks more than predicted: {}", target.at, more.join("; ")),
        );
    }
    match observed {
        Isolation::Unverified(_) => Finding::new(Effectiveness::Inconclusive, observed.to_string()),
        Isolation::Isolated | Isolation::IsolatedExcept(_) => {
            Finding::new(Effectiveness::Effective, observed.to_string())
        }
    }
}

/// Reads, once one of the [`VerifyLimits::concurrency`] turns is free.
async fn reading<T>(readers: &Semaphore, read: impl Future<Output = T>) -> T {
    // The semaphore is never closed; were it, reading without a turn does no harm.
    let _turn = readers.acquire().await.ok();
    read.await
}

mod removal;

use removal::Removal;

#[cfg(test)]
mod tests;
