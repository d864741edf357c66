//! What became of a response: per request, per step, and as a whole. Written by execute and revert, read by every sink.

mod request;
mod response;
mod sent;
mod undo;

pub use request::{FailureReason, NotSentReason, RequestOutcome, RequestReport};
pub use response::{BranchReport, Response, ResponseOutcome, StepReport};
pub use sent::SentRequest;
pub use undo::{UndoOutcome, UndoReport};
