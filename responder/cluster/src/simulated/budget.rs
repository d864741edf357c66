//! PodDisruptionBudgets: which of them select a pod, and whether they allow its eviction.
//!
//! Simulates the disruption controller and the eviction endpoint.
//! Source: `pkg/controller/disruption/disruption.go` and `pkg/registry/core/pod/storage/eviction.go` of Kubernetes.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;
use serde_json::Value;

use super::object::{BUDGET, POD, controller, is_ready, is_terminating, owner_key, phase, text, uid};
use super::select::selects;
use super::store::Store;

/// Whether the budgets of a namespace allow one eviction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EvictionVerdict {
    Allowed,
    /// The budget needs `needed` healthy pods and has `healthy`.
    Blocked {
        budget: String,
        needed: i64,
        healthy: i64,
    },
    /// More than one budget selects the pod, which the endpoint does not support.
    Several,
}

/// Checks an eviction against the budgets. The uid plays no part: the endpoint checks it later.
pub(super) fn verdict(store: &Store, namespace: &str, pod: &Value) -> EvictionVerdict {
    // Evicting a pod that is terminating, finished or pending disrupts nothing.
    if is_terminating(pod) || matches!(phase(pod), "Succeeded" | "Failed" | "Pending") {
        return EvictionVerdict::Allowed;
    }
    let mut budgets = store
        .in_namespace(&BUDGET, namespace)
        .filter_map(|(key, budget)| Some((key, budget, PodDisruptionBudget::deserialize(&**budget).ok()?)))
        .filter(|(_, _, budget)| selects_pod(budget, pod));
    let Some((key, stored, budget)) = budgets.next() else {
        return EvictionVerdict::Allowed;
    };
    if budgets.next().is_some() {
        return EvictionVerdict::Several;
    }
    let count = count(store, namespace, stored, &budget);
    let spec = budget.spec.as_ref();
    if !is_ready(pod) {
        let always = spec.and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref()) == Some("AlwaysAllow");
        if always || (count.healthy >= count.needed && count.needed > 0) {
            return EvictionVerdict::Allowed;
        }
    }
    if count.allowed() > 0 {
        EvictionVerdict::Allowed
    } else {
        EvictionVerdict::Blocked {
            budget: key.name.clone(),
            needed: count.needed,
            healthy: count.healthy,
        }
    }
}

fn selects_pod(budget: &PodDisruptionBudget, pod: &Value) -> bool {
    budget
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref())
        .is_some_and(|selector| selects(selector, pod))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    expected: i64,
    needed: i64,
    healthy: i64,
}

impl Count {
    const fn allowed(self) -> i64 {
        let spare = self.healthy - self.needed;
        if self.expected <= 0 || spare <= 0 { 0 } else { spare }
    }
}

fn count(store: &Store, namespace: &str, stored: &Value, budget: &PodDisruptionBudget) -> Count {
    let pods: Vec<&Value> = store
        .in_namespace(&POD, namespace)
        .map(|(_, pod)| &**pod)
        .filter(|pod| selects_pod(budget, pod))
        .collect();
    let healthy = length(pods.iter().filter(|pod| is_ready(pod) && !is_terminating(pod)).count());
    let scale = || expected_scale(store, namespace, stored, &pods);
    let spec = budget.spec.as_ref();
    let (expected, needed) = match spec.map(|spec| (&spec.max_unavailable, &spec.min_available)) {
        Some((Some(unavailable), _)) => {
            let expected = scale();
            (expected, (expected - scaled(unavailable, expected)).max(0))
        }
        Some((None, Some(IntOrString::Int(available)))) => (length(pods.len()), i64::from(*available)),
        Some((None, Some(available))) => {
            let expected = scale();
            (expected, scaled(available, expected))
        }
        // Neither is set: no disruption is allowed.
        _ => (0, 0),
    };
    Count {
        expected,
        needed,
        healthy,
    }
}

/// The number of pods that the controllers of these pods want together. Pods without a controller don't count.
fn expected_scale(store: &Store, namespace: &str, budget: &Value, pods: &[&Value]) -> i64 {
    let mut controllers = BTreeMap::new();
    let mut unknown = 0;
    for reference in pods.iter().filter_map(|pod| controller(pod)) {
        let mut key = owner_key(namespace, reference);
        let mut of = text(reference, "/uid");
        // Count a Deployment and not its ReplicaSets: during a rollout there are two.
        if let Some(above) = store.same(&key, of).and_then(|owner| controller(owner)) {
            key = owner_key(namespace, above);
            of = text(above, "/uid");
        }
        match store.same(&key, of) {
            Some(owner) => {
                let replicas = owner.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
                controllers.insert(uid(owner).to_owned(), replicas);
            }
            // The manifests lack the controller: assume that it wants the pods that exist.
            None => unknown += 1,
        }
    }
    let stated = budget.pointer("/status/expectedPods").and_then(Value::as_i64);
    match stated {
        Some(stated) if unknown > 0 => stated,
        _ => controllers.values().sum::<i64>() + unknown,
    }
}

/// A number as it is; a percentage of the total, rounded up.
fn scaled(value: &IntOrString, total: i64) -> i64 {
    match value {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            (percent * total + 99).div_euclid(100)
        }
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
