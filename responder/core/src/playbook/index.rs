//! Finds the playbooks that match an alert without testing each one. Step of the flow: match.

use std::collections::HashMap;
use std::sync::Arc;

use globset::{GlobSet, GlobSetBuilder};

use super::Playbook;
use super::pattern::parse_glob;
use crate::alert::{Alert, Priority, Source};

/// All playbooks, indexed by the alert: exact rule names by hash, globs in one automaton, and playbooks without rule
/// names by source and priority. Only the candidates found are tested for their other conditions.
#[derive(Debug)]
pub struct Index {
    /// Higher order first, then by name.
    playbooks: Vec<Arc<Playbook>>,
    exact: HashMap<Box<str>, Vec<usize>>,
    globs: GlobSet,
    /// The playbook of each glob in the set.
    glob_owners: Vec<usize>,
    /// Playbooks with sources but no rule names, by source.
    by_source: HashMap<Source, ByPriority>,
    /// Playbooks with neither.
    anywhere: ByPriority,
}

/// Playbooks with their minimum priority, the lowest first.
#[derive(Debug, Default)]
struct ByPriority(Vec<(Priority, usize)>);

impl ByPriority {
    fn add(&mut self, playbook: usize, least: Option<Priority>) {
        let entry = (least.unwrap_or(Priority::Debug), playbook);
        let at = self.0.partition_point(|other| *other <= entry);
        self.0.insert(at, entry);
    }

    fn taking(&self, priority: Priority) -> impl Iterator<Item = usize> {
        self.0
            .iter()
            .take_while(move |(least, _)| *least <= priority)
            .map(|(_, playbook)| *playbook)
    }
}

impl Index {
    /// Indexes a set of playbooks.
    pub fn new(mut playbooks: Vec<Arc<Playbook>>) -> Self {
        playbooks.sort_by(|one, other| other.order.cmp(&one.order).then_with(|| one.name.cmp(&other.name)));
        let mut exact: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut builder = GlobSetBuilder::new();
        let mut glob_owners = Vec::new();
        let mut by_source: HashMap<Source, ByPriority> = HashMap::new();
        let mut anywhere = ByPriority::default();
        for (place, playbook) in playbooks.iter().enumerate() {
            let asked = &playbook.alert_match;
            match &asked.rules {
                Some(rules) => {
                    for name in &rules.exact {
                        exact.entry(name.as_str().into()).or_default().push(place);
                    }
                    // Each glob has parsed when its playbook was compiled.
                    for glob in rules.globs.iter().filter_map(|glob| parse_glob(glob).ok()) {
                        builder.add(glob);
                        glob_owners.push(place);
                    }
                }
                None if asked.sources.is_empty() => anywhere.add(place, asked.min_priority),
                None => {
                    for source in &asked.sources {
                        by_source
                            .entry(source.clone())
                            .or_default()
                            .add(place, asked.min_priority);
                    }
                }
            }
        }
        // All globs together may exceed the size limit that each one keeps. Then every playbook with a glob becomes a
        // candidate for every alert.
        let globs = builder.build().unwrap_or_else(|_| {
            for place in glob_owners.drain(..) {
                anywhere.add(place, None);
            }
            GlobSet::empty()
        });
        Self {
            playbooks,
            exact,
            globs,
            glob_owners,
            by_source,
            anywhere,
        }
    }

    /// All playbooks: higher order first, then by name.
    pub fn playbooks(&self) -> &[Arc<Playbook>] {
        &self.playbooks
    }

    /// The playbooks whose [`AlertMatch`](super::AlertMatch) holds: higher order first, then by name. Allocates nothing
    /// when none does.
    pub fn matching(&self, alert: &Alert) -> Vec<&Arc<Playbook>> {
        let mut places: Vec<usize> = Vec::new();
        let rule = alert.rule().as_str();
        let takes = |place: usize| {
            self.playbooks
                .get(place)
                .is_some_and(|playbook| playbook.alert_match.matches_besides_rule(alert))
        };
        if let Some(found) = self.exact.get(rule) {
            places.extend(found.iter().copied().filter(|place| takes(*place)));
        }
        // `is_match` builds no list, so an alert that no glob matches allocates nothing.
        if self.globs.is_match(rule) {
            let found = self
                .globs
                .matches(rule)
                .into_iter()
                .filter_map(|glob| self.glob_owners.get(glob).copied());
            places.extend(found.filter(|place| takes(*place)));
        }
        let of_source = self.by_source.get(alert.source());
        let found = of_source
            .into_iter()
            .chain([&self.anywhere])
            .flat_map(|bucket| bucket.taking(alert.priority()));
        // Playbooks in `anywhere` may name rules after all: see `Index::new`.
        let whole = |place: &usize| {
            self.playbooks
                .get(*place)
                .is_some_and(|playbook| playbook.alert_match.matches(alert))
        };
        places.extend(found.filter(whole));
        // Two globs of one playbook find it twice. Places are in the order of playbooks.
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .filter_map(|place| self.playbooks.get(place))
            .collect()
    }
}

#[cfg(test)]
mod tests;
