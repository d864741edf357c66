//! What happens, as one value that every sink is told: see [`Sinks`](crate::sinks::Sinks).

use std::sync::Arc;

use responder_core::content_hash::ContentHash;
use responder_core::decide::Decision;
use responder_core::guard::{ClaimId, ClaimKind, LedgerUsage};
use responder_core::own::QuarantineRecord;
use responder_core::playbook::Playbook;

use crate::about::{About, Author};
use crate::accepted::AcceptedAlert;
use crate::outcome::{Response, SentRequest};
use crate::quarantine_end::QuarantineEnd;
use crate::shutdown::HandedBackAlert;
use crate::verify::Verification;

/// An event of an engine. It borrows what it tells; a sink that keeps something makes a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A playbook has decided about an alert. Told before the first request of its plan is sent.
    Decided {
        accepted: &'a AcceptedAlert,
        playbook: &'a Playbook,
        about: &'a About,
        decision: &'a Arc<Decision>,
        /// The claim that was committed for it.
        claim: Option<ClaimId>,
        /// The digest of the guard as written; `None` for the built-in one.
        guard_hash: Option<ContentHash>,
    },
    /// A request was answered, or was not in time. A repetition is an event of its own.
    Requested { about: &'a About, request: &'a SentRequest },
    /// A plan has run.
    Settled {
        accepted: &'a AcceptedAlert,
        playbook: &'a Playbook,
        about: &'a About,
        response: &'a Arc<Response>,
        /// Whether its claim was taken back.
        refunded: bool,
    },
    /// A response was verified, at once or after its target had its time to end.
    Verified {
        playbook: &'a Playbook,
        about: &'a About,
        verification: &'a Verification,
    },
    /// The time of a quarantine ran out. Told again only where it ends otherwise than at the look before.
    Expired {
        /// The playbook that began it, where it is still loaded.
        playbook: Option<&'a Playbook>,
        about: &'a About,
        record: &'a QuarantineRecord,
        end: &'a QuarantineEnd,
    },
    /// An accepted alert was not finished when the engine ended.
    HandedBack {
        author: &'a Author,
        accepted: &'a AcceptedAlert,
        alert: &'a HandedBackAlert,
        /// How many of its decisions were not taken.
        undecided: usize,
    },
    /// Three quarters of a part of the ledger are taken. Told again only after more than half of it was free.
    LedgerFills {
        kind: ClaimKind,
        usage: LedgerUsage,
        /// Those whom the playbooks tell of failures.
        receivers: &'a [String],
    },
    /// A task panicked: a defect.
    Panicked {
        /// How many decisions were not taken because of it.
        undecided: usize,
    },
}
