//! The last act of an end: its policy goes, or it is told why it could not be ended.

use responder_core::mode::Permit;
use responder_core::object::ObjectRef;
use responder_core::port::{Cluster, ReadError};

use crate::outcome::UndoOutcome;
use crate::quarantine_end::QuarantineEnd;
use crate::revert;
use crate::send::RequestSender;
use crate::wait::WaitInPlace;

pub(super) type ExpirySender<'a, C> = RequestSender<'a, C, WaitInPlace>;

pub(super) fn failed(error: &ReadError) -> QuarantineEnd {
    QuarantineEnd::Failed {
        because: error.to_string(),
    }
}

/// Removes the policy, as the last act of this end.
pub(super) async fn remove<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    permit: &Permit,
    end: QuarantineEnd,
) -> QuarantineEnd {
    match revert::delete(sender, policy, permit).await {
        UndoOutcome::Failed { because } => QuarantineEnd::Failed { because },
        _ => end,
    }
}
