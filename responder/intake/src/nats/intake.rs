//! The state that the parts of the NATS intake share.

use std::sync::Arc;

use async_nats::Client;
use responder_core::alert::Bounds;
use tokio_util::sync::CancellationToken;

use super::state::NatsState;
use crate::notices::Notices;

/// The shared state of the intake's parts.
pub(super) struct Intake<S> {
    pub(super) client: Client,
    pub(super) state: Arc<NatsState>,
    pub(super) sink: Arc<S>,
    pub(super) bounds: Bounds,
    pub(super) stop: CancellationToken,
    pub(super) notices: Notices,
}
