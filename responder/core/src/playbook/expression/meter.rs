//! Counts what an evaluation costs, since cel has no limit of its own. Step of the flow: decide.
//!
//! The count and not the clock ends an evaluation, so the same input has the same decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::types::{CelBytes, CelInt, CelList, CelMap, CelOptional, CelString};
use cel::common::value::{CowVal, Val};
use cel::{Context, ExecutionError, FunctionContext};

/// The steps of one evaluation: a value is one, 16 bytes of text are one, a round of a loop is one for each part of its body.
/// Of ten minutes of random expressions over hostile objects with twice as many steps the slowest took 0.26 s, beside compilers.
pub(super) const MOST_STEPS: u64 = 100_000;

/// Bytes of text that count as one step.
const BYTES_A_STEP: usize = 16;

/// What a metered expression calls around a value: each counts it and hands it on. No source can call them, since no
/// identifier of CEL has an `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// The argument of an operator or a function.
    Argument,
    /// A value that a list or a map keeps.
    Kept,
    /// The items of a loop, and as many rounds with as many parts as the second argument says.
    Items,
    /// What `in` looks through: a list, whereas a map has an index.
    Searched,
}

impl Counted {
    const ALL: [Self; 4] = [Self::Argument, Self::Kept, Self::Items, Self::Searched];

    pub(super) const fn function(self) -> &'static str {
        match self {
            Self::Argument => "@argument",
            Self::Kept => "@kept",
            Self::Items => "@items",
            Self::Searched => "@searched",
        }
    }
}

type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync,
>;

/// The steps that an evaluation has left.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(MOST_STEPS)))
    }

    /// Whether the evaluation ran out of steps. `||`, `&&` and loops forgive errors, so its value says nothing then.
    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Makes the functions known that metered expressions call.
    pub(super) fn add_to(&self, context: &mut Context<'_, '_>) -> Result<(), String> {
        for count in Counted::ALL {
            let meter = self.clone();
            let function: Function = Box::new(move |call| {
                let mut arguments = std::mem::take(&mut call.args).into_iter();
                let value = arguments
                    .next()
                    .ok_or_else(|| ExecutionError::invalid_argument_count(1, 0))?;
                let parts = arguments
                    .next()
                    .and_then(|parts| parts.downcast_ref::<CelInt>().map(|parts| parts.inner().unsigned_abs()));
                meter.spend(count, value.as_ref(), parts.unwrap_or_default())?;
                Ok(value)
            });
            context
                .add_function(count.function(), function)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn spend(&self, count: Counted, value: &dyn Val, parts: u64) -> Result<(), ExecutionError> {
        let is_indexed = count == Counted::Searched && value.downcast_ref::<CelMap<'_>>().is_some();
        if count == Counted::Kept && value.downcast_ref::<CelOptional<'_>>().is_some() {
            // Each selection from it would copy it, uncounted.
            let advice = "a list or a map holds no optional value: give it a default with orValue()";
            return Err(ExecutionError::function_error("optional", advice));
        }
        let left = if is_indexed {
            self.left().saturating_sub(1)
        } else {
            without(value, self.left())
        };
        let rounds = match value.as_sizer() {
            Some(sizer) if count == Counted::Items => sizer.size().inner().unsigned_abs(),
            _ => 0,
        };
        let left = left.saturating_sub(rounds.saturating_mul(parts));
        self.0.store(left, Ordering::Relaxed);
        if left == 0 {
            return Err(ExecutionError::function_error("cost", "no steps are left"));
        }
        Ok(())
    }
}

/// The steps that are left after the value is counted. Stops at zero, so counting costs no more than what it allows.
fn without(value: &dyn Val, left: u64) -> u64 {
    let left = left.saturating_sub(1);
    if left == 0 {
        return 0;
    }
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        left.saturating_sub(steps_of(text.inner().len()))
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        left.saturating_sub(steps_of(bytes.inner().len()))
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        list.inner()
            .iter()
            .fold(left, |left, item| without(item.as_ref(), left))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        map.inner().iter().fold(left, |left, (key, value)| {
            without(value.as_ref(), without(key.inner(), left))
        })
    } else if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
        optional.option().map_or(left, |value| without(value, left))
    } else {
        left
    }
}

fn steps_of(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_A_STEP).unwrap_or(u64::MAX)
}
