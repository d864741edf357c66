//! The rules that Falco ships, as facts for `check`: their names, and the fields that an alert of each carries.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Priority, RuleName, Source};

/// A rule from falcosecurity/rules or from one of Falco's plugins; see `data/README.md` for the versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedRule {
    /// The rule's exact name.
    pub rule: RuleName,
    /// The set that ships it: `stable`, `incubating`, `sandbox` or `plugin:<name>`. Falco loads `stable` by default.
    pub set: String,
    /// The priority in the rule file.
    pub priority: Priority,
    /// The source of the rule's events.
    pub source: Source,
    /// The rule's tags, including MITRE techniques.
    pub tags: Vec<String>,
    /// Whether the rule is enabled when its set is loaded.
    pub enabled: bool,
    /// The fields named in the rule's output. Falco appends more by default: [`ShippedRule::APPENDED`].
    pub output_fields: Vec<String>,
}

impl ShippedRule {
    /// The fields that Falco appends to the output of every rule of source `syscall` by default (falco.yaml,
    /// `append_output: [{suggested_output: true}]`, from the container plugin).
    pub const APPENDED: [&'static str; 6] = [
        "container.id",
        "container.image.repository",
        "container.image.tag",
        "container.name",
        "k8s.ns.name",
        "k8s.pod.name",
    ];

    /// Whether an alert of this rule carries the field with Falco's default configuration: named in the output,
    /// appended to it, or the event's time.
    pub fn carries(&self, field: &str) -> bool {
        self.output_fields.iter().any(|name| name == field)
            || matches!(field, "evt.time" | "evt.time.iso8601")
            || self.source.is_syscall() && Self::APPENDED.contains(&field)
    }
}

/// Sorted by name. A line that does not parse is left out, and the test below counts the lines.
static RULES: LazyLock<Vec<ShippedRule>> = LazyLock::new(|| {
    let mut rules: Vec<ShippedRule> = include_str!("../../data/default-rules.jsonl")
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    rules.sort_by(|one, other| one.rule.cmp(&other.rule));
    rules
});

/// The shipped rule with exactly this name.
pub fn shipped_rule(name: &str) -> Option<&'static ShippedRule> {
    let at = RULES.binary_search_by(|shipped| shipped.rule.as_str().cmp(name)).ok()?;
    RULES.get(at)
}

/// All shipped rules, sorted by name.
pub fn shipped_rules() -> impl ExactSizeIterator<Item = &'static ShippedRule> {
    RULES.iter()
}

#[cfg(test)]
mod tests {
    use super::{super::Priority, shipped_rule, shipped_rules};

    #[test]
    fn every_line_of_the_data_is_a_rule_and_no_name_is_there_twice() {
        assert_eq!(
            shipped_rules().len(),
            include_str!("../../data/default-rules.jsonl").lines().count()
        );
        assert!(shipped_rules().is_sorted_by(|one, other| one.rule < other.rule));
    }

    #[test]
    fn a_shipped_rule_is_found_by_its_exact_name() {
        let rule = shipped_rule("Terminal shell in container").unwrap();
        assert_eq!((rule.set.as_str(), rule.priority), ("stable", Priority::Notice));
        assert!(rule.source.is_syscall() && rule.enabled);
        assert!(rule.carries("proc.tty") && rule.carries("k8s.pod.name") && rule.carries("evt.time"));
        assert!(!rule.carries("fd.rip"));
        assert_eq!(shipped_rule("terminal shell in container"), None);
        assert!(!shipped_rule("Attach/Exec Pod").unwrap().carries("container.id"));
    }
}
