//! Calico's policies, in tiers. The policies of a tier are tried in their order; what a tier that has a policy for the pod
//! does not decide, is denied (unless its `defaultAction` is Pass), and *Pass* leads to the next tier. NetworkPolicies of
//! Kubernetes stand in the tier `default` with the order 1000. What the last tier passes is decided by profiles, and the
//! profile of a namespace allows everything.
//! Source: <https://docs.tigera.io/calico/latest/network-policy/policy-tiers/tiered-policy>,
//! <https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy>

mod entity;
mod selector;

use std::cmp::Ordering;

use serde::Deserialize;

use self::entity::CalicoRuleDoc;
use self::selector::CalicoSelector;
use super::direction::Direction;
use super::endpoint::{Endpoint, Selects};
use super::kind::{EnginePolicy, PolicyKind};
use super::rule::{Certainty, Rule, Stage};

/// The order of Kubernetes' NetworkPolicies in their tier.
/// Source: <https://github.com/projectcalico/calico/blob/v3.30.0/libcalico-go/lib/backend/k8s/conversion/constants.go>
const ORDER_OF_NETWORK_POLICIES: f64 = 1000.0;

/// The tier of Kubernetes' NetworkPolicies, and of policies that name none.
const DEFAULT_TIER: &str = "default";

/// The order of the tier `default`, which every cluster has.
/// Source: <https://github.com/projectcalico/calico/blob/v3.30.0/api/pkg/apis/projectcalico/v3/tier.go>
const ORDER_OF_DEFAULT_TIER: f64 = 1_000_000.0;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CalicoPolicyDoc {
    #[serde(default)]
    tier: Option<String>,
    #[serde(default)]
    order: Option<f64>,
    #[serde(default)]
    selector: Option<String>,
    #[serde(default)]
    namespace_selector: Option<String>,
    #[serde(default)]
    service_account_selector: Option<String>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    ingress: Vec<CalicoRuleDoc>,
    #[serde(default)]
    egress: Vec<CalicoRuleDoc>,
    /// Of host endpoints only, as are the two below.
    #[serde(default)]
    do_not_track: bool,
    #[serde(default, rename = "preDNAT")]
    pre_dnat: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TierDoc {
    #[serde(default)]
    order: Option<f64>,
    #[serde(default)]
    default_action: Option<String>,
}

/// A policy with its place in its tier. Policies without an order come last.
struct Ordered {
    order: f64,
    /// At the same order, denials come after the permissions of NetworkPolicies: which of them is first is a matter of
    /// internal names.
    is_of_kubernetes: bool,
    name: String,
    rules: Vec<Rule>,
    selects: Selects,
}

struct Tier {
    name: String,
    order: f64,
    passes_the_rest: bool,
    policies: Vec<Ordered>,
}

/// The stages of all tiers, with the NetworkPolicies' rules in theirs.
pub(super) fn stages(
    policies: &[&EnginePolicy],
    network_policies: Vec<Rule>,
    endpoint: &Endpoint,
    direction: Direction,
    enforced: Certainty,
    unread: &mut Vec<String>,
) -> Vec<Stage> {
    let mut tiers = vec![Tier {
        name: DEFAULT_TIER.to_owned(),
        order: ORDER_OF_DEFAULT_TIER,
        passes_the_rest: false,
        policies: vec![Ordered {
            order: ORDER_OF_NETWORK_POLICIES,
            is_of_kubernetes: true,
            name: String::new(),
            rules: network_policies,
            // A quarantine is a NetworkPolicy of both directions.
            selects: Selects::Yes,
        }],
    }];
    for policy in policies.iter().filter(|policy| policy.kind == PolicyKind::CalicoTier) {
        match TierDoc::deserialize(&policy.spec) {
            Ok(doc) => {
                let tier = tier_of(&mut tiers, &policy.name);
                tier.order = doc.order.unwrap_or(f64::INFINITY);
                // That of the tier `default` can't be changed.
                tier.passes_the_rest = policy.name != DEFAULT_TIER && doc.default_action.as_deref() == Some("Pass");
            }
            Err(error) => unread.push(format!("{policy} is not understood: {error}")),
        }
    }
    for policy in policies.iter().filter(|policy| policy.kind != PolicyKind::CalicoTier) {
        match CalicoPolicyDoc::deserialize(&policy.spec) {
            Ok(doc) => {
                let name = doc.tier.clone().filter(|tier| !tier.is_empty());
                let tier = tier_of(&mut tiers, name.as_deref().unwrap_or(DEFAULT_TIER));
                tier.policies.extend(doc.ordered(policy, endpoint, direction, enforced));
            }
            Err(error) => unread.push(format!("{policy} is not understood: {error}")),
        }
    }
    tiers.sort_by(|a, b| a.order.total_cmp(&b.order).then_with(|| a.name.cmp(&b.name)));
    tiers.into_iter().map(Tier::stage).collect()
}

fn tier_of<'a>(tiers: &'a mut Vec<Tier>, name: &str) -> &'a mut Tier {
    let index = tiers.iter().position(|tier| tier.name == name).unwrap_or_else(|| {
        tiers.push(Tier {
            name: name.to_owned(),
            order: f64::INFINITY,
            passes_the_rest: false,
            policies: Vec::new(),
        });
        tiers.len() - 1
    });
    &mut tiers[index]
}

impl Tier {
    fn stage(mut self) -> Stage {
        self.policies.sort_by(|a, b| {
            let of_kubernetes = b.is_of_kubernetes.cmp(&a.is_of_kubernetes);
            let order: Ordering = a.order.total_cmp(&b.order);
            order.then(of_kubernetes).then_with(|| a.name.cmp(&b.name))
        });
        let is_applied = self.policies.iter().any(|policy| policy.selects == Selects::Yes);
        Stage {
            denies_the_rest: is_applied && !self.passes_the_rest,
            rules: self.policies.into_iter().flat_map(|policy| policy.rules).collect(),
        }
    }
}

impl CalicoPolicyDoc {
    fn ordered(
        self,
        policy: &EnginePolicy,
        endpoint: &Endpoint,
        direction: Direction,
        enforced: Certainty,
    ) -> Option<Ordered> {
        if self.do_not_track || self.pre_dnat || !self.is_of(direction) {
            return None;
        }
        let selects = self.selects(endpoint);
        let selected = match selects {
            Selects::No => return None,
            Selects::Perhaps => Certainty::AtMost,
            Selects::Yes => Certainty::Exactly,
        };
        let rules = match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        };
        let certainty = selected.min(enforced);
        Some(Ordered {
            order: self.order.unwrap_or(f64::INFINITY),
            is_of_kubernetes: false,
            name: policy.name.clone(),
            rules: rules
                .iter()
                .filter_map(|rule| rule.compiled(policy, direction, certainty))
                .collect(),
            selects: if enforced == Certainty::Exactly {
                selects
            } else {
                Selects::Perhaps
            },
        })
    }

    /// Without `types`, a policy is of the directions that it has rules for, or else of ingress.
    fn is_of(&self, direction: Direction) -> bool {
        if !self.types.is_empty() {
            let wanted = direction.to_string();
            return self.types.iter().any(|kind| kind.eq_ignore_ascii_case(&wanted));
        }
        match direction {
            Direction::Ingress => !self.ingress.is_empty() || self.egress.is_empty(),
            Direction::Egress => !self.egress.is_empty(),
        }
    }

    fn selects(&self, endpoint: &Endpoint) -> Selects {
        let written = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let mut labels = endpoint.labels.clone();
        labels.insert("projectcalico.org/namespace".to_owned(), endpoint.namespace.clone());
        labels.insert("projectcalico.org/orchestrator".to_owned(), "k8s".to_owned());
        labels.insert(
            "projectcalico.org/serviceaccount".to_owned(),
            endpoint.service_account.clone(),
        );
        let of_pod = written(&self.selector).map_or(Selects::Yes, |text| {
            CalicoSelector::parse(&text).map_or(Selects::Perhaps, |selector| selector.matches(&labels).into())
        });
        let of_namespace = written(&self.namespace_selector).map_or(Selects::Yes, |text| {
            match (CalicoSelector::parse(&text), &endpoint.namespace_labels) {
                (Some(CalicoSelector::All), _) => Selects::Yes,
                // It selects host endpoints and global network sets, and no pod.
                (Some(CalicoSelector::Global), _) => Selects::No,
                (Some(selector), Some(labels)) => {
                    let mut labels = labels.clone();
                    labels.insert("projectcalico.org/name".to_owned(), endpoint.namespace.clone());
                    selector.matches(&labels).into()
                }
                (None, _) | (_, None) => Selects::Perhaps,
            }
        });
        let of_account = written(&self.service_account_selector).map_or(Selects::Yes, |text| {
            match CalicoSelector::parse(&text) {
                Some(CalicoSelector::All) => Selects::Yes,
                // The labels of service accounts are not read.
                _ => Selects::Perhaps,
            }
        });
        of_pod.and(of_namespace).and(of_account)
    }
}
