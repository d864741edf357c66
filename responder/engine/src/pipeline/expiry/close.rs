//! The last act of an end: its policies go, or it is told why it could not be ended.

use responder_core::mode::Permit;
use responder_core::object::{ObjectRef, Uid};
use responder_core::own::{DenyingPolicy, QuarantineRecord};
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

/// Removes the policies, as the last act of this end: the one that has the record last, so that an end that is stopped in
/// between goes on.
pub(super) async fn remove<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    policy: ObjectRef,
    record: &QuarantineRecord,
    permit: &Permit,
    end: QuarantineEnd,
) -> QuarantineEnd {
    let denial = match denial(sender, record).await {
        Ok(denial) => denial,
        Err(error) => return failed(&error),
    };
    for object in denial.into_iter().chain([policy]) {
        if let UndoOutcome::Failed { because } = revert::delete(sender, object, permit).await {
            return QuarantineEnd::Failed { because };
        }
    }
    end
}

/// The policy that denies, if this quarantine has one that is still there. A policy of that name that does not belong to the
/// quarantine's pod stays: a tenant can have written the record.
async fn denial<C: Cluster>(
    sender: &ExpirySender<'_, C>,
    record: &QuarantineRecord,
) -> Result<Option<ObjectRef>, ReadError> {
    let Some(at) = DenyingPolicy::place(record) else {
        return Ok(None);
    };
    let live = sender.cluster.object(&at).await?;
    let ours = live.filter(|live| DenyingPolicy::belongs_to(record, live));
    let uid = ours.and_then(|live| Uid::new(live.pointer("/metadata/uid")?.as_str()?));
    Ok(uid.map(|uid| ObjectRef { at, uid }))
}
