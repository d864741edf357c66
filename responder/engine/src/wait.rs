//! Resting: waiting without keeping a slot, so that one slow target never stops the others.

use std::future::Future;
use std::time::Duration;

/// Waits in the middle of a response.
pub(crate) trait Wait: Send + Sync {
    /// Waits so long, and for a slot to go on with.
    fn wait(&self, length: Duration) -> impl Future<Output = ()> + Send;
}

/// Waits where there are no slots: a person asked, or it is the end of a quarantine's time.
pub(crate) struct WaitInPlace;

impl Wait for WaitInPlace {
    async fn wait(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}
