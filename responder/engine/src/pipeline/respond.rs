//! One accepted alert: each of its playbooks in turn decides, acts and settles.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use responder_core::decide::{Decision, Outcome};
use responder_core::plan::Plan;
use responder_core::playbook::{NotifyMoment, Playbook};
use responder_core::port::{Clock, ClusterReader, ClusterWriter, Ledger, Notifier};
use responder_core::refusal::{Reason, Refusal};
use responder_core::target::{Subject, Target, TargetKind};

use super::{Accepted, Shared};
use crate::audit::AuditRecord;
use crate::decision::{Case, Judge, Ruling};
use crate::execute::{Execution, execute};
use crate::lane::{Key, Lane, Ticket, Turn};
use crate::rest::Rest;
use crate::send::Sender;
use crate::settle;
use crate::shutdown::Progress;
use crate::snapshot::stepped_up;
use crate::verify::{Check, Finding, Verdict, Verification, checks, verify};

/// So often a ticket waits for the key of a resolved target before it is refused as contended: only a subject whose
/// owner or node changes all the time waits more than once.
const MOST_PARKS: u32 = 8;

/// Reasons that ask for the alert to be sent again; its next delivery is no duplicate.
const SEND_AGAIN: [Reason; 4] = [
    Reason::Unreadable,
    Reason::LedgerUnavailable,
    Reason::Contended,
    Reason::ShuttingDown,
];

/// The slot of a ticket at work.
struct Slot<C, L, N, K>
where
    C: ClusterReader + ClusterWriter,
    L: Ledger,
    N: Notifier,
    K: Clock,
{
    shared: Arc<Shared<C, L, N, K>>,
    lane: Lane,
    is_held: AtomicBool,
}

impl<C, L, N, K> Rest for Slot<C, L, N, K>
where
    C: ClusterReader + ClusterWriter,
    L: Ledger,
    N: Notifier,
    K: Clock,
{
    async fn rest(&self, length: Duration) {
        self.is_held.store(false, Ordering::Relaxed);
        self.shared.entry().lanes.release_slot(self.lane);
        self.shared.dispatch();
        tokio::time::sleep(length).await;
        let woken = self.shared.entry().lanes.resume(self.lane);
        self.shared.dispatch();
        // The sender lives in the lanes, which outlive every ticket: it always answers.
        self.is_held.store(woken.await.is_ok(), Ordering::Relaxed);
    }
}

impl<C, L, N, K> Shared<C, L, N, K>
where
    C: ClusterReader + ClusterWriter,
    L: Ledger,
    N: Notifier,
    K: Clock,
{
    /// Starts whoever's turn it is.
    pub(crate) fn dispatch(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            let turn = self.entry().lanes.next();
            match turn {
                Some(Turn::Start(ticket)) => self.spawn(Arc::clone(self).work(ticket)),
                Some(Turn::Resume(lane, wake)) => {
                    if wake.send(()).is_err() {
                        self.entry().lanes.release_slot(lane);
                    }
                }
                None => return,
            }
        }
    }

    async fn work(self: Arc<Self>, mut ticket: Ticket<Accepted>) {
        let slot = Slot {
            shared: Arc::clone(&self),
            lane: ticket.lane(),
            is_held: AtomicBool::new(true),
        };
        let parked = tokio::select! {
            biased;
            // The ticket is dropped unfinished, and is found among the unfinished when they are handed back.
            () = self.stop.cancelled() => return,
            parked = self.answer(&mut ticket, &slot) => parked,
        };
        {
            let mut entry = self.entry();
            match parked {
                Some(key) => entry.lanes.park(ticket, key),
                None => entry.lanes.finish(ticket, slot.is_held.load(Ordering::Relaxed)),
            }
            if entry.lanes.is_idle() {
                self.idle.notify_waiters();
            }
        }
        self.dispatch();
    }

    /// Lets each playbook answer. `Some` key to wait for: then it goes on from the same playbook.
    async fn answer(self: &Arc<Self>, ticket: &mut Ticket<Accepted>, slot: &Slot<C, L, N, K>) -> Option<Key> {
        let job = Arc::clone(&ticket.job);
        while let Some(playbook) = job.playbooks.get(ticket.next) {
            job.set(Progress::Deciding);
            let response = AssertUnwindSafe(self.respond(ticket, slot, &job, playbook))
                .catch_unwind()
                .await;
            match response {
                Ok(None) => {}
                Ok(Some(key)) => {
                    job.set(Progress::Waiting);
                    return Some(key);
                }
                Err(_) => self.panicked(ticket.next, &job, playbook),
            }
            self.entry().lanes.give_up_object(ticket);
            ticket.next += 1;
            ticket.parked = 0;
            job.finished.store(ticket.next, Ordering::Relaxed);
        }
        None
    }

    /// One response's panic is its own: it is counted, and the next playbook answers.
    fn panicked(&self, place: usize, job: &Accepted, playbook: &Playbook) {
        self.accounting.panicked();
        tracing::error!(playbook = %playbook.name, alert = %job.id, "a response panicked: a defect of responder");
        if job.decided.load(Ordering::Relaxed) <= place {
            job.decided.store(place + 1, Ordering::Relaxed);
            self.accounting.refused(Reason::PlanUnsound);
        }
    }

    async fn respond(
        self: &Arc<Self>,
        ticket: &mut Ticket<Accepted>,
        slot: &Slot<C, L, N, K>,
        job: &Arc<Accepted>,
        playbook: &Arc<Playbook>,
    ) -> Option<Key> {
        let judge = self.judge(slot);
        let case = Case {
            alert: &job.alert,
            id: job.id,
            playbook,
        };
        if let Some(refused) = judge.screen(case).await {
            self.record(job, playbook, refused.into());
            return None;
        }
        if let Some(key) = self.key_to_hold(job, playbook).await
            && !self.entry().lanes.try_hold(ticket, &key)
        {
            if ticket.parked < MOST_PARKS {
                return Some(key);
            }
            let refused = judge.refuse(case, "target", Reason::Contended, "what it steps up to kept changing");
            self.record(job, playbook, refused.into());
            return None;
        }
        let ruling = self
            .only_what_is_held(ticket, case, &judge, judge.rule(case).await)
            .await;
        let claim = ruling.claim;
        // The audit trail has the plan before the first request is sent.
        let plan = self.record(job, playbook, ruling)?;
        job.set(Progress::Acting);
        let sender = Sender {
            cluster: &*self.ports.cluster,
            clock: &*self.ports.clock,
            rest: slot,
            accounting: &self.accounting,
        };
        let execution = execute(&sender, &plan).await;
        let refund = claim.filter(|_| execution.is_refundable);
        let refunded = match refund {
            None => false,
            Some(claim) => self
                .ports
                .ledger
                .refund(claim)
                .await
                .inspect_err(|error| {
                    tracing::warn!(%error, incident = plan.incident, "a claim could not be taken back and stays spent");
                })
                .is_ok(),
        };
        self.settle(job, playbook, &plan, &execution, refunded);
        None
    }

    fn judge<'a>(&'a self, slot: &'a Slot<C, L, N, K>) -> Judge<'a, C, L, K, Slot<C, L, N, K>> {
        Judge {
            cluster: &*self.ports.cluster,
            ledger: &*self.ports.ledger,
            clock: &*self.ports.clock,
            rest: slot,
            rules: &self.rules,
            process_mode: self.config.process_mode,
            own: &self.config.own,
            patience: self.config.patience,
            commits: true,
            accounting: Some(&self.accounting),
        }
    }

    /// The key of the owner or node that a playbook steps up to.
    async fn key_to_hold(&self, job: &Accepted, playbook: &Playbook) -> Option<Key> {
        if playbook.target == TargetKind::Pod {
            return None;
        }
        let subject = Subject::of(&job.alert).ok()?;
        // What can't be read now is read again for the decision, which then refuses.
        stepped_up(&*self.ports.cluster, &subject, playbook.target)
            .await
            .ok()
            .flatten()
    }

    /// Lets only a plan pass whose target is the one that is held: between the look for the key and the snapshot the
    /// pod's owner or node may have become another, where somebody else may be at work.
    async fn only_what_is_held(
        &self,
        ticket: &Ticket<Accepted>,
        case: Case<'_>,
        judge: &Judge<'_, C, L, K, Slot<C, L, N, K>>,
        ruling: Ruling,
    ) -> Ruling {
        let Outcome::Act { plan, .. } = &ruling.decision.outcome else {
            return ruling;
        };
        let key = match &plan.target {
            Target::Pod { .. } => return ruling,
            Target::Owner { owner, .. } => Key::Owner(owner.uid.clone()),
            Target::Node { node } => Key::Node(node.at.name().clone()),
        };
        if ticket.object() == Some(&key) {
            return ruling;
        }
        if let Some(claim) = ruling.claim {
            match self.ports.ledger.refund(claim).await {
                Ok(()) => self.accounting.refunded(),
                Err(error) => tracing::warn!(%error, "a claim could not be taken back and stays spent"),
            }
        }
        judge
            .refuse(
                case,
                "target",
                Reason::Contended,
                "what it steps up to became another meanwhile",
            )
            .into()
    }

    /// Counts and writes down a decision, and gives back its plan.
    fn record(&self, job: &Accepted, playbook: &Playbook, ruling: Ruling) -> Option<Plan> {
        let Ruling { decision, claim } = ruling;
        job.decided.fetch_add(1, Ordering::Relaxed);
        let plan = match &decision.outcome {
            Outcome::Refuse(refusal) => {
                self.refuse(job, playbook, &decision, refusal);
                None
            }
            Outcome::Act { plan, .. } => {
                self.accounting.planned(plan.mode.mode());
                Some((**plan).clone())
            }
        };
        self.audit.write(&AuditRecord::Decided {
            at: self.ports.clock.now(),
            rule: job.alert.rule().to_string(),
            playbook_hash: playbook.hash.to_string(),
            guard_hash: self.rules.guard.hash.map(|hash| hash.to_string()),
            claim,
            decision: Box::new(decision),
        });
        plan
    }

    fn refuse(&self, job: &Accepted, playbook: &Playbook, decision: &Decision, refusal: &Refusal) {
        self.accounting.refused(refusal.reason);
        if SEND_AGAIN.contains(&refusal.reason) {
            self.entry().forget(&job.id);
        }
        let message = settle::refusal_message(job.alert.rule().as_str(), refusal);
        let target = decision.target.as_ref().map(ToString::to_string);
        let target = target.or_else(|| decision.subject.as_ref().map(ToString::to_string));
        settle::tell(
            &*self.ports.notifier,
            playbook,
            NotifyMoment::Refused,
            target.as_deref(),
            &message,
        );
    }

    fn settle(
        self: &Arc<Self>,
        job: &Accepted,
        playbook: &Arc<Playbook>,
        plan: &Plan,
        execution: &Execution,
        refunded: bool,
    ) {
        let response = &execution.response;
        if refunded {
            self.accounting.refunded();
        }
        self.accounting.responded(response.outcome.as_str());
        self.audit.write(&AuditRecord::Settled {
            at: self.ports.clock.now(),
            alert: job.id,
            playbook: playbook.name.to_string(),
            refunded,
            response: Box::new(response.clone()),
        });
        let message = settle::response_message(job.alert.rule().as_str(), response);
        let moment = settle::moment(&response.outcome);
        settle::tell(
            &*self.ports.notifier,
            playbook,
            moment,
            Some(&plan.target.to_string()),
            &message,
        );
        let checks = checks(plan, &response.steps);
        if !checks.is_empty() {
            self.verify(playbook, plan, checks);
        }
    }

    /// Looks whether it worked, apart from the slots.
    fn verify(self: &Arc<Self>, playbook: &Arc<Playbook>, plan: &Plan, checks: Vec<Check>) {
        // Where every answer is known already (a pod that went at once), nobody has to look.
        if let Some(findings) = checks.iter().map(Check::known).collect::<Option<Vec<Finding>>>() {
            return self.verified(
                playbook,
                plan.incident.clone(),
                &plan.target,
                Verification::of(findings),
            );
        }
        let incident = plan.incident.clone();
        let target = plan.target.clone();
        if self.verifying.fetch_add(1, Ordering::Relaxed) >= self.config.verify.pending {
            self.verifying.fetch_sub(1, Ordering::Relaxed);
            let finding = Finding {
                verdict: Verdict::Inconclusive,
                detail: "too many verifications are under way".to_owned(),
            };
            return self.verified(playbook, incident, &target, Verification::of(vec![finding]));
        }
        let (shared, playbook) = (Arc::clone(self), Arc::clone(playbook));
        self.spawn(async move {
            let look = async {
                let mut findings = Vec::with_capacity(checks.len());
                for check in &checks {
                    findings.push(verify(&*shared.ports.cluster, check, shared.config.verify, &shared.readers).await);
                }
                findings
            };
            let findings = tokio::select! {
                biased;
                () = shared.stop.cancelled() => {
                    vec![Finding { verdict: Verdict::Inconclusive, detail: "the controller was stopping".to_owned() }]
                }
                findings = look => findings,
            };
            shared.verifying.fetch_sub(1, Ordering::Relaxed);
            shared.verified(&playbook, incident, &target, Verification::of(findings));
        });
    }

    fn verified(&self, playbook: &Playbook, incident: String, target: &Target, verification: Verification) {
        self.accounting.verified(verification.verdict.as_str());
        if let Some(message) = settle::verification_message(&incident, &verification) {
            settle::tell(
                &*self.ports.notifier,
                playbook,
                NotifyMoment::Failed,
                Some(&target.to_string()),
                &message,
            );
        }
        self.audit.write(&AuditRecord::Verified {
            at: self.ports.clock.now(),
            incident,
            verification,
        });
    }
}
