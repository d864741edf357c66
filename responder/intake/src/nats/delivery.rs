//! One delivery of a message of a stream: decoded, handed over, and answered once its alert is settled.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Request;
use async_nats::jetstream::{self, AckKind};
use tokio::time::{Instant, MissedTickBehavior};

use super::Intake;
use super::config::JetStream;
use super::dead_letter::{self, DeadLetterReason};
use super::state::{DeadLetterCause, NakCause, Working};
use crate::{Settled, Settling, SettlingSink, Taken};

/// For one answer of the server.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// How long a message that was given back stays away: doubling from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A dead letter that can't be sent is tried again at leisure.
const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Delivery<S> {
    intake: Arc<Intake<S>>,
    settings: Arc<JetStream>,
    message: jetstream::Message,
    /// Which one this is, from 1.
    number: u32,
    _working: Working,
}

impl<S: SettlingSink> Delivery<S> {
    pub(super) fn new(intake: Arc<Intake<S>>, settings: Arc<JetStream>, message: jetstream::Message) -> Self {
        // The reply subject of a message that a stream delivers tells it; one without could not be answered either.
        let (number, pending) = message.info().map_or((1, 0), |info| (info.delivered, info.pending));
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        intake.state.received(number > 1, pending);
        let working = intake.state.working();
        Self {
            intake,
            settings,
            message,
            number,
            _working: working,
        }
    }

    /// Takes the alert. What can be answered at once is; the rest is in the future that comes back.
    pub(super) async fn take(self) -> Option<impl Future<Output = ()> + Send + 'static> {
        if self.number > self.settings.max_deliver {
            let detail = format!(
                "it was delivered {} times, and nobody came to an end with it",
                self.number - 1
            );
            return Some(Rest::Bury(self, DeadLetterCause::Undecided, detail).finish());
        }
        let taken = match self.intake.hand_over(&self.message, S::submit_and_follow) {
            Ok(taken) => taken,
            Err(error) => {
                self.intake.sink.rejected(error.kind());
                return Some(Rest::Bury(self, DeadLetterCause::Undecodable, error.to_string()).finish());
            }
        };
        match taken {
            (Taken::Shed, _) => {
                self.intake.shed();
                let detail = "there was no room for it each time it was delivered".to_owned();
                Some(Rest::Again(self, NakCause::Shed, DeadLetterCause::Shed, detail).finish())
            }
            (Taken::Stopping, _) => {
                self.give_back(None, NakCause::Stopping).await;
                None
            }
            (Taken::Accepted { .. } | Taken::Duplicate | Taken::Unmatched, Some(settling)) => {
                Some(Rest::Follow(self, settling).finish())
            }
            // Nobody is at work on it. Should this be lost on the way, the next delivery comes to the same end.
            (Taken::Unmatched | Taken::Duplicate | Taken::Accepted { .. }, None) => {
                self.answer(AckKind::Ack).await;
                self.intake.state.acknowledged();
                None
            }
        }
    }

    /// Tells the server that work goes on, until the alert is settled.
    async fn follow(&self, mut settling: Settling) -> Settled {
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
            return self.bury(dead, detail).await;
        }
        let doublings = self.number.saturating_sub(1).min(8);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        self.give_back(Some(pause), cause).await;
    }

    /// To be delivered again.
    pub(super) async fn give_back(&self, pause: Option<Duration>, cause: NakCause) {
        self.answer(AckKind::Nak(pause)).await;
        self.intake.state.gave_back(cause);
    }

    /// To the subject of dead letters; and never delivered again once it is there.
    async fn bury(&self, cause: DeadLetterCause, detail: String) {
        let reason = DeadLetterReason {
            cause,
            detail: &detail,
            deliveries: self.number,
        };
        match dead_letter::send(&self.message, &self.settings, &reason).await {
            Ok(()) => {
                self.intake.state.buried(cause);
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
                    tracing::error!(%error, more, "a dead letter can't be sent; its message stays in the stream");
                }
                self.give_back(Some(DEAD_LETTER_PAUSE), NakCause::DeadLetterFailed)
                    .await;
            }
        }
    }

    /// One word to the server that it does not answer. Lost words lead to another delivery.
    async fn answer(&self, kind: AckKind) {
        let said = tokio::time::timeout(ANSWER, self.message.ack_with(kind)).await;
        if !matches!(said, Ok(Ok(()))) {
            self.intake.state.unconfirmed();
        }
    }

    /// The last word, which the server has to confirm. Over the client's one inbox: `double_ack` makes one for each.
    async fn confirm(&self, kind: AckKind) {
        let Some(reply) = self.message.reply.clone() else {
            return;
        };
        let request = Request::new().payload(kind.into()).timeout(Some(ANSWER));
        match self.intake.client.send_request(reply, request).await {
            Ok(_) => self.intake.state.acknowledged(),
            Err(error) => {
                self.intake.state.unconfirmed();
                tracing::debug!(%error, "an acknowledgement was not confirmed; the message comes again");
            }
        }
    }
}

/// What takes longer than handing over.
enum Rest<S> {
    Follow(Delivery<S>, Settling),
    Again(Delivery<S>, NakCause, DeadLetterCause, String),
    Bury(Delivery<S>, DeadLetterCause, String),
}

impl<S: SettlingSink> Rest<S> {
    async fn finish(self) {
        match self {
            Self::Follow(delivery, settling) => match delivery.follow(settling).await {
                Settled::Decided => delivery.confirm(AckKind::Ack).await,
                Settled::SendAgain(reason) => {
                    let detail = format!("it could not be decided ({}): {}", reason.as_str(), reason.advice());
                    delivery
                        .again(NakCause::SendAgain, DeadLetterCause::SendAgain, detail)
                        .await;
                }
                Settled::HandedBack => delivery.give_back(None, NakCause::Stopping).await,
            },
            Self::Again(delivery, cause, dead, detail) => delivery.again(cause, dead, detail).await,
            Self::Bury(delivery, cause, detail) => delivery.bury(cause, detail).await,
        }
    }
}
