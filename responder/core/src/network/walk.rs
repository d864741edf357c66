//! The traffic that the stages of one direction let through.

use super::rule::{Certainty, Rule, RuleAction, Stage, Traffic};

/// A rule that lets traffic through, with the peers that no earlier rule denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening<'a> {
    pub(super) rule: &'a Rule,
    pub(super) traffic: Traffic,
}

/// Every rule by which traffic gets through. A rule that may be hidden by earlier ones in a way that is not certain counts:
/// a false leak is better than a missed one.
pub(super) fn openings(stages: &[Stage]) -> Vec<Opening<'_>> {
    let mut open = Vec::new();
    // Certain denials that hold for all traffic that is still under way.
    let mut denied: Vec<&Traffic> = Vec::new();
    // The rules that sent the traffic that is still under way past a stage that denies the rest; `None` for any traffic.
    let mut passed: Option<Vec<Opening<'_>>> = None;
    for stage in stages {
        let before = denied.len();
        let mut onward: Vec<Opening<'_>> = Vec::new();
        for rule in &stage.rules {
            match rule.action {
                RuleAction::Deny => {
                    if rule.certainty == Certainty::Exactly {
                        denied.push(&rule.traffic);
                    }
                }
                RuleAction::Allow => open.extend(left(rule, &denied)),
                RuleAction::Pass => onward.extend(left(rule, &denied)),
            }
        }
        if !onward.is_empty() {
            // Traffic that was passed has not met the denials after that rule.
            denied.truncate(before);
        }
        if stage.denies_the_rest {
            if onward.is_empty() {
                return open;
            }
            passed = Some(onward);
        }
    }
    // What no stage decides is allowed; it is named by the rules that sent it there.
    open.extend(passed.into_iter().flatten());
    open
}

/// What is left of a rule's traffic; `None` where all of it is denied.
fn left<'a>(rule: &'a Rule, denied: &[&Traffic]) -> Option<Opening<'a>> {
    let mut traffic = rule.traffic.clone();
    for denial in denied.iter().filter(|denial| denial.ports.cover(&traffic.ports)) {
        traffic.peers.remove(&denial.peers);
    }
    (!traffic.peers.is_empty()).then_some(Opening { rule, traffic })
}
