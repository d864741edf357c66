//! The answer of one playbook to one accepted alert: it decides, acts and settles. Steps of the flow: snapshot to settle.

use std::sync::Arc;

use responder_core::decide::{Decision, Outcome};
use responder_core::guard::{ClaimId, PodHold};
use responder_core::mode::Mode;
use responder_core::plan::Plan;
use responder_core::playbook::Playbook;
use responder_core::port::{Cluster, Ledger, ReadError};
use responder_core::refusal::RefusalReason;
use responder_core::target::Subject;
use responder_core::trace::{Check, CheckName, Verdict};

use super::branch_slots::BranchSlots;
use super::outage::Outage;
use super::shared::Shared;
use super::verification;
use crate::about::About;
use crate::accepted::AcceptedAlert;
use crate::decision::{CommittedDecision, Decider, DecisionRequest};
use crate::event::Event;
use crate::execute::Executor;
use crate::latency::PipelineStage;
use crate::outcome::Response;
use crate::queue::{TargetKey, Ticket};
use crate::send::RequestSender;
use crate::shutdown::Progress;
use crate::snapshot::key_of_target;
use crate::timed::timed;
use crate::verify::{OpenExpectation, open_expectations};
use crate::wait::Wait;

/// How often a ticket waits for the key of a resolved target before it is refused as contended: only a subject whose
/// owner or node changes all the time waits more than once.
const MOST_PARKS: u32 = 8;

/// Reasons that ask for the alert to be sent again; its next delivery is no duplicate.
const SEND_AGAIN: [RefusalReason; 4] = [
    RefusalReason::Unreadable,
    RefusalReason::LedgerUnavailable,
    RefusalReason::Contended,
    RefusalReason::ShuttingDown,
];

/// One playbook at work on one accepted alert.
pub(super) struct PlaybookRun<'a, C, L, W> {
    pub(super) shared: &'a Arc<Shared<C, L>>,
    pub(super) accepted: &'a AcceptedAlert,
    pub(super) playbook: &'a Arc<Playbook>,
    pub(super) wait: &'a W,
}

/// A decision, or the key of a target at which another response works.
type DecidedOrBusy = Result<CommittedDecision, TargetKey>;

impl<C: Cluster, L: Ledger, W: Wait> PlaybookRun<'_, C, L, W> {
    /// Decides, acts and settles. `Some`: the key of a target at which another response works; nothing is decided, and
    /// the playbook answers once the key is free.
    pub(super) async fn answer(&self, ticket: &mut Ticket<AcceptedAlert>) -> Option<TargetKey> {
        let committed = match self.decide(ticket).await {
            Ok(committed) => committed,
            Err(busy) => return Some(busy),
        };
        let claim = committed.claim;
        let about = self.about().of_decision(&committed.decision);
        let decision = self.record(committed, &about);
        self.shared.watch_ledger();
        if let Outcome::Act { plan, claim: asked } = &decision.outcome {
            let slots = BranchSlots::new(self.shared, asked, plan.owner_replicas);
            self.act(plan, claim, slots, about).await;
        }
        None
    }

    /// While the cluster does not answer, the alert waits, and is refused once it is too old: its sender does not send it
    /// again (Falco never does).
    async fn decide(&self, ticket: &mut Ticket<AcceptedAlert>) -> DecidedOrBusy {
        let shared = self.shared;
        let decider = self.decider();
        let request = self.request();
        let mut outage = Outage::new();
        loop {
            if let Some(refused) = decider.screen(request).await {
                return Ok(refused.into());
            }
            match self.key_to_hold().await {
                Ok(Some(key)) if !shared.queue().work.try_hold(ticket, &key) => {
                    if ticket.parked < MOST_PARKS {
                        return Err(key);
                    }
                    return Ok(self.contended(&decider, "kept changing"));
                }
                Err(error) => {
                    // What can't be read is read again for the decision, which then says so.
                    if let Some(pause) = outage.pause(error.kind) {
                        self.wait.wait(pause).await;
                        continue;
                    }
                }
                Ok(_) => {}
            }
            let committed = decider.decide_and_commit(request).await;
            match committed.unread.and_then(|kind| outage.pause(kind)) {
                Some(pause) => self.wait.wait(pause).await,
                None => return Ok(self.only_what_is_held(ticket, &decider, committed).await),
            }
        }
    }

    fn request(&self) -> DecisionRequest<'_> {
        DecisionRequest {
            alert: &self.accepted.alert,
            id: self.accepted.id,
            sender: Some(&self.accepted.sender),
            playbook: self.playbook,
        }
    }

    fn decider(&self) -> Decider<'_, C, L, W> {
        let shared = self.shared;
        Decider {
            cluster: &*shared.cluster,
            ledger: &*shared.ledger,
            clock: &*shared.clock,
            wait: self.wait,
            sensors: &shared.sensors,
            rules: &shared.rules,
            process_mode: shared.config.process_mode,
            own: &shared.config.own,
            patience: shared.config.patience,
            commits: true,
            accounting: Some(&shared.sinks.accounting),
        }
    }

    /// The key of the object that the playbook acts on.
    async fn key_to_hold(&self) -> Result<Option<TargetKey>, ReadError> {
        let Ok(subject) = Subject::of(&self.accepted.alert) else {
            return Ok(None);
        };
        let (target, patience) = (self.playbook.target, self.shared.config.patience);
        let hosts = self.shared.sensors.hosts.under(&self.shared.rules.guard);
        key_of_target(&*self.shared.cluster, self.wait, hosts, &subject, target, patience).await
    }

    /// Lets only a plan pass whose target is the one that is held: between the look for the key and the snapshot the
    /// pod's owner or node may have become another, at which another response may work.
    async fn only_what_is_held(
        &self,
        ticket: &Ticket<AcceptedAlert>,
        decider: &Decider<'_, C, L, W>,
        committed: CommittedDecision,
    ) -> CommittedDecision {
        let Outcome::Act { plan, .. } = &committed.decision.outcome else {
            return committed;
        };
        if ticket.holds(&TargetKey::of_target(&plan.target)) {
            return committed;
        }
        if let Some(claim) = committed.claim {
            self.shared.refund(claim, &plan.incident).await;
        }
        self.contended(decider, "changed while this was decided")
    }

    fn contended(&self, decider: &Decider<'_, C, L, W>, change: &str) -> CommittedDecision {
        let detail = format!("the {} that the playbook acts on {change}", self.playbook.target);
        let refused = decider.refuse(self.request(), CheckName::Target, RefusalReason::Contended, detail);
        refused.into()
    }

    fn about(&self) -> About {
        About {
            alert: Some(self.accepted.id),
            ..self.shared.author.about(self.playbook)
        }
    }

    /// Tells the decision, before its first request is sent.
    fn record(&self, committed: CommittedDecision, about: &About) -> Arc<Decision> {
        let CommittedDecision {
            mut decision, claim, ..
        } = committed;
        let repeats = self.accepted.repeats().len();
        if repeats > 0 {
            let check = Check {
                name: CheckName::Queue,
                verdict: Verdict::Passed,
                detail: format!("decided for {} alerts: {repeats} repeats waited with it", repeats + 1),
            };
            decision.trace.checks.insert(0, check);
        }
        let decision = Arc::new(decision);
        self.accepted.count_decided();
        if let Outcome::Refuse(refusal) = &decision.outcome
            && SEND_AGAIN.contains(&refusal.reason)
        {
            self.accepted.ask_again(refusal.reason);
            self.shared.queue().forget(self.accepted);
        }
        self.shared.sinks.tell(&Event::Decided {
            accepted: self.accepted,
            playbook: self.playbook,
            about,
            decision: &decision,
            claim,
            guard_hash: self.shared.rules.guard.hash,
        });
        decision
    }

    async fn act(&self, plan: &Plan, claim: Option<ClaimId>, slots: BranchSlots<'_, C, L>, about: About) {
        let shared = self.shared;
        self.accepted.set_progress(Progress::Acting);
        let sender = RequestSender {
            cluster: &*shared.cluster,
            clock: &*shared.clock,
            wait: self.wait,
            sinks: &shared.sinks,
            about: &about,
        };
        let accounting = Some(&*shared.sinks.accounting);
        let executor = Executor {
            sender: &sender,
            budget: &slots,
            plan,
        };
        // On the heap: a branch of a branch nests the future.
        let execution = timed(PipelineStage::Act, accounting, Box::pin(executor.execute())).await;
        let mut refunded = false;
        if execution.is_refundable {
            for claim in claim.into_iter().chain(slots.taken()) {
                refunded |= shared.refund(claim, &plan.incident).await;
            }
        }
        let response = Arc::new(execution.response);
        shared.sinks.tell(&Event::Settled {
            accepted: self.accepted,
            playbook: self.playbook,
            about: &about,
            response: &response,
            refunded,
        });
        shared.hold(held(self.playbook, plan, &response)).await;
        verification::begin(shared, self.playbook, plan, &response, about);
    }
}

/// The pods that a response has really put into quarantine.
fn held(playbook: &Playbook, plan: &Plan, response: &Response) -> Vec<PodHold> {
    if plan.mode.mode() != Mode::Enforce {
        return Vec::new();
    }
    let quarantined = |expectation: &OpenExpectation| {
        let pod = expectation.isolated_pod()?.uid.clone();
        Some(PodHold {
            pod,
            incident: plan.incident.clone(),
            playbook: playbook.name.clone(),
        })
    };
    open_expectations(plan, &response.steps)
        .iter()
        .filter_map(quarantined)
        .collect()
}
