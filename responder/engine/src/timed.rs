//! A step of the pipeline, with its span and its length.

use std::future::Future;

use tokio::time::Instant;
use tracing::Instrument as _;

use crate::accounting::Accounting;
use crate::latency::PipelineStage;
use crate::spans;

/// Runs a step in its span, and counts how long it took; a question (`explain`) is not counted.
pub(crate) async fn timed<T>(
    stage: PipelineStage,
    accounting: Option<&Accounting>,
    step: impl Future<Output = T>,
) -> T {
    let begun = Instant::now();
    let done = step.instrument(spans::step(stage)).await;
    if let Some(accounting) = accounting {
        accounting.took(stage, begun.elapsed());
    }
    done
}
