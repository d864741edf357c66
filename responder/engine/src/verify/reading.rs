//! The turns of the verifications that read.

use std::future::Future;

use tokio::sync::Semaphore;

/// Reads, once one of the [`VerifyLimits::concurrency`](super::VerifyLimits::concurrency) turns is free.
pub(super) async fn reading<T>(readers: &Semaphore, read: impl Future<Output = T>) -> T {
    // The semaphore is never closed; were it, reading without a turn does no harm.
    let _turn = readers.acquire().await.ok();
    read.await
}
