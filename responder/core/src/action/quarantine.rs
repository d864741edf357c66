//! The action `quarantine`: cuts one pod off the network.
//!
//! First a policy that selects only a label of this incident, so that it selects nothing yet; then one patch that sets
//! the label and, with `detach`, takes away the labels by which Services and controllers select the pod. So isolation
//! begins with a single write. What other policies still allow is computed by [`crate::guard::isolation`] and reported.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, ActionContext, ActionInfo, ActionProblem, Widening};
use crate::class::ActionClass;
use crate::guard::{QUARANTINE_LABEL, isolation, selects_label, to_cluster_dns};
use crate::object::{Kind, Locator, Name, ObjectRef};
use crate::permission::Permission;
use crate::plan::{Expectation, PlannedRequest, StepPlan, Undo};
use crate::pod;
use crate::refusal::{Refusal, RefusalReason};
use crate::request::{OwnObject, Request, Verb};
use crate::selector::Selector;
use crate::snapshot::{Needs, Snapshot};
use crate::span::Span;
use crate::target::{Target, TargetKind};

mod record;

pub use record::{QuarantineRecord, RecordProblem};

/// Cuts a pod off the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineDoc {
    /// How long; by default until a person ends it. The deadline is written on the policy, so it holds over a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// What happens at the end of `ttl`: `Hold` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_expiry: Option<OnExpiry>,
    /// Whether the labels by which Services and controllers select the pod are taken away: `IfSafe` by default.
    #[serde(default)]
    pub detach: Detach,
    /// What stays allowed: nothing by default.
    #[serde(default)]
    pub allow: QuarantineAllowDoc,
}

/// What a quarantined pod may still reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineAllowDoc {
    /// The cluster's DNS (pods labelled `k8s-app: kube-dns` in kube-system, port 53): false by default, because DNS
    /// carries data out as well.
    #[serde(default)]
    pub dns: bool,
}

/// What happens at the end of a quarantine's time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum OnExpiry {
    /// It stays, and is reported.
    #[default]
    Hold,
    /// The pod's labels are given back and the policy is removed. A ReplicaSet then has one pod too many and ends one,
    /// perhaps a healthy one.
    Release,
    /// The pod is deleted, then the policy.
    Delete,
}

impl OnExpiry {
    /// The name as written in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "Hold",
            Self::Release => "Release",
            Self::Delete => "Delete",
        }
    }
}

/// Whether a quarantined pod is taken out of its Services and its controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Detach {
    /// Its labels stay: its Services still list it.
    Never,
    /// Pods of a ReplicaSet are detached and replaced; others are not, and the response says why. (A StatefulSet can't
    /// make `web-0` again while the old one has the name, and stalls.)
    #[default]
    IfSafe,
    /// Whatever controls it.
    Always,
}

impl QuarantineDoc {
    pub(super) const INFO: ActionInfo = ActionInfo {
        name: "quarantine",
        summary: "Cuts a pod off the network by a policy of its own, and takes it out of its Services and its ReplicaSet.",
        class: ActionClass::Contain,
        targets: TARGETS,
        verbs: &[Verb::Create, Verb::Patch],
        undo: "gives back the labels that nobody has changed since, and removes the policy",
        example: "quarantine: {ttl: 2h, onExpiry: Hold, detach: IfSafe, allow: {dns: false}}",
        widened_by: &[Widening {
            parameter: "onExpiry",
            value: "Delete",
            example: "quarantine: {ttl: 2h, onExpiry: Delete}",
        }],
    };

    pub(super) fn compile(&self) -> Result<Quarantine, ActionProblem> {
        if self.ttl.is_none() && self.on_expiry.is_some() {
            let message =
                "`onExpiry` needs a `ttl`: without one the quarantine stays until a person ends it".to_owned();
            return Err(ActionProblem {
                parameter: "onExpiry".to_owned(),
                message,
            });
        }
        Ok(Quarantine {
            ttl: self.ttl,
            on_expiry: self.on_expiry.unwrap_or_default(),
            detach: self.detach,
            allow_dns: self.allow.dns,
        })
    }
}

const TARGETS: &[TargetKind] = &[TargetKind::Pod];

/// `quarantine`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    ttl: Option<Span>,
    on_expiry: OnExpiry,
    detach: Detach,
    allow_dns: bool,
}

impl Action for Quarantine {
    fn name(&self) -> &'static str {
        QuarantineDoc::INFO.name
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn targets(&self) -> &'static [TargetKind] {
        TARGETS
    }

    fn needs(&self) -> Needs {
        let detaches = self.detach != Detach::Never;
        Needs {
            policies: true,
            services: detaches,
            owners: detaches,
            ..Needs::default()
        }
    }

    fn permissions(&self, _: TargetKind) -> Vec<Permission> {
        let mut permissions = vec![
            Permission::on(Kind::NetworkPolicy, "create"),
            // For the undo and for the end of the quarantine's time.
            Permission::on(Kind::NetworkPolicy, "delete"),
            Permission::on(Kind::Pod, "patch"),
        ];
        if self.on_expiry == OnExpiry::Delete {
            permissions.push(Permission::on(Kind::Pod, "delete"));
        }
        permissions
    }

    fn plan(&self, context: &ActionContext<'_>) -> Result<StepPlan, Refusal> {
        let (Target::Pod { pod: target }, Some(live), Some(policies)) = (
            context.target,
            context.snapshot.pod.found(),
            context.snapshot.policies.found(),
        ) else {
            return Err(Refusal::new(
                RefusalReason::PlanUnsound,
                "the snapshot holds no pod or no policies",
            ));
        };
        refuse_untouchable(live, target)?;
        let mut step = StepPlan::default();
        let labels = pod::labels(live);
        let detached = self.labels_to_detach(live, context.snapshot, &mut step.notes);

        let mut after = labels.clone();
        after.retain(|key, _| !detached.contains(key));
        after.insert(QUARANTINE_LABEL.to_owned(), context.incident.to_owned());
        let isolation = isolation(&after, &policies.policies, policies.engine.as_ref());
        if isolation.is_futile() {
            let detail = format!("a quarantine of {} would isolate nothing: {isolation}", target.at);
            return Err(Refusal::new(RefusalReason::WouldNotIsolate, detail));
        }
        step.isolation = Some(isolation);
        step.notes.push(
            "connections that are open already may persist: what a policy does to them is up to the network".to_owned(),
        );

        let record = QuarantineRecord {
            pod: target.clone(),
            incident: context.incident.to_owned(),
            playbook: context.playbook.as_str().to_owned(),
            // A time beyond the calendar is no deadline at all.
            expires_at: self.ttl.and_then(|ttl| context.now.checked_add(ttl.signed()).ok()),
            on_expiry: self.on_expiry,
            detached: labels.into_iter().filter(|(key, _)| detached.contains(key)).collect(),
        };
        let policy = self.policy(&record)?;
        let at = policy.at();
        let (patch, before) = record.pod_patch();
        step.expects.push(Expectation::Isolated {
            pod: target.clone(),
            policy: at.clone(),
        });
        step.requests.push(PlannedRequest {
            request: Request::Create {
                object: Box::new(policy),
            },
            undo: Undo::DeleteCreated { at },
        });
        step.requests.push(PlannedRequest {
            undo: Undo::Restore {
                target: target.clone(),
                left: patch.clone(),
                before,
            },
            request: Request::Patch {
                target: target.clone(),
                patch,
            },
        });
        Ok(step)
    }
}

fn refuse_untouchable(live: &Pod, target: &ObjectRef) -> Result<(), Refusal> {
    if pod::is_host_network(live) {
        let detail = format!(
            "{} shares its node's network, where NetworkPolicies don't reach",
            target.at
        );
        return Err(Refusal::new(RefusalReason::HostNetwork, detail));
    }
    if pod::is_mirror(live) {
        let detail = format!(
            "{} is the mirror of a static pod: labels on it are not the container's",
            target.at
        );
        return Err(Refusal::new(RefusalReason::MirrorPod, detail));
    }
    if let Some(incident) = live
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(QUARANTINE_LABEL))
    {
        let detail = format!("{} is already in quarantine {}", target.at, incident.escape_debug());
        return Err(Refusal::new(RefusalReason::AlreadyDone, detail));
    }
    Ok(())
}

impl Quarantine {
    /// The label keys by which its controller and its Services select the pod, as far as `detach` wants them away.
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
        let controller = snapshot.owners.found().and_then(|chain| chain.owners.first());
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
            // A Service without a selector has endpoints that somebody else writes; no label takes a pod out of it.
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
        keys.retain(|key| labels.contains_key(key));
        keys
    }

    fn policy(&self, record: &QuarantineRecord) -> Result<OwnObject, Refusal> {
        let name = format!("responder-quarantine-{}", record.incident);
        let at = Name::new(&name)
            .zip(record.pod.at.namespace().cloned())
            .and_then(|(name, namespace)| Locator::namespaced(Kind::NetworkPolicy, namespace, name))
            .ok_or_else(|| Refusal::new(RefusalReason::PlanUnsound, format!("`{name}` is no name for a policy")))?;
        let manifest = NetworkPolicy {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: record.pod.at.namespace().map(ToString::to_string),
                labels: Some(record.policy_labels()),
                annotations: Some(record.policy_annotations()),
                // The policy goes when the pod goes: a quarantine leaves nothing behind.
                owner_references: Some(vec![OwnerReference {
                    api_version: "v1".to_owned(),
                    kind: "Pod".to_owned(),
                    name: record.pod.at.name().to_string(),
                    uid: record.pod.uid.to_string(),
                    block_owner_deletion: Some(false),
                    controller: Some(false),
                }]),
                ..ObjectMeta::default()
            },
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(selects_label(QUARANTINE_LABEL, &record.incident)),
                policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
                ingress: None,
                egress: self.allow_dns.then(|| vec![to_cluster_dns()]),
            }),
        };
        Ok(OwnObject::NetworkPolicy { at, manifest })
    }
}
