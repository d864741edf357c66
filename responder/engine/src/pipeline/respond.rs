//! One accepted alert: each of its playbooks in turn decides, acts and settles.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use responder_core::decide::{Decision, Outcome};
use responder_core::notify::NotifyMoment;
use responder_core::plan::Plan;
use responder_core::playbook::Playbook;
use responder_core::port::{Cluster, Ledger, ReadError};
use responder_core::refusal::{Refusal, RefusalReason};
use responder_core::target::{Subject, Target, TargetKind};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::outage::Outage;
use super::shared::Shared;
use crate::about::About;
use crate::accepted::AcceptedAlert;
use crate::audit::{AuditRecord, Trail};
use crate::decision::{CommittedDecision, Decider, DecisionRequest};
use crate::execute::{Execution, execute};
use crate::latency::PipelineStage;
use crate::queue::{QueueClass, TargetKey, Ticket, Turn};
use crate::send::RequestSender;
use crate::settle;
use crate::shutdown::Progress;
use crate::snapshot::stepped_up;
use crate::spans;
use crate::verify::{Effectiveness, Finding, OpenExpectation, Verification, checks, verify};
use crate::wait::Wait;

/// So often a ticket waits for the key of a resolved target before it is refused as contended: only a subject whose
/// owner or node changes all the time waits more than once.
const MOST_PARKS: u32 = 8;

/// Reasons that ask for the alert to be sent again; its next delivery is no duplicate.
const SEND_AGAIN: [RefusalReason; 4] = [
    RefusalReason::Unreadable,
    RefusalReason::LedgerUnavailable,
    RefusalReason::Contended,
    RefusalReason::ShuttingDown,
];

/// The slot of a ticket at work.
struct Slot<C, L>
where
    C: Cluster,
    L: Ledger,
{
    shared: Arc<Shared<C, L>>,
    class: QueueClass,
    is_held: AtomicBool,
}

impl<C, L> Wait for Slot<C, L>
where
    C: Cluster,
    L: Ledger,
{
    async fn wait(&self, length: Duration) {
        self.is_held.store(false, Ordering::Relaxed);
        self.shared.queue().work.release_slot(self.class);
        self.shared.dispatch();
        tokio::time::sleep(length).await;
        let woken = self.shared.queue().work.resume(self.class);
        self.shared.dispatch();
        // The sender lives in the queue, which outlives every ticket: it always answers.
        self.is_held.store(woken.await.is_ok(), Ordering::Relaxed);
    }
}

impl<C, L> Shared<C, L>
where
    C: Cluster,
    L: Ledger,
{
    /// Starts whoever's turn it is.
    pub(super) fn dispatch(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            let turn = self.queue().work.next();
            match turn {
                Some(Turn::Start(ticket)) => self.spawn(Arc::clone(self).work(ticket)),
                Some(Turn::Resume(class, wake)) => {
                    if wake.send(()).is_err() {
                        self.queue().work.release_slot(class);
                    }
                }
                None => return,
            }
        }
    }

    async fn work(self: Arc<Self>, mut ticket: Ticket<AcceptedAlert>) {
        let slot = Slot {
            shared: Arc::clone(&self),
            class: ticket.class(),
            is_held: AtomicBool::new(true),
        };
        let job = Arc::clone(&ticket.job);
        let parked = tokio::select! {
            biased;
            // The ticket is dropped unfinished, and is found among the unfinished when they are handed back.
            () = self.stop.cancelled() => return,
            parked = self.answer(&mut ticket, &slot) => parked,
        };
        {
            let mut queue = self.queue();
            if let Some(key) = parked {
                queue.work.park(ticket, key);
            } else {
                queue.work.finish(ticket, slot.is_held.load(Ordering::Relaxed));
                job.finish();
            }
            if queue.work.is_idle() {
                self.idle.notify_waiters();
            }
        }
        self.dispatch();
    }

    /// Lets each playbook answer. `Some` key to wait for: then it goes on from the same playbook.
    async fn answer(self: &Arc<Self>, ticket: &mut Ticket<AcceptedAlert>, slot: &Slot<C, L>) -> Option<TargetKey> {
        let job = Arc::clone(&ticket.job);
        while let Some(playbook) = job.playbooks.get(ticket.next) {
            job.set_progress(Progress::Deciding);
            let span = spans::response(&job.span(), playbook);
            let response = AssertUnwindSafe(self.respond(ticket, slot, &job, playbook).instrument(span))
                .catch_unwind()
                .await;
            match response {
                Ok(None) => {}
                Ok(Some(key)) => {
                    job.set_progress(Progress::Waiting);
                    return Some(key);
                }
                Err(_) => self.panicked(ticket.next, &job, playbook),
            }
            self.queue().work.release_object(ticket);
            ticket.next += 1;
            ticket.parked = 0;
            job.set_finished(ticket.next);
        }
        None
    }

    /// One response's panic is its own: it is counted, and the next playbook answers.
    fn panicked(&self, place: usize, job: &AcceptedAlert, playbook: &Playbook) {
        self.accounting.panicked();
        tracing::error!(playbook = %playbook.name, alert = %job.id, "a response panicked: a defect of responder");
        for _ in 0..job.count_undecided(place + 1) {
            self.accounting.refused(RefusalReason::PlanUnsound);
        }
    }

    async fn respond(
        self: &Arc<Self>,
        ticket: &mut Ticket<AcceptedAlert>,
        slot: &Slot<C, L>,
        job: &Arc<AcceptedAlert>,
        playbook: &Arc<Playbook>,
    ) -> Option<TargetKey> {
        let decider = self.decider(slot);
        let request = DecisionRequest {
            alert: &job.alert,
            id: job.id,
            sender: Some(&job.sender),
            playbook,
        };
        // While the cluster does not answer, the alert waits, and is refused once it is too old: its sender does not send
        // it again (Falco never does).
        let mut outage = Outage::new();
        let committed = loop {
            if let Some(refused) = decider.screen(request).await {
                self.record(job, playbook, refused.into());
                return None;
            }
            match self.key_to_hold(job, playbook).await {
                Ok(Some(key)) if !self.queue().work.try_hold(ticket, &key) => {
                    if ticket.parked < MOST_PARKS {
                        return Some(key);
                    }
                    let refused = decider.refuse(
                        request,
                        "target",
                        RefusalReason::Contended,
                        "what it steps up to kept changing",
                    );
                    self.record(job, playbook, refused.into());
                    return None;
                }
                Err(error) => {
                    // What can't be read is read again for the decision, which then says so.
                    if let Some(pause) = outage.pause(error.kind) {
                        slot.wait(pause).await;
                        continue;
                    }
                }
                Ok(_) => {}
            }
            let committed = decider.decide_and_commit(request).await;
            match committed.unread.and_then(|kind| outage.pause(kind)) {
                Some(pause) => slot.wait(pause).await,
                None => break self.only_what_is_held(ticket, request, &decider, committed).await,
            }
        };
        let claim = committed.claim;
        // The audit trail has the plan before the first request is sent.
        let plan = self.record(job, playbook, committed)?;
        job.set_progress(Progress::Acting);
        let about = self.about_plan(job, playbook, &plan);
        let sender = RequestSender {
            cluster: &*self.ports.cluster,
            clock: &*self.ports.clock,
            wait: slot,
            accounting: &self.accounting,
            trail: Some(Trail {
                audit: &*self.ports.audit,
                about: &about,
            }),
        };
        let begun = Instant::now();
        let execution = execute(&sender, &plan)
            .instrument(spans::step(PipelineStage::Act))
            .await;
        self.accounting.took(PipelineStage::Act, begun.elapsed());
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
        self.settle(job, playbook, &plan, &execution, refunded, about);
        None
    }

    fn about_plan(&self, job: &AcceptedAlert, playbook: &Playbook, plan: &Plan) -> About {
        self.about(job.id, playbook).of_plan(plan)
    }

    fn decider<'a>(&'a self, slot: &'a Slot<C, L>) -> Decider<'a, C, L, Slot<C, L>> {
        Decider {
            cluster: &*self.ports.cluster,
            ledger: &*self.ports.ledger,
            clock: &*self.ports.clock,
            wait: slot,
            rules: &self.rules,
            process_mode: self.config.process_mode,
            own: &self.config.own,
            patience: self.config.patience,
            commits: true,
            accounting: Some(&self.accounting),
        }
    }

    /// The key of the owner or node that a playbook steps up to.
    async fn key_to_hold(&self, job: &AcceptedAlert, playbook: &Playbook) -> Result<Option<TargetKey>, ReadError> {
        match Subject::of(&job.alert) {
            Ok(subject) if playbook.target != TargetKind::Pod => {
                stepped_up(&*self.ports.cluster, &subject, playbook.target).await
            }
            _ => Ok(None),
        }
    }

    /// Lets only a plan pass whose target is the one that is held: between the look for the key and the snapshot the
    /// pod's owner or node may have become another, where somebody else may be at work.
    async fn only_what_is_held(
        &self,
        ticket: &Ticket<AcceptedAlert>,
        request: DecisionRequest<'_>,
        decider: &Decider<'_, C, L, Slot<C, L>>,
        committed: CommittedDecision,
    ) -> CommittedDecision {
        let Outcome::Act { plan, .. } = &committed.decision.outcome else {
            return committed;
        };
        let key = match &plan.target {
            Target::Pod { .. } => return committed,
            Target::Owner { owner, .. } => TargetKey::Owner(owner.uid.clone()),
            Target::Node { node } => TargetKey::Node(node.at.name().clone()),
        };
        if ticket.object() == Some(&key) {
            return committed;
        }
        if let Some(claim) = committed.claim {
            match self.ports.ledger.refund(claim).await {
                Ok(()) => self.accounting.refunded(),
                Err(error) => tracing::warn!(%error, "a claim could not be taken back and stays spent"),
            }
        }
        decider
            .refuse(
                request,
                "target",
                RefusalReason::Contended,
                "what it steps up to became another meanwhile",
            )
            .into()
    }

    /// Counts and writes down a decision, and gives back its plan.
    fn record(&self, job: &AcceptedAlert, playbook: &Playbook, committed: CommittedDecision) -> Option<Plan> {
        let CommittedDecision { decision, claim, .. } = committed;
        job.count_decided();
        self.accounting.decided_after(job.class, job.accepted_at.elapsed());
        let about = match &decision.outcome {
            Outcome::Act { plan, .. } => self.about_plan(job, playbook, plan),
            Outcome::Refuse(_) => self.about(job.id, playbook).of_refused(&decision),
        };
        let plan = match &decision.outcome {
            Outcome::Refuse(refusal) => {
                spans::decided(&about, Some(refusal.reason.as_str()));
                self.refuse(job, playbook, &decision, refusal);
                None
            }
            Outcome::Act { plan, .. } => {
                spans::decided(&about, None);
                self.accounting.planned(plan.mode.mode());
                Some((**plan).clone())
            }
        };
        self.ports.audit.write(&AuditRecord::Decided {
            at: self.ports.clock.now(),
            about,
            rule: job.alert.rule().to_string(),
            sender: job.sender.clone(),
            guard_hash: self.rules.guard.hash.map(|hash| hash.to_string()),
            claim,
            decision: Box::new(decision),
        });
        plan
    }

    fn refuse(&self, job: &AcceptedAlert, playbook: &Playbook, decision: &Decision, refusal: &Refusal) {
        self.accounting.refused(refusal.reason);
        if SEND_AGAIN.contains(&refusal.reason) {
            // A later playbook's reason adds nothing: one is enough to send it again.
            job.ask_again(refusal.reason);
            self.queue().forget(&job.id);
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
        job: &AcceptedAlert,
        playbook: &Arc<Playbook>,
        plan: &Plan,
        execution: &Execution,
        refunded: bool,
        about: About,
    ) {
        let response = &execution.response;
        spans::settled(response);
        let settling = spans::settle().entered();
        if refunded {
            self.accounting.refunded();
        }
        self.accounting.responded(response.outcome.as_str());
        self.accounting.settled_after(job.class, job.accepted_at.elapsed());
        self.ports.audit.write(&AuditRecord::Settled {
            at: self.ports.clock.now(),
            about: about.clone(),
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
        drop(settling);
        let checks = checks(plan, &response.steps);
        if !checks.is_empty() {
            self.verify(playbook, checks, about);
        }
    }

    /// Looks whether it worked, apart from the slots.
    fn verify(self: &Arc<Self>, playbook: &Arc<Playbook>, checks: Vec<OpenExpectation>, about: About) {
        let span = spans::step(PipelineStage::Verify);
        // Where every answer is known already (a pod that went at once), nobody has to look.
        if let Some(findings) = checks
            .iter()
            .map(OpenExpectation::known)
            .collect::<Option<Vec<Finding>>>()
        {
            return span.in_scope(|| self.verified(playbook, about, Verification::of(findings)));
        }
        let Ok(place) = Arc::clone(&self.verifications).try_acquire_owned() else {
            let finding = Finding {
                verdict: Effectiveness::Inconclusive,
                detail: "too many verifications are under way".to_owned(),
            };
            return span.in_scope(|| self.verified(playbook, about, Verification::of(vec![finding])));
        };
        let (shared, playbook) = (Arc::clone(self), Arc::clone(playbook));
        let begun = Instant::now();
        // A task of its own, and still a part of the trace.
        let task = async move {
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
                    vec![Finding { verdict: Effectiveness::Inconclusive, detail: "the controller was stopping".to_owned() }]
                }
                findings = look => findings,
            };
            drop(place);
            shared.accounting.took(PipelineStage::Verify, begun.elapsed());
            shared.verified(&playbook, about, Verification::of(findings));
        };
        self.spawn(task.instrument(span));
    }

    fn verified(&self, playbook: &Playbook, about: About, verification: Verification) {
        self.accounting.verified(verification.verdict.as_str());
        Span::current().record("responder.outcome", verification.verdict.as_str());
        if let Some(message) =
            settle::verification_message(about.incident.as_deref().unwrap_or_default(), &verification)
        {
            settle::tell(
                &*self.ports.notifier,
                playbook,
                NotifyMoment::Failed,
                about.target.as_deref(),
                &message,
            );
        }
        self.ports.audit.write(&AuditRecord::Verified {
            at: self.ports.clock.now(),
            about,
            verification,
        });
    }
}
