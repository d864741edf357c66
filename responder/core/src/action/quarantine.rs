//! The action `quarantine`: isolates one pod from the network.
//!
//! The first request creates a NetworkPolicy that selects only the label of this incident, and so no pod yet; with `through`,
//! a second one creates a policy that denies, of a kind of the cluster's engine, with the same selector. The last, one patch,
//! sets the label and, with `detach`, removes the labels by which Services and controllers select the pod, so a single write
//! isolates it. [`isolation`] computes the traffic that other policies still allow.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Action, ActionContext, ActionDoc, ActionInfo, ActionProblem, StepProblem, Widening};
use crate::class::ActionClass;
use crate::network::{Direction, Endpoint, EnginePolicy, Isolation, Policies, isolation};
use crate::object::{Kind, ObjectRef};
use crate::obstacle::{Obstacle, ObstacleKind};
use crate::own::{
    DenyingKind, DenyingPolicy, OnExpiry, OwnObject, QUARANTINE_LABEL, QuarantinePolicy, QuarantineRecord,
};
use crate::owner::OwnerChain;
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::request::Verb;
use crate::selector::Selector;
use crate::snapshot::{Needs, Snapshot};
use crate::span::Span;
use crate::target::{Target, TargetKind};

/// Isolates a pod from the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineDoc {
    /// How long the quarantine lasts; by default until an operator ends it. The end is stored on the policy and survives a
    /// restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// How the quarantine ends after `ttl`: `Hold` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_expiry: Option<OnExpiry>,
    /// Whether the labels by which Services and controllers select the pod are removed: `IfSafe` by default.
    #[serde(default)]
    pub detach: Detach,
    /// The traffic that stays allowed: none by default.
    #[serde(default)]
    pub allow: QuarantineAllowDoc,
    /// The kind of policy that isolates: `NetworkPolicy` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What the quarantine must be sure of, or else the step fails and its `otherwise` runs: nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<QuarantineRequireDoc>,
}

/// The kind of policy that isolates a quarantined pod. A NetworkPolicy only allows, so other policies' permissions stay in
/// force beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Through {
    /// A NetworkPolicy alone.
    #[default]
    NetworkPolicy,
    /// A NetworkPolicy, and a policy that denies where the cluster's engine is Cilium or Calico and its kind is served: a
    /// CiliumNetworkPolicy comes before every permission; Calico's NetworkPolicy, in the tier `default`, before every other
    /// of that tier. With `allow.dns` under Cilium, whose denials have no exceptions, and in other clusters, it is a
    /// NetworkPolicy alone, and the response says so.
    Auto,
}

/// What a quarantine must be sure of, by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineRequireDoc {
    /// Of the traffic to the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<RequiredIsolation>,
    /// Of the traffic from the pod. A remote shell has a way out as long as one policy allows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<RequiredIsolation>,
}

/// How well a direction must be isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum RequiredIsolation {
    /// No policy allows any of it, but for what the quarantine itself allows, and a known engine enforces that.
    Isolated,
}

/// The traffic that a quarantined pod keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineAllowDoc {
    /// The cluster's DNS (pods with `k8s-app: kube-dns` in kube-system, port 53): false by default, because DNS can carry
    /// data out.
    #[serde(default)]
    pub dns: bool,
}

/// Whether a quarantined pod is detached from its Services and its controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Detach {
    /// The pod keeps its labels, and its Services list it.
    Never,
    /// Only pods of a ReplicaSet are detached, and replaced; for others the response says why not. (A StatefulSet can't
    /// create `web-0` again while the old pod has the name, and stalls.)
    #[default]
    IfSafe,
    /// The pod is detached from any controller.
    Always,
}

const TARGETS: &[TargetKind] = &[TargetKind::Pod];

impl ActionDoc for QuarantineDoc {
    const INFO: ActionInfo = ActionInfo {
        name: "quarantine",
        summary: "Isolates a pod with a NetworkPolicy, and where it is asked for with one that denies, and detaches it from its Services and its ReplicaSet.",
        class: ActionClass::Contain,
        targets: TARGETS,
        verbs: &[Verb::Create, Verb::Patch],
        undo: "restores the labels that have not changed since, and removes the policies",
        example: "quarantine: {ttl: 2h, onExpiry: Hold, detach: IfSafe, allow: {dns: false}}",
        widened_by: &[
            Widening {
                parameter: "onExpiry",
                value: "Delete",
                example: "quarantine: {ttl: 2h, onExpiry: Delete}",
            },
            Widening {
                parameter: "through",
                value: "Auto",
                example: "quarantine: {through: Auto}",
            },
        ],
    };

    fn compile(&self) -> Result<Box<dyn Action>, ActionProblem> {
        if self.ttl.is_none() && self.on_expiry.is_some() {
            let message = "`onExpiry` needs a `ttl`: without one the quarantine lasts until an operator ends it";
            return Err(ActionProblem::of("onExpiry", message));
        }
        let required = self.require.unwrap_or_default();
        Ok(Box::new(Quarantine {
            ttl: self.ttl,
            on_expiry: self.on_expiry.unwrap_or_default(),
            detach: self.detach,
            allow_dns: self.allow.dns,
            through: self.through.unwrap_or_default(),
            required: [
                (Direction::Ingress, required.ingress),
                (Direction::Egress, required.egress),
            ]
            .into_iter()
            .filter_map(|(direction, required)| required.map(|RequiredIsolation::Isolated| direction))
            .collect(),
        }))
    }
}

/// `quarantine`, compiled.
#[derive(Debug)]
struct Quarantine {
    ttl: Option<Span>,
    on_expiry: OnExpiry,
    detach: Detach,
    allow_dns: bool,
    through: Through,
    /// The directions that must be isolated.
    required: Vec<Direction>,
}

impl Action for Quarantine {
    fn info(&self) -> &'static ActionInfo {
        &QuarantineDoc::INFO
    }

    fn needs(&self, _: TargetKind) -> Needs {
        Needs {
            policies: true,
            // Policies select by its labels.
            namespace: true,
            services: self.detach != Detach::Never,
            // The record names the owner: a detached pod still counts against its limits.
            owners: true,
            ..Needs::default()
        }
    }

    fn blocked_by(&self) -> Option<&'static str> {
        Some("policies of others that allow everything, or `hostNetwork`, make a quarantine useless")
    }

    fn end_class(&self) -> Option<ActionClass> {
        (self.on_expiry == OnExpiry::Delete).then_some(ActionClass::Destroy)
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        let mut permissions = vec![
            Permission::on(Kind::NetworkPolicy, "create"),
            // For the undo and for the end of the `ttl`.
            Permission::on(Kind::NetworkPolicy, "delete"),
            Permission::on(Kind::Pod, "patch"),
        ];
        if self.through == Through::Auto {
            let verbs = ["create", "delete"];
            let kinds = DenyingKind::ALL.into_iter();
            permissions.extend(kinds.flat_map(|denying| verbs.map(|verb| Permission::on(denying.kind(), verb))));
        }
        if self.on_expiry == OnExpiry::Delete {
            permissions.push(Permission::on(Kind::Pod, "delete"));
        }
        permissions
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, StepProblem> {
        let (Target::Pod { pod: target }, Some(live), Some(policies)) = (
            context.target,
            context.snapshot.pod.found(),
            context.snapshot.policies.found(),
        ) else {
            return Err(Refusal::new(RefusalReason::PlanUnsound, "the snapshot holds no pod or no policies").into());
        };
        refuse_untouchable(live, target)?;
        let mut step = StepPlan::default();
        let labels = pod::labels(live);
        if let Some(incident) = labels.get(QUARANTINE_LABEL) {
            if is_quarantined(target, incident, &policies.network_policies) {
                self.isolates(target, &isolation_of(live, labels.clone(), context.snapshot, policies))?;
                return Ok(StepPlan::noting(format!(
                    "{} is already in quarantine {}",
                    target.at,
                    incident.escape_debug()
                )));
            }
            step.notes.push(format!(
                "the label {QUARANTINE_LABEL}={} was on it without a quarantine of ours, and is replaced",
                incident.escape_debug()
            ));
        }
        let detached = self.labels_to_detach(live, context.snapshot, &mut step.notes);
        let mut after = labels.clone();
        after.retain(|key, _| !detached.contains(key));
        after.insert(QUARANTINE_LABEL.to_owned(), context.incident.to_owned());
        let record = QuarantineRecord {
            pod: target.clone(),
            incident: context.incident.to_owned(),
            playbook: context.playbook.as_str().to_owned(),
            owner: context.snapshot.owners.found().and_then(OwnerChain::counted).cloned(),
            // An end beyond the calendar is none.
            expires_at: self.ttl.and_then(|ttl| context.now.checked_add(ttl.signed()).ok()),
            on_expiry: self.allowed_end(context, &mut step.notes),
            detached: labels.into_iter().filter(|(key, _)| detached.contains(key)).collect(),
            denied_by: self.denying_kind(policies, live, &mut step.notes),
        };
        let unplaced = || {
            let detail = format!("{} has no place for a policy beside it", target.at);
            Refusal::new(RefusalReason::PlanUnsound, detail)
        };
        let policy = QuarantinePolicy::of(&record, self.allow_dns).ok_or_else(unplaced)?;
        let denying = match record.denied_by {
            None => None,
            Some(_) => Some(DenyingPolicy::of(&record, self.allow_dns).ok_or_else(unplaced)?),
        };
        let isolation = match denying.as_ref().and_then(EnginePolicy::of_quarantine) {
            None => isolation_of(live, after, context.snapshot, policies),
            Some(planned) => {
                let mut policies = policies.clone();
                policies.others.policies.push(planned);
                isolation_of(live, after, context.snapshot, &policies)
            }
        };
        self.isolates(target, &isolation)?;
        step.isolation = Some(isolation);
        step.notes.push(
            "connections that are open already may persist: what a policy does to them is up to the network".to_owned(),
        );
        step.expects.push(Expectation::Isolated {
            pod: target.clone(),
            policy: policy.at.clone(),
            denied_by: denying.as_ref().map(|policy| policy.at().clone()),
        });
        let objects = iter::once(OwnObject::NetworkPolicy(policy)).chain(denying.map(OwnObject::DenyingPolicy));
        step.requests.extend(objects.map(PlannedRequest::create));
        step.requests
            .push(PlannedRequest::patch(target.clone(), record.pod_patch()));
        Ok(step)
    }
}

fn refuse_untouchable(live: &Pod, target: &ObjectRef) -> Result<(), StepProblem> {
    if pod::is_mirror(live) {
        let detail = format!(
            "{} is the mirror of a static pod: labels on it are not the container's",
            target.at
        );
        return Err(Refusal::new(RefusalReason::MirrorPod, detail).into());
    }
    if pod::is_host_network(live) {
        let detail = format!(
            "{} shares its node's network, where NetworkPolicies don't reach",
            target.at
        );
        return Err(Obstacle::new(ObstacleKind::HostNetwork, detail).into());
    }
    Ok(())
}

/// The isolation of the pod with the labels that it has or would have.
fn isolation_of(live: &Pod, labels: BTreeMap<String, String>, snapshot: &Snapshot, policies: &Policies) -> Isolation {
    let namespace = snapshot.namespace.found();
    isolation(
        &Endpoint::of(live, labels, namespace.map(|namespace| &**namespace)),
        policies,
    )
}

/// Whether an untouched policy of ours holds this very pod in this incident. The pod's label alone proves nothing: its
/// tenant can write it.
fn is_quarantined(target: &ObjectRef, incident: &str, policies: &[NetworkPolicy]) -> bool {
    policies.iter().any(|policy| {
        QuarantinePolicy::is_untouched(policy)
            && matches!(
                QuarantineRecord::of(policy),
                Some(Ok(record)) if record.incident == incident && record.pod == *target
            )
    })
}

impl Quarantine {
    /// The obstacle where other policies allow everything, or something in a direction that must be isolated.
    fn isolates(&self, target: &ObjectRef, isolation: &Isolation) -> Result<(), Obstacle> {
        let blocked = |detail| Err(Obstacle::new(ObstacleKind::WouldNotIsolate, detail));
        if isolation.is_futile() {
            return blocked(format!(
                "a quarantine of {} would isolate nothing: {isolation}",
                target.at
            ));
        }
        for &direction in &self.required {
            let is_isolated = isolation.unverified.is_empty() && isolation.leaks_of(direction).next().is_none();
            if !is_isolated {
                let at = &target.at;
                return blocked(format!(
                    "the step requires that {direction} of {at} is isolated: {isolation}"
                ));
            }
        }
        Ok(())
    }

    /// The kind of policy that denies, if one is asked for and the cluster has one.
    fn denying_kind(&self, policies: &Policies, live: &Pod, notes: &mut Vec<String>) -> Option<DenyingKind> {
        if self.through == Through::NetworkPolicy {
            return None;
        }
        let found = policies.others.denying_kind().and_then(|kind| {
            if self.allow_dns && !kind.has_exceptions() {
                return Err(format!("a denial by {} would deny DNS too", kind.as_str()));
            }
            Ok(kind)
        });
        match found {
            Ok(kind) => {
                if kind == DenyingKind::Cilium && pod::is_restarted_by_network_probes(live) {
                    notes.push(
                        "Cilium may deny the kubelet's probes too, and a container whose probe fails is restarted"
                            .to_owned(),
                    );
                }
                Some(kind)
            }
            Err(why) => {
                notes.push(format!("through a NetworkPolicy alone: {why}"));
                None
            }
        }
    }

    /// The end of the quarantine: a deletion only if the alert corroborates the pod well enough for one.
    fn allowed_end(&self, context: &ActionContext<'_>, notes: &mut Vec<String>) -> OnExpiry {
        match (self.on_expiry, context.destroy_lacks) {
            (OnExpiry::Delete, Some(lacks)) => {
                notes.push(format!("its end is Hold, not Delete: {}", lacks.detail));
                OnExpiry::Hold
            }
            (end, _) => end,
        }
    }

    /// The label keys by which the controller and the Services select the pod, if `detach` removes them.
    fn labels_to_detach(&self, live: &Pod, snapshot: &Snapshot, notes: &mut Vec<String>) -> BTreeSet<String> {
        let kind = pod::controller(live).and_then(pod::controller_kind);
        match (self.detach, kind) {
            (Detach::Never, _) => {
                notes.push("not detached: its Services still list it".to_owned());
                return BTreeSet::new();
            }
            (Detach::IfSafe, Some(Kind::ReplicaSet)) => {}
            (Detach::IfSafe, _) => {
                let controller = pod::controller(live).map_or_else(
                    || "it has no controller that would replace it".to_owned(),
                    |owner| {
                        format!(
                            "its controller is a {}, and detaching is safe for a ReplicaSet only",
                            owner.kind.escape_debug()
                        )
                    },
                );
                notes.push(format!("not detached: {controller}; its Services still list it"));
                return BTreeSet::new();
            }
            (Detach::Always, Some(Kind::StatefulSet)) => {
                notes.push("the StatefulSet can't make a pod of this name again until this one is gone".to_owned());
            }
            (Detach::Always, _) => {}
        }
        let labels = pod::labels(live);
        let mut keys = BTreeSet::new();
        let controller = snapshot.owners.found().and_then(|chain| chain.owners.first()?.known());
        if let Some(selector) = controller.and_then(|owner| owner.selector.as_ref()) {
            keys.extend(selector.match_labels.iter().flatten().map(|(key, _)| key.clone()));
            keys.extend(
                selector
                    .match_expressions
                    .iter()
                    .flatten()
                    .map(|expression| expression.key.clone()),
            );
        } else if pod::controller(live).is_some() {
            notes.push("still controlled: the selector of its controller could not be read".to_owned());
        }
        for service in snapshot.services.found().into_iter().flatten() {
            // A Service without a selector has endpoints of another writer; no label detaches a pod from it.
            let Some(selector) = service
                .spec
                .as_ref()
                .and_then(|spec| spec.selector.as_ref())
                .filter(|s| !s.is_empty())
            else {
                continue;
            };
            if Selector::of_map(selector).matches(&labels) {
                keys.extend(selector.keys().cloned());
            }
        }
        // A Service can select by our own label, where a tenant has set it.
        keys.retain(|key| labels.contains_key(key) && key != QUARANTINE_LABEL);
        keys
    }
}
