//! The faults that a test queues, and the requests that it looks at afterwards.

use std::collections::VecDeque;

use jiff::Timestamp;
use responder_core::port::{ReadErrorKind, Reply, SendErrorKind};
use responder_core::request::Request;

/// A request that the cluster has received.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedRequest {
    /// The request.
    pub request: Request,
    /// Whether it carried `dryRun`.
    pub dry_run: bool,
    /// When it arrived, by the cluster's clock.
    pub at: Timestamp,
    /// The cluster's answer.
    pub outcome: Result<Reply, SendErrorKind>,
}

/// A fault of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFault {
    /// The request is refused with this error and changes nothing.
    Refused(SendErrorKind),
    /// The request is carried out and its answer is lost: [`SendErrorKind::Unknown`].
    AnswerLost,
}

/// Faults queued for the next sends and reads.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) sends: VecDeque<SendFault>,
    pub(super) reads: VecDeque<ReadErrorKind>,
}

impl Faults {
    pub(super) fn next_send(&mut self) -> Option<SendFault> {
        self.sends.pop_front()
    }

    pub(super) fn next_read(&mut self) -> Option<ReadErrorKind> {
        self.reads.pop_front()
    }
}
