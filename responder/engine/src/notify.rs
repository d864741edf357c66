//! Messages to the receivers that a playbook names. Step of the flow: settle. Notifications may fail open: nothing here can
//! stop a response.

use responder_core::decide::Outcome;
use responder_core::guard::{ClaimKind, LedgerUsage};
use responder_core::mode::Mode;
use responder_core::notify::NotifyMoment;
use responder_core::playbook::Playbook;
use responder_core::port::{Notification, Notifier};
use responder_core::refusal::Refusal;

use crate::event::Event;
use crate::outcome::{RequestOutcome, Response, ResponseOutcome, StepReport};
use crate::verify::{Effectiveness, Verification};

/// Sends the message about an event to each receiver of its playbook that asks for the moment.
pub(crate) fn tell(notifier: &dyn Notifier, event: &Event<'_>) {
    if let Event::LedgerFills { kind, usage, receivers } = event {
        notifier.notify(&Notification {
            to: receivers.to_vec(),
            moment: NotifyMoment::Failed,
            playbook: None,
            target: None,
            message: ledger_message(*kind, *usage),
        });
        return;
    }
    let Some(message) = Message::of(event) else { return };
    let playbook = message.playbook;
    for notify in playbook
        .notify
        .iter()
        .filter(|notify| notify.on.contains(&message.moment))
    {
        notifier.notify(&Notification {
            to: notify.to.clone(),
            moment: message.moment,
            playbook: Some(playbook.name.to_string()),
            target: message.target.clone(),
            message: message.text.clone(),
        });
    }
}

struct Message<'a> {
    playbook: &'a Playbook,
    moment: NotifyMoment,
    target: Option<String>,
    text: String,
}

impl<'a> Message<'a> {
    /// The message about an event; `None` for an event that no receiver can ask for.
    fn of(event: &Event<'a>) -> Option<Self> {
        match *event {
            Event::Decided {
                accepted,
                playbook,
                decision,
                ..
            } => {
                let Outcome::Refuse(refusal) = &decision.outcome else {
                    return None;
                };
                let target = decision.target.as_ref().map(ToString::to_string);
                Some(Self {
                    playbook,
                    moment: NotifyMoment::Refused,
                    target: target.or_else(|| decision.subject.as_ref().map(ToString::to_string)),
                    text: refusal_message(accepted.alert.rule().as_str(), refusal),
                })
            }
            Event::Settled {
                accepted,
                playbook,
                about,
                response,
                ..
            } => Some(Self {
                playbook,
                moment: moment(&response.outcome),
                target: about.target.clone(),
                text: response_message(accepted.alert.rule().as_str(), response),
            }),
            Event::Verified {
                playbook,
                about,
                verification,
            } => Some(Self {
                playbook,
                moment: NotifyMoment::Failed,
                target: about.target.clone(),
                text: verification_message(about.incident.as_deref().unwrap_or_default(), verification)?,
            }),
            Event::Expired {
                playbook, record, end, ..
            } => Some(Self {
                playbook: playbook?,
                moment: NotifyMoment::Expired,
                target: Some(record.pod.at.to_string()),
                text: format!("the time of quarantine {} is over: {end}", record.incident),
            }),
            Event::Requested { .. } | Event::HandedBack { .. } | Event::LedgerFills { .. } | Event::Panicked { .. } => {
                None
            }
        }
    }
}

/// The moment of a response. A target that went away before it could be acted on is no failure of a step: nothing was
/// done.
const fn moment(outcome: &ResponseOutcome) -> NotifyMoment {
    match outcome {
        ResponseOutcome::Done | ResponseOutcome::Rehearsed | ResponseOutcome::Observed => NotifyMoment::Acted,
        ResponseOutcome::TargetGone | ResponseOutcome::TargetReplaced | ResponseOutcome::Expired => {
            NotifyMoment::Refused
        }
        ResponseOutcome::Failed { .. } | ResponseOutcome::PartlyDone { .. } => NotifyMoment::Failed,
    }
}

/// One line about a ledger that fills.
fn ledger_message(kind: ClaimKind, usage: LedgerUsage) -> String {
    let LedgerUsage { claims, bound } = usage;
    let then = match kind {
        ClaimKind::Real => "nothing is acted on",
        ClaimKind::Rehearsed => "nothing is rehearsed",
    };
    format!(
        "the ledger holds {claims} of at most {bound} {} claims; once it is full, {then} until older ones expire: look \
         at what is answered so often",
        kind.as_str()
    )
}

/// One line about a refusal.
fn refusal_message(rule: &str, refusal: &Refusal) -> String {
    format!(
        "nothing was done for \"{}\": {refusal}; {}",
        rule.escape_debug(),
        refusal.reason.advice()
    )
}

/// One line about a response: the requests that were done, and those that were not.
fn response_message(rule: &str, response: &Response) -> String {
    let rule = rule.escape_debug();
    let all = || response.steps.iter().flat_map(StepReport::all_requests);
    let named = |wanted: &dyn Fn(&RequestOutcome) -> bool| {
        let names: Vec<&str> = all()
            .filter(|report| wanted(&report.outcome))
            .map(|report| report.request.as_str())
            .collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        }
    };
    let done = named(&|outcome| matches!(outcome, RequestOutcome::Done { .. }));
    let everything = named(&|_| true);
    let said = match &response.outcome {
        ResponseOutcome::Done => done,
        ResponseOutcome::Rehearsed => format!("rehearsed, nothing changed: {everything}"),
        ResponseOutcome::Observed => format!("observed, nothing sent: {everything}"),
        other if done == "nothing" => format!("nothing was done: {other}"),
        other => {
            let rest = named(&|outcome| !matches!(outcome, RequestOutcome::Done { .. }));
            format!("{other}; done: {done}; not done: {rest}")
        }
    };
    let undone = match response
        .undone
        .iter()
        .filter(|report| report.outcome.is_clean())
        .count()
    {
        0 => String::new(),
        count => format!("; {count} of {} undone", response.undone.len()),
    };
    let mode = if response.mode == Mode::Enforce {
        String::new()
    } else {
        format!(" [{}]", response.mode)
    };
    format!("{said}{undone}{mode} (response {}, for \"{rule}\")", response.incident)
}

/// One line about a response that did not work; `None` where it did, or is inconclusive.
fn verification_message(response: &str, verification: &Verification) -> Option<String> {
    (verification.verdict == Effectiveness::Ineffective).then(|| format!("response {response} was {verification}"))
}
