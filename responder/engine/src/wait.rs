//! Pauses in the middle of a response: it keeps no slot meanwhile, so that one slow target never stops the others.

use std::future::Future;
use std::time::Duration;

/// The way in which a response pauses.
pub(crate) trait Wait: Send + Sync {
    /// Pauses for this length, and then until there is a slot to go on with.
    fn wait(&self, length: Duration) -> impl Future<Output = ()> + Send;
}

/// Pauses where there are no slots: for a question, and for the end of a quarantine.
pub(crate) struct WaitInPlace;

impl Wait for WaitInPlace {
    async fn wait(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}
