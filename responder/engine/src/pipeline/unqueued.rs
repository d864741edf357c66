//! Alerts that were accepted and have no place in the queue: those that gave way to another, and those that were joined to
//! one. Each of their decisions is told like any other. Step of the flow: between match and snapshot.

use std::sync::Arc;

use responder_core::decide::{Context, refused};
use responder_core::port::{Cluster, Ledger};
use responder_core::refusal::{Refusal, RefusalReason};
use responder_core::trace::{CheckName, Trace};

use super::alert_queue::Unqueued;
use super::shared::Shared;
use crate::about::About;
use crate::accepted::AcceptedAlert;
use crate::event::Event;
use crate::queue::Displaced;
use crate::spans;

/// Tells them all. The queue's lock must be free.
pub(super) fn tell<C: Cluster, L: Ledger>(shared: &Shared<C, L>, unqueued: Unqueued) {
    for Displaced { job, cause } in unqueued.displaced {
        let repeats = match job.repeats().len() {
            0 => String::new(),
            repeats => format!(", with {repeats} repeats"),
        };
        let detail = format!(
            "it gave way to another alert while it waited{repeats}: {}",
            cause.as_str()
        );
        refuse(shared, &job, RefusalReason::Displaced, &detail);
        job.ask_again(RefusalReason::Displaced);
        job.finish();
    }
    if let Some((repeat, original)) = unqueued.joined {
        let detail = format!("it repeats alert {original}, which waits; one decision is taken for both");
        refuse(shared, &repeat, RefusalReason::Joined, &detail);
    }
}

fn refuse<C: Cluster, L: Ledger>(shared: &Shared<C, L>, accepted: &AcceptedAlert, reason: RefusalReason, detail: &str) {
    for playbook in &accepted.playbooks {
        let context = Context {
            alert: &accepted.alert,
            alert_id: accepted.id,
            sender: Some(&accepted.sender),
            playbook,
            guard: &shared.rules.guard,
            process_mode: shared.config.process_mode,
            own: &shared.config.own,
            now: shared.clock.now(),
        };
        let mut trace = Trace::default();
        trace.failed(CheckName::Queue, detail);
        let decision = Arc::new(refused(&context, None, Refusal::new(reason, detail), trace));
        let about = About {
            alert: Some(accepted.id),
            ..shared.author.about(playbook)
        }
        .of_decision(&decision);
        accepted.count_decided();
        let _in_its_span = spans::response(&accepted.span(), playbook).entered();
        shared.sinks.tell(&Event::Decided {
            accepted,
            playbook,
            about: &about,
            decision: &decision,
            claim: None,
            guard_hash: shared.rules.guard.hash,
        });
    }
}
