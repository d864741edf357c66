//! The verification of a response: whether it worked, looked at apart from the slots. Step of the flow: verify.

use std::sync::Arc;

use responder_core::plan::Plan;
use responder_core::playbook::Playbook;
use responder_core::port::{Cluster, Ledger};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::shared::Shared;
use crate::about::About;
use crate::event::Event;
use crate::latency::PipelineStage;
use crate::outcome::Response;
use crate::spans;
use crate::verify::{Effectiveness, Finding, Verification, open_expectations, verify};

/// Verifies a response, in a task of its own, which is still a part of the trace. A plan that expects nothing is not
/// verified.
pub(super) fn begin<C: Cluster, L: Ledger>(
    shared: &Arc<Shared<C, L>>,
    playbook: &Arc<Playbook>,
    plan: &Plan,
    response: &Response,
    about: About,
) {
    let expectations = open_expectations(plan, &response.steps);
    if expectations.is_empty() {
        return;
    }
    let span = spans::step(PipelineStage::Verify);
    let Ok(place) = Arc::clone(&shared.verifications).try_acquire_owned() else {
        let findings = vec![inconclusive("too many verifications are under way")];
        return span.in_scope(|| tell(shared, playbook, &about, findings));
    };
    let (task_shared, playbook) = (Arc::clone(shared), Arc::clone(playbook));
    let begun = Instant::now();
    let task = async move {
        let shared = task_shared;
        let look = async {
            let mut findings = Vec::with_capacity(expectations.len());
            for expectation in &expectations {
                let finding = verify(&*shared.cluster, expectation, shared.config.verify, &shared.readers).await;
                // A quarantine that isolates nothing keeps no evidence.
                if let Some(pod) = expectation.isolated_pod()
                    && finding.verdict == Effectiveness::Ineffective
                {
                    shared.let_go(&pod.uid).await;
                }
                findings.push(finding);
            }
            findings
        };
        let findings = tokio::select! {
            biased;
            () = shared.stop.cancelled() => vec![inconclusive("the controller was stopping")],
            findings = look => findings,
        };
        drop(place);
        shared.sinks.accounting.took(PipelineStage::Verify, begun.elapsed());
        tell(&shared, &playbook, &about, findings);
    };
    shared.spawn(task.instrument(span));
}

fn inconclusive(detail: &str) -> Finding {
    Finding {
        verdict: Effectiveness::Inconclusive,
        detail: detail.to_owned(),
    }
}

fn tell<C, L>(shared: &Shared<C, L>, playbook: &Playbook, about: &About, findings: Vec<Finding>) {
    shared.sinks.tell(&Event::Verified {
        playbook,
        about,
        verification: &Verification::of(findings),
    });
}
