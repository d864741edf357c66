//! What the program says it decided and did: the audit trail in its log (`--log-format json`).

use serde_json::Value;

/// One record of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Value);

impl Record {
    /// `decided`, `requested`, `settled`, `verified`, `expired`, `handedBack`.
    pub fn event(&self) -> &str {
        self.0["event"].as_str().unwrap_or_default()
    }

    /// The record itself.
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The id of the alert that it is about; empty for what is about none.
    pub fn alert(&self) -> &str {
        self.0["alert"].as_str().unwrap_or_default()
    }

    /// The reason of a refusal, such as `TargetReplaced`; `None` for anything else.
    pub fn refusal(&self) -> Option<&str> {
        self.0["decision"]["outcome"]["refuse"]["reason"].as_str()
    }

    /// The plan of a decision to act.
    pub fn plan(&self) -> Option<&Value> {
        Some(&self.0["decision"]["outcome"]["act"]["plan"]).filter(|plan| plan.is_object())
    }

    /// What became of a response, such as `done` or `targetReplaced`; `None` for anything but `settled`.
    pub fn outcome(&self) -> Option<&str> {
        self.0["response"]["outcome"]["is"].as_str()
    }
}

/// The records in a log.
pub fn records(log: &str) -> Vec<Record> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_trail = lines.filter(|line| line["target"] == "audit");
    let written = of_trail.filter_map(|line| {
        let text = line["record"].as_str().or_else(|| line["fields"]["record"].as_str())?;
        serde_json::from_str(text).ok()
    });
    written.map(Record).collect()
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
