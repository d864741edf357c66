//! Explanations: the same snapshot and the same decision as in the pipeline, and nothing is sent. For `explain` and
//! `replay`.

use std::time::Duration;

use responder_core::alert::{Alert, AlertId};
use responder_core::decide::{Decision, OwnIdentity};
use responder_core::mode::Mode;
use responder_core::playbook_name::PlaybookName;
use responder_core::port::{Clock, ClusterReader, Ledger};
use responder_core::trace::Trace;
use serde::Serialize;

use crate::config::RuleSet;
use crate::decision::{Decider, DecisionRequest};
use crate::sensor::SensorNodes;
use crate::wait::WaitInPlace;

/// The rules and the identity that an alert is explained by.
#[derive(Debug, Clone, Copy)]
pub struct ExplainOptions<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// The ceiling of the process.
    pub process_mode: Mode,
    /// The controller's own namespace and pod.
    pub own: &'a OwnIdentity,
    /// Whether claims are committed, so that limits and budgets show over a row of alerts (`replay`, on a ledger of its
    /// own). A question about one alert (`explain`) commits nothing.
    pub commits: bool,
}

/// The decisions that would be taken about an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The alert.
    pub alert: AlertId,
    /// A decision for each playbook that matched, in the order in which they would be taken.
    pub matched: Vec<Decision>,
    /// The other playbooks, with the parts of their match.
    pub unmatched: Vec<UnmatchedPlaybook>,
}

/// A playbook that an alert did not match.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmatchedPlaybook {
    /// The playbook.
    pub playbook: PlaybookName,
    /// The parts of its match, with those that did not hold.
    pub trace: Trace,
}

/// Explains one alert against all playbooks. It waits for nothing: a container that the status does not show yet counts
/// as not there.
pub async fn explain<C: ClusterReader, L: Ledger>(
    cluster: &C,
    ledger: &L,
    clock: &dyn Clock,
    options: ExplainOptions<'_>,
    alert: &Alert,
) -> Explanation {
    let id = alert.id();
    let sensors = SensorNodes::default();
    let decider = Decider {
        cluster,
        ledger,
        clock,
        wait: &WaitInPlace,
        sensors: &sensors,
        rules: options.rules,
        process_mode: options.process_mode,
        own: options.own,
        patience: Duration::ZERO,
        commits: options.commits,
        accounting: None,
    };
    let matching = options.rules.index.matching(alert);
    let mut matched = Vec::with_capacity(matching.len());
    for playbook in &matching {
        let request = DecisionRequest {
            alert,
            id,
            sender: None,
            playbook,
        };
        let decision = match decider.screen(request).await {
            Some(refused) => refused,
            None => decider.decide_and_commit(request).await.decision,
        };
        matched.push(decision);
    }
    let others = options
        .rules
        .index
        .playbooks()
        .iter()
        .filter(|playbook| !matching.iter().any(|matched| matched.name == playbook.name));
    let unmatched = others.map(|playbook| {
        let mut trace = Trace::default();
        playbook.alert_match.trace(alert, &mut trace);
        UnmatchedPlaybook {
            playbook: playbook.name.clone(),
            trace,
        }
    });
    Explanation {
        alert: id,
        matched,
        unmatched: unmatched.collect(),
    }
}
