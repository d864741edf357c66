//! Room: what gives way where a bound is met. The newest among the lowest priority of the largest line does, so a flood
//! takes room from itself; a newcomer of a small line always finds some while another line is larger.

use std::cmp::Reverse;

use responder_core::alert::Priority;

use super::class::QueueClass;
use super::limits::ShedCause;
use super::line::{Load, SubjectLine, Tally};
use super::target_key::{TargetKey, Tenant};
use super::work_queue::{Displaced, QueueAnswer, WorkQueue};

/// A bound that is exceeded.
enum Excess {
    /// The alerts about the subject.
    Subject,
    /// The tenant's share of the lane.
    Tenant(Measure),
    /// The lane.
    Lane(Measure),
}

/// What there is too much of.
#[derive(Clone, Copy)]
enum Measure {
    Alerts,
    Bytes,
}

impl Measure {
    /// The first in which a load is past its bound.
    const fn exceeded(load: Load, alerts: usize, bytes: usize) -> Option<Self> {
        if load.alerts > alerts {
            Some(Self::Alerts)
        } else if load.bytes > bytes {
            Some(Self::Bytes)
        } else {
            None
        }
    }

    const fn of(self, load: Load) -> usize {
        match self {
            Self::Alerts => load.alerts,
            Self::Bytes => load.bytes,
        }
    }
}

impl Excess {
    const fn cause(&self) -> ShedCause {
        match self {
            Self::Subject => ShedCause::SubjectFull,
            Self::Tenant(_) => ShedCause::NamespaceFull,
            Self::Lane(_) => ShedCause::QueueFull,
        }
    }
}

impl<J> WorkQueue<J> {
    /// Whether a tenant may have so many bytes more.
    pub(super) fn has_room(&self, class: QueueClass, tenant: &Tenant, bytes: usize) -> bool {
        let has_room = |tally: &Tally, most: usize| tally.held(class).bytes.saturating_add(bytes) <= most;
        let of_tenant = self.tenants.get(tenant).map(|state| state.tally).unwrap_or_default();
        has_room(&self.total, self.limits.bound(class).bytes) && has_room(&of_tenant, self.limits.share(class).bytes)
    }

    /// Takes out what is past a bound now that the ticket `newcomer` has been added to a line.
    pub(super) fn trim(
        &mut self,
        class: QueueClass,
        subject: &TargetKey,
        newcomer: u64,
    ) -> (QueueAnswer<J>, Vec<Displaced<J>>) {
        let mut displaced = Vec::new();
        while let Some(excess) = self.excess(class, subject) {
            let cause = excess.cause();
            let victim = self.victim(&excess, class, subject);
            // The newcomer waits in one of the lines looked at, so there always is one.
            let Some((seq, job)) = victim.and_then(|(subject, priority)| self.displace(&subject, priority)) else {
                break;
            };
            if seq == newcomer {
                return (QueueAnswer::Shed(cause), displaced);
            }
            displaced.push(Displaced { job, cause });
        }
        (QueueAnswer::Queued, displaced)
    }

    fn excess(&self, class: QueueClass, subject: &TargetKey) -> Option<Excess> {
        let line = self.lines.get(subject).map(|line| line.tally).unwrap_or_default();
        if line.alerts() > self.limits.per_subject {
            return Some(Excess::Subject);
        }
        let share = self.limits.share(class);
        let tenant = self
            .tenants
            .get(&subject.tenant())
            .map(|state| state.tally)
            .unwrap_or_default();
        if let Some(measure) = Measure::exceeded(tenant.held(class), share.alerts, share.bytes) {
            return Some(Excess::Tenant(measure));
        }
        let bound = self.limits.bound(class);
        Measure::exceeded(self.total.held(class), bound.alerts, bound.bytes).map(Excess::Lane)
    }

    /// The line and the priority that give way.
    fn victim(&self, excess: &Excess, class: QueueClass, subject: &TargetKey) -> Option<(TargetKey, Priority)> {
        match excess {
            Excess::Subject => {
                let (priority, _) = self.lines.get(subject)?.waiting.first_key_value()?;
                Some((subject.clone(), *priority))
            }
            Excess::Tenant(measure) => {
                let tenant = self.tenants.get(&subject.tenant())?;
                self.largest(tenant.subjects.iter(), *measure, class)
            }
            Excess::Lane(measure) => {
                let size = |tally: &Tally| measure.of(tally.waiting(class));
                let most = self.tenants.values().map(|state| size(&state.tally)).max()?;
                let largest = self.tenants.values().filter(|state| size(&state.tally) == most);
                self.largest(largest.flat_map(|state| &state.subjects), *measure, class)
            }
        }
    }

    /// The largest of these lines, with its lowest priority. Among equals that of the lowest priority, then the one with
    /// the newest alert: nothing accepted gives way for no gain.
    fn largest<'a>(
        &'a self,
        subjects: impl Iterator<Item = &'a TargetKey>,
        measure: Measure,
        class: QueueClass,
    ) -> Option<(TargetKey, Priority)> {
        let lines = subjects.filter_map(|subject| {
            let line: &SubjectLine<J> = self.lines.get(subject)?;
            let (least, newest) = line.least(class)?;
            let size = measure.of(line.tally.waiting(class));
            Some(((size, Reverse(least), newest), subject))
        });
        let ((_, Reverse(least), _), subject) = lines.max_by_key(|(worth, _)| *worth)?;
        Some((subject.clone(), least))
    }
}
