//! What `/metrics` says: Prometheus' text format, read as far as tests and benchmarks need it.

use std::collections::BTreeMap;

/// One look at `/metrics`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Reads the text. A line that is not of the format is left out.
    pub fn parse(text: &str) -> Self {
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(sample)
            .collect();
        Self { samples }
    }

    /// Every line.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The sum over all lines of this metric that have these labels, whatever others they have; 0 where there are none.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let labelled = |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(labelled)
        };
        self.samples.iter().filter(has).map(|sample| sample.value).sum()
    }
}

/// What became of every alert and every decision, as `/metrics` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Alerts, and what should have been some.
    pub received: u64,
    /// Of these: no alerts.
    pub rejected: u64,
    /// Of these: accepted before.
    pub duplicate: u64,
    /// Of these: there was no room.
    pub shed: u64,
    /// Of these: no playbook matches.
    pub unmatched: u64,
    /// Of these: accepted.
    pub matched: u64,
    /// Decisions: one for each playbook that matched an accepted alert.
    pub decisions: u64,
    /// Of these: to do nothing, by reason; those with none left out.
    pub refused: BTreeMap<String, u64>,
    /// Of these: to act, by mode; those with none left out.
    pub planned: BTreeMap<String, u64>,
    /// Of these: not taken yet.
    pub pending: u64,
    /// Alerts that are accepted and not finished.
    pub under_way: u64,
    /// Responses that came to their end, by outcome; those with none left out.
    pub responses: BTreeMap<String, u64>,
}

impl Accounts {
    /// Promise 1: received = rejected + duplicate + shed + unmatched + matched, and decisions = refused + planned +
    /// pending.
    pub fn is_balanced(&self) -> bool {
        let decided: u64 = self.refused.values().chain(self.planned.values()).sum();
        self.received == self.rejected + self.duplicate + self.shed + self.unmatched + self.matched
            && self.decisions == decided + self.pending
    }

    /// Whether nothing is under way.
    pub const fn is_at_rest(&self) -> bool {
        self.pending == 0 && self.under_way == 0
    }
}

impl Metrics {
    /// The accounting of promise 1.
    pub fn accounts(&self) -> Accounts {
        Accounts {
            received: self.count("responder_alerts_received_total"),
            rejected: self.count("responder_alerts_rejected_total"),
            duplicate: self.count("responder_alerts_duplicate_total"),
            shed: self.count("responder_alerts_shed_total"),
            unmatched: self.count("responder_alerts_unmatched_total"),
            matched: self.count("responder_alerts_matched_total"),
            decisions: self.count("responder_decisions_matched_total"),
            refused: self.counts("responder_decisions_refused_total", "reason"),
            planned: self.counts("responder_decisions_planned_total", "mode"),
            pending: self.count("responder_decisions_pending"),
            under_way: self.count("responder_queue_alerts"),
            responses: self.counts("responder_responses_total", "outcome"),
        }
    }

    fn count(&self, name: &str) -> u64 {
        whole(self.total(name, &[]))
    }

    fn counts(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let of_name = self
            .samples
            .iter()
            .filter(|sample| sample.name == name && sample.value > 0.0);
        of_name
            .filter_map(|sample| Some((sample.labels.get(label)?.clone(), whole(sample.value))))
            .collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter, and far below 2^53"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    // A time stamp may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// `key="value",…}` with `\\`, `\"` and `\n` escaped, and what follows it.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (key, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(key.to_owned(), value);
        text = &rest[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_the_asked_labels_are_summed() {
        let text = "# HELP a_total Some.\n# TYPE a_total counter\n\
                    a_total{outcome=\"shed\",queue=\"critical\"} 2\n\
                    a_total{outcome=\"shed\",queue=\"a \\\"b\\\", {c}\"} 3\n\
                    a_total{outcome=\"matched\"} 4 1700000000000\nplain 0.5\n";
        let metrics = Metrics::parse(text);
        assert!((metrics.total("a_total", &[("outcome", "shed")]) - 5.0).abs() < f64::EPSILON);
        assert!((metrics.total("a_total", &[]) - 9.0).abs() < f64::EPSILON);
        assert!((metrics.total("plain", &[]) - 0.5).abs() < f64::EPSILON);
        assert!(metrics.total("nothing", &[]).abs() < f64::EPSILON);
        assert_eq!(metrics.samples()[1].labels["queue"], "a \"b\", {c}");
    }
}
