//! One delivery of a message of a stream: decodes it, hands its alert over, and answers once the alert is settled.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Request;
use async_nats::jetstream::{self, AckKind};
use responder_core::alert::AlertOutcome;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior};

use super::causes::{DeadLetterCause, NakCause};
use super::counts::InFlight;
use super::dead_letter::{self, DeadLetterReason};
use super::exchange::ANSWER_DEADLINE;
use super::intake::Intake;
use super::subscription::JetStream;
use crate::{Receipt, Settling, SettlingSink};

/// Before the next delivery of a message that was given back: doubling from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Before the next attempt at a dead letter that could not be published.
const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Delivery<S> {
    intake: Arc<Intake<S>>,
    settings: Arc<JetStream>,
    message: jetstream::Message,
    /// The ordinal of this delivery of the message, from 1.
    number: u32,
    _in_flight: InFlight,
    /// The room that the payload takes.
    held: Option<OwnedSemaphorePermit>,
}

impl<S: SettlingSink> Delivery<S> {
    pub(super) fn new(intake: Arc<Intake<S>>, settings: Arc<JetStream>, message: jetstream::Message) -> Self {
        // In the reply subject, which every message of a stream has.
        let (number, pending) = message.info().map_or((1, 0), |info| (info.delivered, info.pending));
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        intake.state.counts().received(number > 1, pending);
        let in_flight = intake.state.counts().in_flight();
        Self {
            intake,
            settings,
            message,
            number,
            _in_flight: in_flight,
            held: None,
        }
    }

    /// Takes the alert, with the room for its payload. Answers at once if it can; otherwise the returned future does.
    pub(super) async fn take(
        mut self,
        held: OwnedSemaphorePermit,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.held = Some(held);
        if self.number > self.settings.max_deliver {
            let detail = format!(
                "it was delivered {} times, and no responder finished it",
                self.number - 1
            );
            return Some(Rest::DeadLetter(self, DeadLetterCause::Undecided, detail).finish());
        }
        let taken = match self.intake.hand_over(&self.message, S::submit_and_follow) {
            Ok(taken) => taken,
            Err(error) => {
                self.intake.sink.rejected(error.kind());
                return Some(Rest::DeadLetter(self, DeadLetterCause::Undecodable, error.to_string()).finish());
            }
        };
        if self.number < self.settings.max_deliver {
            // No dead letter follows this delivery.
            self.message.message.payload.clear();
            self.held = None;
        }
        match taken {
            (Receipt::Shed, _) => {
                self.intake.shed();
                let detail = "there was no room for it each time it was delivered".to_owned();
                Some(Rest::Again(self, NakCause::Shed, DeadLetterCause::Shed, detail).finish())
            }
            (Receipt::Stopping, _) => {
                self.give_back(None, NakCause::Stopping).await;
                None
            }
            (Receipt::Accepted { .. } | Receipt::Duplicate | Receipt::Unmatched, Some(settling)) => {
                Some(Rest::Follow(self, settling).finish())
            }
            // No work on it is under way. If this acknowledgement gets lost, the next delivery ends the same way.
            (Receipt::Unmatched | Receipt::Duplicate | Receipt::Accepted { .. }, None) => {
                self.answer(AckKind::Ack).await;
                self.intake.state.counts().acknowledged();
                None
            }
        }
    }

    /// Sends signs of life to the server until the alert is settled.
    async fn follow(&self, mut settling: Settling) -> AlertOutcome {
        let beat = self.settings.ack_wait / 3;
        let mut beats = tokio::time::interval_at(Instant::now() + beat, beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                settled = &mut settling => return settled,
                _ = beats.tick() => self.answer(AckKind::Progress).await,
            }
        }
    }

    async fn again(&self, cause: NakCause, dead: DeadLetterCause, detail: String) {
        if self.number >= self.settings.max_deliver {
            return self.dead_letter(dead, detail).await;
        }
        let doublings = self.number.saturating_sub(1).min(8);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        self.give_back(Some(pause), cause).await;
    }

    /// Asks the server to deliver the message again, after a pause if there is one.
    pub(super) async fn give_back(&self, pause: Option<Duration>, cause: NakCause) {
        self.answer(AckKind::Nak(pause)).await;
        self.intake.state.counts().gave_back(cause);
    }

    /// Publishes the message as a dead letter; after that the server does not deliver it again.
    async fn dead_letter(&self, cause: DeadLetterCause, detail: String) {
        let reason = DeadLetterReason {
            cause,
            detail: &detail,
            deliveries: self.number,
        };
        match dead_letter::send(&self.message, &self.settings, &reason).await {
            Ok(()) => {
                self.intake.state.counts().dead_letter(cause);
                if let Some(more) = self.intake.notices.take(cause.as_str()) {
                    let subject = self.settings.dead_letters.as_str();
                    tracing::warn!(
                        subject,
                        cause = cause.as_str(),
                        more,
                        "a message from NATS is a dead letter: {detail}"
                    );
                }
                self.confirm(AckKind::Term).await;
            }
            Err(error) => {
                if let Some(more) = self.intake.notices.take("dead letter failed") {
                    tracing::error!(%error, more, "a dead letter can't be published; its message stays in the stream");
                }
                self.give_back(Some(DEAD_LETTER_PAUSE), NakCause::DeadLetterFailed)
                    .await;
            }
        }
    }

    /// Sends one answer, which the server does not confirm. A lost answer leads to another delivery.
    async fn answer(&self, kind: AckKind) {
        let sent = tokio::time::timeout(ANSWER_DEADLINE, self.message.ack_with(kind)).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.intake.state.counts().unconfirmed();
        }
    }

    /// Sends the final answer, which the server confirms. Over the client's one inbox: `double_ack` would subscribe to a new
    /// one each time.
    async fn confirm(&self, kind: AckKind) {
        let Some(reply) = self.message.reply.clone() else {
            return;
        };
        let request = Request::new().payload(kind.into()).timeout(Some(ANSWER_DEADLINE));
        match self.intake.client.send_request(reply, request).await {
            Ok(_) => self.intake.state.counts().acknowledged(),
            Err(error) => {
                self.intake.state.counts().unconfirmed();
                tracing::debug!(%error, "an acknowledgement was not confirmed; the server delivers the message again");
            }
        }
    }
}

/// The part of a delivery that takes longer than handing over.
enum Rest<S> {
    Follow(Delivery<S>, Settling),
    Again(Delivery<S>, NakCause, DeadLetterCause, String),
    DeadLetter(Delivery<S>, DeadLetterCause, String),
}

impl<S: SettlingSink> Rest<S> {
    async fn finish(self) {
        match self {
            Self::Follow(delivery, settling) => match delivery.follow(settling).await {
                AlertOutcome::Decided => delivery.confirm(AckKind::Ack).await,
                AlertOutcome::SendAgain(reason) => {
                    let detail = format!("it could not be decided ({}): {}", reason.as_str(), reason.advice());
                    delivery
                        .again(NakCause::SendAgain, DeadLetterCause::SendAgain, detail)
                        .await;
                }
                AlertOutcome::HandedBack => delivery.give_back(None, NakCause::Stopping).await,
            },
            Self::Again(delivery, cause, dead, detail) => delivery.again(cause, dead, detail).await,
            Self::DeadLetter(delivery, cause, detail) => delivery.dead_letter(cause, detail).await,
        }
    }
}
