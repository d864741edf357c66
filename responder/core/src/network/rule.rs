//! Rules of policies of any kind, as one pod meets them in one direction.

use super::kind::EnginePolicy;
use super::peers::PeerSet;
use super::ports::PortSet;

/// What a rule does with the traffic that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleAction {
    Allow,
    Deny,
    /// The rest of the stage is skipped.
    Pass,
}

/// How sure it is that a rule is applied to the pod's traffic as described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// It may apply to less: a selector or a condition is not understood, or it is not known that it is enforced. Such a
    /// rule can leak, and denies nothing.
    AtMost,
    /// It applies to exactly this traffic.
    Exactly,
}

/// Traffic of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) peers: PeerSet,
    pub(super) ports: PortSet,
}

/// A rule of a policy that selects the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) action: RuleAction,
    pub(super) traffic: Traffic,
    pub(super) certainty: Certainty,
    /// The policy, as in messages.
    pub(super) policy: String,
    /// Conditions that are not understood, as clauses.
    pub(super) conditions: Vec<String>,
}

impl Rule {
    /// A rule with conditions applies to at most its traffic.
    pub(super) fn of(
        policy: &EnginePolicy,
        action: RuleAction,
        traffic: Traffic,
        certainty: Certainty,
        conditions: Vec<String>,
    ) -> Self {
        Self {
            action,
            traffic,
            certainty: if conditions.is_empty() {
                certainty
            } else {
                Certainty::AtMost
            },
            policy: policy.to_string(),
            conditions,
        }
    }
}

/// Rules that are tried in order; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stage {
    pub(super) rules: Vec<Rule>,
    /// Whether traffic that no rule of the stage matches is denied, and never reaches the next one.
    pub(super) denies_the_rest: bool,
}
