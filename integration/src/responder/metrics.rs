//! Reads the subset of Prometheus' text format that `/metrics` uses.

use std::collections::BTreeMap;

/// The samples of one scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of the metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Parses the text of `/metrics`. Malformed lines are skipped.
    pub fn parse(text: &str) -> Self {
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(sample)
            .collect();
        Self { samples }
    }

    /// All samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The sum of all samples of a metric that have these labels; 0 if there are none. Samples may have further labels.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let labelled = |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(labelled)
        };
        self.samples.iter().filter(has).map(|sample| sample.value).sum()
    }
}

/// The alerts and decisions that `/metrics` accounts for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// All inputs that should be alerts.
    pub received: u64,
    /// Received inputs that are not alerts.
    pub rejected: u64,
    /// Received alerts that were accepted before.
    pub duplicate: u64,
    /// Received alerts that were shed for lack of room.
    pub shed: u64,
    /// Received alerts that no playbook matches.
    pub unmatched: u64,
    /// Received alerts that were accepted.
    pub matched: u64,
    /// Decisions: one for each playbook that matches an accepted alert.
    pub decisions: u64,
    /// Decisions to refuse, by reason. Zero counts are left out.
    pub refused: BTreeMap<String, u64>,
    /// Decisions to act, by mode. Zero counts are left out.
    pub planned: BTreeMap<String, u64>,
    /// Decisions that are not taken yet.
    pub pending: u64,
    /// Accepted alerts in progress.
    pub under_way: u64,
    /// Finished responses, by outcome. Zero counts are left out.
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

    /// Whether no alert is in progress.
    pub const fn is_at_rest(&self) -> bool {
        self.pending == 0 && self.under_way == 0
    }
}

impl Metrics {
    /// The accounts of promise 1.
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
    // A timestamp may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Parses `key="value",…}` with `\\`, `\"` and `\n` escaped, and returns the labels and the rest of the line.
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
    fn samples_with_the_given_labels_are_summed() {
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
