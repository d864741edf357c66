//! The end of a pod that is being deleted, and the grace that a removal leaves it.
//!
//! A tenant can delete its own pod with a grace of years, and its container runs until then. So a removal compares that end
//! with its own, and cuts it where it would come later.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use crate::span::Span;

/// Kubernetes' own `terminationGracePeriodSeconds` where a pod says nothing.
const DEFAULT_GRACE: u32 = 30;

/// Seconds by which two ends may differ and count as one: the API server cuts times to the second.
const TOLERANCE: i64 = 2;

/// The grace of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grace {
    /// The grace as sent, in seconds; `None` for the pod's own.
    asked: Option<u32>,
    /// Its length, in seconds.
    length: u32,
    /// A note where the pod's own was cut.
    note: Option<String>,
}

impl Grace {
    /// The grace that a step asks for, or else the pod's own, cut to `most`.
    fn of(asked: Option<u32>, live: &Pod, most: Span) -> Self {
        if let Some(seconds) = asked {
            return Self {
                asked,
                length: seconds,
                note: None,
            };
        }
        let spec = live.spec.as_ref();
        let own = spec.and_then(|spec| spec.termination_grace_period_seconds);
        let own = own.unwrap_or(i64::from(DEFAULT_GRACE)).max(0);
        // A span has at most 366 days.
        let most_seconds = u32::try_from(most.get().as_secs()).unwrap_or(u32::MAX);
        match u32::try_from(own) {
            Ok(length) if length <= most_seconds => Self {
                asked: None,
                length,
                note: None,
            },
            _ => Self {
                asked: Some(most_seconds),
                length: most_seconds,
                note: Some(format!(
                    "its own grace of {own} s is cut to the guard's maxGrace of {most}"
                )),
            },
        }
    }
}

/// The end of a pod that is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PodEnd {
    /// `deletionTimestamp`: the deletion plus the grace.
    at: Timestamp,
    /// The time of the deletion.
    begun: Timestamp,
}

impl PodEnd {
    /// The end of this pod; `None` if it is not being deleted.
    fn of(live: &Pod, now: Timestamp) -> Option<Self> {
        let at = live.metadata.deletion_timestamp.as_ref()?.0;
        let grace = live.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let begun = Timestamp::from_second(at.as_second().saturating_sub(grace)).unwrap_or(now);
        Some(Self { at, begun })
    }

    /// The grace, in seconds, that a second deletion has to send so that `left` seconds remain from now; `None` if the
    /// pod ends no later anyway.
    ///
    /// The API server counts a shorter grace from the first deletion, so the time since then is added: a pod that shuts
    /// down honestly does not die at once. A second deletion never lengthens the grace.
    /// Source: `BeforeDelete` in k8s.io/apiserver/pkg/registry/rest/delete.go
    fn cut_to(self, now: Timestamp, left: u32) -> Option<u32> {
        let left = i64::from(left);
        let end = now.as_second().saturating_add(left);
        if self.at.as_second() <= end.saturating_add(TOLERANCE) {
            return None;
        }
        if left == 0 {
            return Some(0);
        }
        let since = now.as_second().saturating_sub(self.begun.as_second()).max(0);
        // Zero would remove the pod at once.
        Some(u32::try_from(since.saturating_add(left)).unwrap_or(u32::MAX).max(1))
    }
}

/// The removal of a pod, which may be ending already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodRemoval {
    /// It is sent.
    Sent {
        /// The grace as sent, in seconds; `None` for the pod's own.
        grace_seconds: Option<u32>,
        /// How long the pod has from now, in seconds.
        left: u32,
        /// Notes for the operator, where the grace or an earlier end is cut.
        notes: Vec<String>,
    },
    /// The pod is being deleted, and ends no later than this removal would end it.
    Ending {
        /// Its end.
        at: Timestamp,
    },
}

impl PodRemoval {
    /// The removal of this pod with the grace that is asked for, or else the pod's own, cut to `most`.
    pub fn of(asked: Option<u32>, live: &Pod, now: Timestamp, most: Span) -> Self {
        let grace = Grace::of(asked, live, most);
        let mut notes: Vec<String> = grace.note.into_iter().collect();
        let grace_seconds = match PodEnd::of(live, now) {
            None => grace.asked,
            Some(end) => match end.cut_to(now, grace.length) {
                None => return Self::Ending { at: end.at },
                Some(seconds) => {
                    notes.push(format!("it is ending already, at {}: cut short", end.at));
                    Some(seconds)
                }
            },
        };
        Self::Sent {
            grace_seconds,
            left: grace.length,
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-24T03:10:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn ending(at: &str, grace: i64) -> PodEnd {
        let pod =
            serde_json::from_value(json!({"metadata": {"deletionTimestamp": at, "deletionGracePeriodSeconds": grace}}));
        PodEnd::of(&pod.unwrap(), now()).unwrap()
    }

    #[rstest]
    #[case::years("2030-01-25T12:56:40Z", 100_000_000, 300, Some(300))]
    #[case::an_hour_of_which_ten_minutes_are_gone("2026-11-24T04:00:00Z", 3600, 300, Some(900))]
    #[case::as_late_as_ours("2026-11-24T03:15:00Z", 300, 300, None)]
    #[case::a_moment_later_than_ours("2026-11-24T03:15:02Z", 302, 300, None)]
    #[case::sooner("2026-11-24T03:10:30Z", 30, 300, None)]
    #[case::over_already("2026-11-24T03:09:00Z", 30, 300, None)]
    #[case::an_immediate_end_is_asked("2026-11-24T03:14:00Z", 300, 0, Some(0))]
    fn an_end_is_cut_only_if_ours_is_sooner(
        #[case] at: &str,
        #[case] grace: i64,
        #[case] left: u32,
        #[case] sends: Option<u32>,
    ) {
        assert_eq!(ending(at, grace).cut_to(now(), left), sends);
    }

    #[test]
    fn a_cut_end_is_not_cut_again() {
        let long = ending("2026-11-24T05:00:00Z", 7200);
        let sent = long.cut_to(now(), 300).unwrap();
        let cut = long.begun.as_second() + i64::from(sent);
        let cut = ending(&Timestamp::from_second(cut).unwrap().to_string(), sent.into());
        assert_eq!(cut.at, "2026-11-24T03:15:00Z".parse().unwrap());
        assert_eq!(cut.cut_to(now(), 300), None);
    }

    #[rstest]
    #[case::none(json!({}), None, 30)]
    #[case::its_own(json!({"terminationGracePeriodSeconds": 60}), None, 60)]
    #[case::a_long_one(json!({"terminationGracePeriodSeconds": 100_000_000}), Some(300), 300)]
    #[case::beyond_32_bits(json!({"terminationGracePeriodSeconds": 9_000_000_000_i64}), Some(300), 300)]
    fn a_pods_own_grace_counts_up_to_the_most(
        #[case] spec: serde_json::Value,
        #[case] asked: Option<u32>,
        #[case] seconds: u32,
    ) {
        let mut spec = spec;
        spec["containers"] = json!([]);
        let pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let grace = Grace::of(None, &pod, Span::minutes::<5>());
        assert_eq!((grace.asked, grace.length), (asked, seconds));
        assert_eq!(grace.note.is_some(), asked.is_some());
    }
}
