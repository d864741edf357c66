//! Reads the audit trail from a responder's log (`--log-format json`).

use jiff::Timestamp;
use serde_json::Value;

/// One record of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailRecord(Value);

impl TrailRecord {
    /// The event: `decided`, `requested`, `settled`, `verified`, `expired` or `handedBack`.
    pub fn event(&self) -> &str {
        self.0["event"].as_str().unwrap_or_default()
    }

    /// The record as JSON.
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The id of the record's alert; empty if it has none.
    pub fn alert(&self) -> &str {
        self.0["alert"].as_str().unwrap_or_default()
    }

    /// The time of the record; `None` if it has none.
    pub fn at(&self) -> Option<Timestamp> {
        self.0["at"].as_str()?.parse().ok()
    }

    /// The reason of a refusal, such as `TargetReplaced`; `None` for other records.
    pub fn refusal(&self) -> Option<&str> {
        self.0["decision"]["outcome"]["refuse"]["reason"].as_str()
    }

    /// The plan of a decision to act; `None` for other records.
    pub fn plan(&self) -> Option<&Value> {
        Some(&self.0["decision"]["outcome"]["act"]["plan"]).filter(|plan| plan.is_object())
    }

    /// The outcome of a response, such as `done` or `targetReplaced`; `None` for records other than `settled`.
    pub fn outcome(&self) -> Option<&str> {
        self.0["response"]["outcome"]["is"].as_str()
    }
}

/// All records of the trail in a log.
pub fn records(log: &str) -> Vec<TrailRecord> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_trail = lines.filter(|line| line["target"] == "audit");
    let written = of_trail.filter_map(|line| {
        let text = line["record"].as_str().or_else(|| line["fields"]["record"].as_str())?;
        serde_json::from_str(text).ok()
    });
    written.map(TrailRecord).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trail_is_read_and_a_line_that_is_being_written_is_left_out() {
        let log = r#"{"target":"audit","record":"{\"event\":\"settled\",\"alert\":\"a\",\"response\":{\"outcome\":{\"is\":\"done\"}}}"}
{"target":"responder","record":"{}"}
starting
{"target":"audit","rec"#;
        let [record] = &records(log)[..] else {
            panic!("expected one record")
        };
        assert_eq!(
            (record.event(), record.alert(), record.outcome()),
            ("settled", "a", Some("done"))
        );
    }
}
