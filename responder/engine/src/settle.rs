//! Settling: who is told what. Step of the flow: settle. Notifications may fail open: nothing here can stop a response.

use responder_core::mode::Mode;
use responder_core::notify::{Notify, NotifyMoment};
use responder_core::playbook::Playbook;
use responder_core::port::{Notification, Notifier};
use responder_core::refusal::Refusal;

use crate::outcome::{RequestOutcome, Response, ResponseOutcome};
use crate::verify::{Effectiveness, Verification};

/// Tells those of a playbook's receivers who want to know of this moment.
pub(crate) fn tell(
    notifier: &dyn Notifier,
    playbook: &Playbook,
    moment: NotifyMoment,
    target: Option<&str>,
    message: &str,
) {
    let wants = |notify: &&Notify| notify.on.contains(&moment);
    for notify in playbook.notify.iter().filter(wants) {
        notifier.notify(&Notification {
            to: notify.to.clone(),
            moment,
            playbook: playbook.name.to_string(),
            target: target.map(str::to_owned),
            message: message.to_owned(),
        });
    }
}

/// The moment of a response. A target that went away before we got to it is no failure of a step: nothing was done.
pub(crate) const fn moment(outcome: &ResponseOutcome) -> NotifyMoment {
    match outcome {
        ResponseOutcome::Done | ResponseOutcome::Rehearsed | ResponseOutcome::Observed => NotifyMoment::Acted,
        ResponseOutcome::TargetGone | ResponseOutcome::TargetReplaced | ResponseOutcome::Expired => {
            NotifyMoment::Refused
        }
        ResponseOutcome::Failed { .. } | ResponseOutcome::PartlyDone { .. } => NotifyMoment::Failed,
    }
}

/// One line about a refusal.
pub(crate) fn refusal_message(rule: &str, refusal: &Refusal) -> String {
    format!(
        "nothing was done for \"{}\": {refusal}; {}",
        rule.escape_debug(),
        refusal.reason.advice()
    )
}

/// One line about a response: what was done, and what was not.
pub(crate) fn response_message(rule: &str, response: &Response) -> String {
    let rule = rule.escape_debug();
    let all = || response.steps.iter().flat_map(|step| &step.requests);
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

/// One line about a response that turned out not to have worked; nothing where it did, or nobody can tell.
pub(crate) fn verification_message(response: &str, verification: &Verification) -> Option<String> {
    (verification.verdict == Effectiveness::Ineffective).then(|| format!("response {response} was {verification}"))
}
