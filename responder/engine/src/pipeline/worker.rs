//! A ticket at work: it holds a slot and its subject's key while one playbook of its alert answers, and gives the slot up
//! before the next one does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use responder_core::alert::Priority;
use responder_core::port::{Cluster, Ledger};
use tracing::Instrument as _;

use super::respond::PlaybookRun;
use super::shared::Shared;
use crate::accepted::AcceptedAlert;
use crate::event::Event;
use crate::queue::{QueueClass, TargetKey, Ticket, Turn};
use crate::shutdown::Progress;
use crate::spans;
use crate::wait::Wait;

/// Starts every ticket whose turn it is.
pub(super) fn dispatch<C: Cluster, L: Ledger>(shared: &Arc<Shared<C, L>>) {
    while !shared.stop.is_cancelled() {
        let turn = shared.queue().work.next();
        match turn {
            Some(Turn::Start(ticket)) => shared.spawn(work(Arc::clone(shared), ticket)),
            Some(Turn::Resume(class, wake)) => {
                if wake.send(()).is_err() {
                    shared.queue().work.release_slot(class);
                }
            }
            None => return,
        }
    }
}

/// The slot of a ticket at work. It is given up while the ticket pauses, so that one slow target never stops the others.
struct Slot<C, L> {
    shared: Arc<Shared<C, L>>,
    lane: QueueClass,
    priority: Priority,
    is_held: AtomicBool,
}

impl<C: Cluster, L: Ledger> Wait for Slot<C, L> {
    async fn wait(&self, length: Duration) {
        self.is_held.store(false, Ordering::Relaxed);
        self.shared.queue().work.release_slot(self.lane);
        dispatch(&self.shared);
        tokio::time::sleep(length).await;
        let woken = self.shared.queue().work.resume(self.lane, self.priority);
        dispatch(&self.shared);
        // The sender of this channel lives in the queue, which outlives every ticket: it always answers.
        self.is_held.store(woken.await.is_ok(), Ordering::Relaxed);
    }
}

async fn work<C: Cluster, L: Ledger>(shared: Arc<Shared<C, L>>, mut ticket: Ticket<AcceptedAlert>) {
    let slot = Slot {
        shared: Arc::clone(&shared),
        lane: ticket.lane(),
        priority: ticket.priority(),
        is_held: AtomicBool::new(true),
    };
    let accepted = Arc::clone(&ticket.job);
    let answered = tokio::select! {
        biased;
        // The ticket is dropped unfinished, and its alert is found among the unfinished when they are handed back.
        () = shared.stop.cancelled() => return,
        answered = answer(&shared, &mut ticket, &slot) => answered,
    };
    {
        let mut queue = shared.queue();
        match answered {
            Answered::Busy(key) => queue.work.park(ticket, key),
            Answered::One => queue.work.give_way(ticket, slot.is_held.load(Ordering::Relaxed)),
            Answered::All => {
                queue.work.finish(ticket, slot.is_held.load(Ordering::Relaxed));
                accepted.finish();
            }
        }
        if queue.work.is_idle() {
            shared.idle.notify_waiters();
        }
    }
    dispatch(&shared);
}

/// How far a turn has brought a ticket.
enum Answered {
    /// At the target of the playbook another response works; once this key is free, the ticket goes on from there.
    Busy(TargetKey),
    /// The playbook has answered, and the next one is to.
    One,
    /// The last playbook has answered.
    All,
}

/// Lets the playbook at hand answer.
async fn answer<C: Cluster, L: Ledger>(
    shared: &Arc<Shared<C, L>>,
    ticket: &mut Ticket<AcceptedAlert>,
    slot: &Slot<C, L>,
) -> Answered {
    let accepted = Arc::clone(&ticket.job);
    let Some(playbook) = accepted.playbooks.get(ticket.next) else {
        return Answered::All;
    };
    accepted.set_progress(Progress::Deciding);
    let run = PlaybookRun {
        shared,
        accepted: &accepted,
        playbook,
        wait: slot,
    };
    let span = spans::response(&accepted.span(), playbook);
    let answered = AssertUnwindSafe(run.answer(ticket).instrument(span))
        .catch_unwind()
        .await;
    match answered {
        Ok(None) => {}
        Ok(Some(key)) => {
            accepted.set_progress(Progress::Waiting);
            return Answered::Busy(key);
        }
        // One response's panic is its own: the next playbook answers.
        Err(_) => {
            tracing::error!(playbook = %playbook.name, alert = %accepted.id, "a response panicked: a defect of responder");
            shared.sinks.tell(&Event::Panicked {
                undecided: accepted.count_undecided(ticket.next + 1),
            });
        }
    }
    shared.queue().work.release_object(ticket);
    ticket.next += 1;
    ticket.parked = 0;
    accepted.set_finished(ticket.next);
    if ticket.next < accepted.playbooks.len() {
        accepted.set_progress(Progress::Waiting);
        Answered::One
    } else {
        Answered::All
    }
}
