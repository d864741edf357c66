//! Sends one request: deadline, repetition, and a second look where the answer may mean another object. Step of the flow:
//! act. The only caller of [`ClusterWriter::send`](responder_core::port::ClusterWriter::send).

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use responder_core::mode::Permit;
use responder_core::port::{Clock, Cluster, ReadError, Reply, SendError, SendErrorKind};
use responder_core::request::{Armed, DEFAULT_DEADLINE, Request, Verb};
use responder_core::span::Span;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::about::About;
use crate::event::Event;
use crate::lookup::{Lookup, lookup, our_own};
use crate::outcome::{FailureReason, NotSentReason, RequestOutcome, RequestReport, SentRequest};
use crate::retry::{MOST_TRIES, Pace, Pauses, Reaction, reaction};
use crate::sinks::Sinks;
use crate::spans;
use crate::wait::Wait;

/// How far past the deadline the answer is taken to be lost: the adapter's own deadline comes first.
const ADAPTER_GRACE: Duration = Duration::from_millis(250);

/// The ports that requests of one response go through, and the head of their records.
pub(crate) struct RequestSender<'a, C, R> {
    pub(crate) cluster: &'a C,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) wait: &'a R,
    pub(crate) sinks: &'a Sinks,
    pub(crate) about: &'a About,
}

/// The bounds of one request, repetitions included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendOptions {
    /// The end of the step's time.
    pub(crate) deadline: Instant,
    /// The end of the alert's time; `None` where no alert could become too old.
    pub(crate) valid_until: Option<Timestamp>,
    /// Whether the request undoes an earlier one.
    pub(crate) undoes: bool,
}

impl SendOptions {
    /// For an undo, which is never too late.
    pub(crate) fn undo() -> Self {
        Self {
            undoes: true,
            ..Self::expiry()
        }
    }

    /// For a new request at the end of a quarantine.
    pub(crate) fn expiry() -> Self {
        Self {
            deadline: Instant::now() + UNDO_TIMEOUT,
            valid_until: None,
            undoes: false,
        }
    }
}

/// The time of one undo, repetitions included.
const UNDO_TIMEOUT: Duration = Duration::from_secs(30);

/// One request on its way.
struct Attempt<'a> {
    /// The request, or its latest rebase.
    request: Cow<'a, Request>,
    permit: &'a Permit,
    tries: Tries,
}

/// The tries of a request, rebases included.
struct Tries {
    undoes: bool,
    count: u32,
    /// Whether it is certain that no try was carried out.
    is_certain: bool,
}

impl<C: Cluster, R: Wait> RequestSender<'_, C, R> {
    /// Sends one request as far as the permit goes.
    pub(crate) async fn send(&self, request: &Request, permit: &Permit, options: SendOptions) -> RequestReport {
        let mut attempt = Attempt {
            request: Cow::Borrowed(request),
            permit,
            tries: Tries {
                undoes: options.undoes,
                count: 0,
                is_certain: true,
            },
        };
        let outcome = self.attempt(&mut attempt, options).await;
        RequestReport {
            request: request.to_string(),
            tries: attempt.tries.count,
            outcome,
        }
    }

    async fn attempt(&self, attempt: &mut Attempt<'_>, options: SendOptions) -> RequestOutcome {
        let verb = attempt.request.verb();
        let begun = Instant::now();
        let mut pauses = Pauses::new();
        let mut last: Option<SendError> = None;
        loop {
            let Some(armed) = attempt.request.armed(attempt.permit) else {
                return RequestOutcome::NotSent {
                    because: NotSentReason::Observed,
                };
            };
            if options.valid_until.is_some_and(|end| self.clock.now() > end) {
                return match attempt.tries.count {
                    0 => RequestOutcome::NotSent {
                        because: NotSentReason::Expired,
                    },
                    _ => RequestOutcome::Expired {
                        is_certain: attempt.tries.is_certain,
                    },
                };
            }
            let left = options.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || attempt.tries.count >= MOST_TRIES {
                return attempt.failed(last.as_ref());
            }
            let span = spans::request(armed, attempt.tries.count + 1);
            let sent = self.once(armed, &mut attempt.tries, left.min(DEFAULT_DEADLINE));
            let error = match sent.instrument(span).await {
                Ok(Reply::Rehearsed) => return RequestOutcome::Rehearsed,
                Ok(reply) => return RequestOutcome::Done { reply },
                Err(error) => error,
            };
            let pace = match self.after(verb, &error, attempt).await {
                Ok(pace) => pace,
                Err(outcome) => return outcome,
            };
            let mut pause = pauses.next(pace, error.retry_after);
            let left = options.deadline.saturating_duration_since(Instant::now());
            if let (SendErrorKind::BlockedByBudget, Some(patience)) = (error.kind, blocked_for(&attempt.request)) {
                let patience = (begun + patience).saturating_duration_since(Instant::now());
                if patience.is_zero() {
                    return attempt.failed(Some(&error));
                }
                // The last try is at the end of the patience and not before it.
                pause = pause.min(patience);
            }
            if pause >= left {
                return attempt.failed(Some(&error));
            }
            self.wait.wait(pause).await;
            if error.kind == SendErrorKind::Conflict && attempt.rebases_on_conflict() {
                match self.rebased(attempt, &error).await {
                    Ok(request) => attempt.request = Cow::Owned(request),
                    Err(outcome) => return outcome,
                }
            }
            last = Some(error);
        }
    }

    async fn once(&self, armed: Armed<'_>, tries: &mut Tries, limit: Duration) -> Result<Reply, SendError> {
        tries.count += 1;
        let begun = Instant::now();
        let answer = tokio::time::timeout(limit + ADAPTER_GRACE, self.cluster.send(armed, limit)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(SendError {
                request: armed.request().to_string(),
                kind: SendErrorKind::Timeout,
                detail: format!("no answer within {} ms", limit.as_millis()),
                retry_after: None,
            })
        });
        if let Err(error) = &answer {
            // A dry run changes nothing, however it ends.
            tries.is_certain &= error.kind.is_certainly_undone() || armed.is_dry_run();
        }
        let request = armed.request();
        self.sinks.tell(&Event::Requested {
            about: self.about,
            request: &SentRequest {
                verb: request.verb(),
                object: request.at().to_string(),
                uid: match &answer {
                    Ok(Reply::Created(uid)) => Some(uid.clone()),
                    _ => request.target().map(|target| target.uid.clone()),
                },
                dry_run: armed.is_dry_run(),
                undoes: tries.undoes,
                attempt: tries.count,
                answer: match &answer {
                    Ok(_) => "done",
                    Err(error) => error.kind.as_str(),
                },
                detail: answer.as_ref().err().map(|error| error.detail.clone()),
                took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
        });
        answer
    }

    /// The pace of the next try after a failure, or the outcome.
    async fn after(&self, verb: Verb, error: &SendError, attempt: &Attempt<'_>) -> Result<Pace, RequestOutcome> {
        let failed = || attempt.failed(Some(error));
        let request = &attempt.request;
        match reaction(verb, error.kind) {
            Reaction::Repeat(pace) => Ok(pace),
            Reaction::Stop => Err(failed()),
            Reaction::ReadThenStop => Err(self.second_look(request, attempt).await.unwrap_or_else(failed)),
            // The rebase reads the object after the pause.
            Reaction::ReadThenRepeat(pace)
                if error.kind == SendErrorKind::Conflict && attempt.rebases_on_conflict() =>
            {
                Ok(pace)
            }
            Reaction::ReadThenRepeat(pace) => match self.second_look(request, attempt).await {
                Some(outcome) => Err(outcome),
                // The patch was right for the state that was read, which has changed: the caller reads again.
                None if is_bound_to_version(request) => Err(failed()),
                None => Ok(pace),
            },
        }
    }

    /// The request for the current state of its object, after a conflict: another writer has changed the object since the
    /// list was computed.
    async fn rebased(&self, attempt: &Attempt<'_>, conflict: &SendError) -> Result<Request, RequestOutcome> {
        let is_certain = attempt.tries.is_certain;
        let Request::Patch { target, patch } = &*attempt.request else {
            return Err(attempt.failed(Some(conflict)));
        };
        match read_again(lookup(self.cluster, target).await) {
            None => Err(attempt.failed(Some(conflict))),
            Some(Lookup::Gone) => Err(RequestOutcome::TargetGone { is_certain }),
            Some(Lookup::Replaced(found)) => Err(RequestOutcome::TargetReplaced { found, is_certain }),
            Some(Lookup::Same(seen)) => match patch.rebased(&seen.fields) {
                Ok(patch) => Ok(Request::Patch {
                    target: target.clone(),
                    patch,
                }),
                Err(problem) => Err(RequestOutcome::Failed {
                    because: FailureReason::from(conflict),
                    detail: problem.to_string(),
                    is_certain,
                }),
            },
        }
    }

    /// The outcome that the object shows; `None` where it shows none, or could not be read.
    async fn second_look(&self, request: &Request, attempt: &Attempt<'_>) -> Option<RequestOutcome> {
        let is_certain = attempt.tries.is_certain;
        if let Request::Create { object } = request {
            let uid = read_again(our_own(self.cluster, object).await)??;
            return Some(match attempt.permit {
                Permit::Act(_) => RequestOutcome::Done {
                    reply: Reply::Created(uid),
                },
                Permit::DryRun | Permit::Nothing => RequestOutcome::Rehearsed,
            });
        }
        let takes_away = matches!(request, Request::Delete { .. } | Request::Evict { .. });
        // Where an earlier try had no answer and the object is gone, that try was carried out after all.
        let was_ours = takes_away && !is_certain;
        match read_again(lookup(self.cluster, request.target()?).await)? {
            Lookup::Gone | Lookup::Replaced(_) if was_ours => Some(RequestOutcome::Done { reply: Reply::Gone }),
            Lookup::Gone => Some(RequestOutcome::TargetGone { is_certain }),
            Lookup::Replaced(found) => Some(RequestOutcome::TargetReplaced { found, is_certain }),
            Lookup::Same(seen) if was_ours && seen.is_ending() => Some(RequestOutcome::Done {
                reply: Reply::Terminating,
            }),
            Lookup::Same(_) => None,
        }
    }
}

fn read_again<T>(read: Result<T, ReadError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "could not read the object again after a failed request"))
        .ok()
}

impl Attempt<'_> {
    /// The failure: by its last answer, or by the step's timeout if there was none.
    fn failed(&self, last: Option<&SendError>) -> RequestOutcome {
        RequestOutcome::Failed {
            because: last.map_or(FailureReason::StepTimeout, FailureReason::from),
            detail: last.map(|error| error.detail.clone()).unwrap_or_default(),
            is_certain: self.tries.is_certain,
        }
    }

    /// Whether a conflict rebases the request. An undo is not rebased: `revert` decides again what it may restore.
    fn rebases_on_conflict(&self) -> bool {
        let replaces_a_list = matches!(&*self.request, Request::Patch { patch, .. } if patch.replaces_a_list());
        replaces_a_list && !self.tries.undoes
    }
}

/// How long a PodDisruptionBudget may block the request.
fn blocked_for(request: &Request) -> Option<Duration> {
    match request {
        Request::Evict { blocked_for, .. } => blocked_for.map(Span::get),
        Request::Create { .. } | Request::Patch { .. } | Request::Delete { .. } => None,
    }
}

fn is_bound_to_version(request: &Request) -> bool {
    matches!(request, Request::Patch { patch, .. } if patch.resource_version().is_some())
}

#[cfg(test)]
mod tests;
