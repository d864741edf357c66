//! The policy of a quarantine that denies, of a kind of the cluster's engine: it selects only the label of its incident,
//! like the NetworkPolicy beside it, and denies what other policies would still allow.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};

use super::denying_kind::DenyingKind;
use super::quarantine_record::{QUARANTINE_LABEL, QuarantineRecord};
use crate::object::{Locator, Name, ObjectRef};

/// The order of the policy in Calico's tier `default`, before any that a person would give. NetworkPolicies have 1000, and
/// a lower order comes first.
/// Source: <https://docs.tigera.io/calico/latest/reference/resources/networkpolicy>
const CALICO_ORDER: i64 = -1_000_000_000;

const CALICO_TIER: &str = "default";

/// The policy of a quarantine that denies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DenyingPolicy {
    at: Locator,
    manifest: Value,
}

impl DenyingPolicy {
    /// The policy of a record; with `allow_dns` it does not deny egress to the cluster's DNS. `None` for a record without
    /// one, or if its kind has no exceptions.
    pub fn of(record: &QuarantineRecord, allow_dns: bool) -> Option<Self> {
        let (kind, at) = (record.denied_by?, Self::place(record)?);
        let object_kind = kind.kind();
        let metadata = ObjectMeta {
            name: Some(at.name().to_string()),
            namespace: at.namespace().map(ToString::to_string),
            labels: Some(record.policy_labels()),
            annotations: Some(record.denying_annotations()),
            // The garbage collector deletes the policy after the pod.
            owner_references: Some(vec![record.pod_as_owner()]),
            ..ObjectMeta::default()
        };
        let manifest = json!({
            "apiVersion": object_kind.api_version(),
            "kind": object_kind.as_str(),
            "metadata": metadata,
            "spec": spec(kind, &record.incident, allow_dns)?,
        });
        Some(Self { at, manifest })
    }

    /// Where the policy of a record is created: in the pod's namespace, with the incident in its name; `None` for a record
    /// without one, and for an incident that fits no name.
    pub fn place(record: &QuarantineRecord) -> Option<Locator> {
        let kind = record.denied_by?;
        let name = Name::new(&format!("{}{}", prefix(kind), record.incident))?;
        Locator::namespaced(kind.kind(), record.pod.at.namespace()?.clone(), name)
    }

    /// Where it is created.
    pub const fn at(&self) -> &Locator {
        &self.at
    }

    /// Its manifest.
    pub const fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// Whether a live policy has the labels, the annotations, the owner and the spec of this one.
    pub fn is_same_as(&self, live: &Value) -> bool {
        let (Ok(ours), Ok(theirs)) = (metadata(&self.manifest), metadata(live)) else {
            return false;
        };
        let Some(kind) = DenyingKind::of(self.at.kind()) else {
            return false;
        };
        let labels = theirs.labels.unwrap_or_default();
        let annotations = theirs.annotations.unwrap_or_default();
        let mut our_labels = ours.labels.iter().flatten();
        let mut our_annotations = ours.annotations.iter().flatten();
        our_labels.all(|(key, value)| labels.get(key) == Some(value))
            && our_annotations.all(|(key, value)| annotations.get(key) == Some(value))
            && theirs.owner_references == ours.owner_references
            && theirs.deletion_timestamp.is_none()
            && live.get("specs").is_none()
            && live
                .get("spec")
                .is_some_and(|spec| plain(kind, spec) == self.manifest["spec"])
    }

    /// Whether the policy is in the target's namespace and decides only about pods with the label of this incident.
    pub fn is_confined_to(&self, incident: &str, target: &ObjectRef) -> bool {
        let Some(kind) = DenyingKind::of(self.at.kind()) else {
            return false;
        };
        let is_ours = [false, true]
            .into_iter()
            .any(|allow_dns| spec(kind, incident, allow_dns).as_ref() == self.manifest.get("spec"));
        is_ours && self.at.namespace() == target.at.namespace()
    }

    /// Whether a live policy belongs to the quarantine of this record: it has the label of its incident, and the uid of its
    /// pod. A tenant who can write NetworkPolicies could write a record that has another policy removed.
    pub fn belongs_to(record: &QuarantineRecord, live: &Value) -> bool {
        let Ok(metadata) = metadata(live) else { return false };
        let incident = metadata.labels.as_ref().and_then(|labels| labels.get(QUARANTINE_LABEL));
        let annotations = metadata.annotations.unwrap_or_default();
        let mut ours = record.pod_annotations();
        incident == Some(&record.incident) && ours.all(|(key, value)| annotations.get(key) == Some(&value))
    }

    /// Whether a policy of this kind, name and spec denies everything for the pods of its incident and nothing for others,
    /// but for what a quarantine may allow. Its labels do not matter: one with this content is as good, whoever wrote it.
    pub fn is_untouched(kind: DenyingKind, name: &str, live: &Value) -> bool {
        let Some(incident) = name.strip_prefix(prefix(kind)) else {
            return false;
        };
        let live = plain(kind, live);
        [false, true]
            .into_iter()
            .any(|allow_dns| spec(kind, incident, allow_dns).as_ref() == Some(&live))
    }

    /// The spec for an incident that denies all traffic.
    pub fn whole_spec(kind: DenyingKind, incident: &str) -> Option<Value> {
        spec(kind, incident, false)
    }

    /// The incident in a name; `None` for the name of another policy.
    pub fn incident_of(kind: DenyingKind, name: &str) -> Option<&str> {
        name.strip_prefix(prefix(kind))
    }
}

fn metadata(object: &Value) -> Result<ObjectMeta, serde_json::Error> {
    object
        .get("metadata")
        .map_or_else(|| Ok(ObjectMeta::default()), ObjectMeta::deserialize)
}

/// The beginning of the policy's name. Calico stores a policy under the name of its tier and its own.
/// Source: `BackendTieredPolicyName` in <https://github.com/projectcalico/calico/blob/v3.30.0/libcalico-go/lib/names/policy.go>,
/// <https://github.com/projectcalico/calico/issues/9642>
const fn prefix(kind: DenyingKind) -> &'static str {
    match kind {
        DenyingKind::Cilium | DenyingKind::CalicoV3 => "responder-quarantine-",
        DenyingKind::Calico => "default.responder-quarantine-",
    }
}

/// `None` for exceptions of a kind that has none.
fn spec(kind: DenyingKind, incident: &str, allow_dns: bool) -> Option<Value> {
    if allow_dns && !kind.has_exceptions() {
        return None;
    }
    Some(match kind {
        DenyingKind::Cilium => json!({
            "endpointSelector": {"matchLabels": {QUARANTINE_LABEL: incident}},
            "ingressDeny": [{"fromEntities": ["all"]}],
            "egressDeny": [{"toEntities": ["all"]}],
        }),
        DenyingKind::Calico | DenyingKind::CalicoV3 => {
            let deny = json!({"action": "Deny"});
            let mut egress: Vec<Value> = Vec::new();
            if allow_dns {
                egress.extend(["UDP", "TCP"].map(to_cluster_dns));
            }
            egress.push(deny.clone());
            json!({
                "tier": CALICO_TIER,
                "order": CALICO_ORDER,
                // An incident is letters and digits; the API server refuses another text in the label.
                "selector": format!("{QUARANTINE_LABEL} == '{incident}'"),
                "types": ["Ingress", "Egress"],
                "ingress": [deny],
                "egress": egress,
            })
        }
    })
}

/// Egress to the pods that the NetworkPolicy beside it allows.
fn to_cluster_dns(protocol: &str) -> Value {
    json!({
        "action": "Allow",
        "protocol": protocol,
        "destination": {
            "namespaceSelector": "projectcalico.org/name == 'kube-system'",
            "selector": "k8s-app == 'kube-dns'",
            "ports": [53],
        },
    })
}

/// A live spec without what Calico's API server adds to it: the empty ends of rules. A number may be written with a
/// fraction.
fn plain(kind: DenyingKind, live: &Value) -> Value {
    let mut live = live.clone();
    if kind == DenyingKind::Cilium {
        return live;
    }
    for direction in ["ingress", "egress"] {
        let rules = live.get_mut(direction).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            for end in ["source", "destination"] {
                if rule.get(end).is_some_and(|entity| *entity == json!({})) {
                    rule.remove(end);
                }
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a billion is exact")]
    let ours = CALICO_ORDER as f64;
    if let Some(order) = live.get_mut("order")
        && order.as_f64() == Some(ours)
    {
        *order = json!(CALICO_ORDER);
    }
    live
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::object::{Namespace, Uid};
    use crate::own::OnExpiry;

    fn record(denied_by: DenyingKind) -> QuarantineRecord {
        QuarantineRecord {
            pod: ObjectRef {
                at: Locator::pod(Namespace::new("web").unwrap(), Name::new("web-0").unwrap()),
                uid: Uid::new("pod-uid").unwrap(),
            },
            incident: "abc".to_owned(),
            playbook: "remote-shell".to_owned(),
            owner: None,
            expires_at: None,
            on_expiry: OnExpiry::Hold,
            detached: BTreeMap::new(),
            denied_by: Some(denied_by),
        }
    }

    fn policy(kind: DenyingKind) -> DenyingPolicy {
        DenyingPolicy::of(&record(kind), false).unwrap()
    }

    #[rstest]
    #[case(DenyingKind::Cilium, "ciliumnetworkpolicy.cilium.io/web/responder-quarantine-abc")]
    #[case(
        DenyingKind::Calico,
        "networkpolicy.crd.projectcalico.org/web/default.responder-quarantine-abc"
    )]
    #[case(
        DenyingKind::CalicoV3,
        "networkpolicy.projectcalico.org/web/responder-quarantine-abc"
    )]
    fn a_policy_is_beside_its_pod_and_goes_with_it(#[case] kind: DenyingKind, #[case] at: &str) {
        let policy = policy(kind);
        assert_eq!(policy.at().to_string(), at);
        assert_eq!(
            policy.manifest()["metadata"]["ownerReferences"],
            json!([{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "pod-uid", "controller": false, "blockOwnerDeletion": false}])
        );
        assert!(policy.is_confined_to("abc", &record(kind).pod));
        assert!(!policy.is_confined_to("def", &record(kind).pod));
        let mut elsewhere = record(kind).pod;
        elsewhere.at = Locator::pod(Namespace::new("shop").unwrap(), Name::new("web-0").unwrap());
        assert!(!policy.is_confined_to("abc", &elsewhere));
    }

    #[rstest]
    fn a_policy_is_our_own_as_long_as_nothing_of_it_changed(
        #[values(DenyingKind::Cilium, DenyingKind::Calico, DenyingKind::CalicoV3)] kind: DenyingKind,
        #[values(
            ("/metadata/labels/responder.dev~1quarantine", json!("def")),
            ("/metadata/annotations/responder.dev~1pod-uid", json!("another")),
            ("/metadata/ownerReferences", json!([])),
            ("/metadata/deletionTimestamp", json!("2026-11-24T05:00:00Z")),
            ("/spec", json!({})),
            ("/spec/ingress", json!([])),
            ("/spec/ingressDeny", json!([])),
            ("/specs", json!([])),
        )]
        change: (&str, Value),
    ) {
        let policy = policy(kind);
        let live = policy.manifest().clone();
        assert!(policy.is_same_as(&live));
        let mut changed = live;
        let (parent, key) = change.0.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() {
            &mut changed
        } else {
            changed.pointer_mut(parent).unwrap()
        };
        parent[key.replace("~1", "/")] = change.1;
        assert!(!policy.is_same_as(&changed), "{changed}");
    }

    #[test]
    fn what_an_api_server_adds_is_no_change() {
        let policy = policy(DenyingKind::CalicoV3);
        let mut live = policy.manifest().clone();
        live["metadata"]["uid"] = json!("given");
        live["metadata"]["labels"]["projectcalico.org/tier"] = json!("default");
        live["spec"]["order"] = json!(-1e9);
        live["spec"]["ingress"] = json!([{"action": "Deny", "source": {}, "destination": {}}]);
        assert!(policy.is_same_as(&live));
        live["spec"]["ingress"] = json!([{"action": "Deny", "source": {"nets": ["10.0.0.0/8"]}}]);
        assert!(!policy.is_same_as(&live));
    }

    #[rstest]
    #[case::everything(json!({}), true)]
    #[case::less(json!({"ingress": [{"action": "Deny", "protocol": "TCP"}]}), false)]
    #[case::after_others(json!({"order": 10}), false)]
    #[case::one_direction(json!({"types": ["Ingress"]}), false)]
    #[case::another_pod(json!({"selector": "responder.dev/quarantine == 'def'"}), false)]
    #[case::an_allowance(json!({"egress": [{"action": "Allow"}, {"action": "Deny"}]}), false)]
    fn a_changed_policy_is_no_denial(#[case] changes: Value, #[case] is_untouched: bool) {
        let mut spec = policy(DenyingKind::Calico).manifest()["spec"].clone();
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let name = "default.responder-quarantine-abc";
        assert_eq!(
            DenyingPolicy::is_untouched(DenyingKind::Calico, name, &spec),
            is_untouched
        );
        assert!(!DenyingPolicy::is_untouched(DenyingKind::Calico, "default.abc", &spec));
    }

    #[test]
    fn dns_stays_open_only_where_a_denial_has_exceptions() {
        assert_eq!(DenyingPolicy::of(&record(DenyingKind::Cilium), true), None);
        let with_dns = DenyingPolicy::of(&record(DenyingKind::Calico), true).unwrap();
        assert_eq!(with_dns.manifest()["spec"]["egress"].as_array().unwrap().len(), 3);
        assert!(with_dns.is_confined_to("abc", &record(DenyingKind::Calico).pod));
        assert!(DenyingPolicy::is_untouched(
            DenyingKind::Calico,
            with_dns.at().name().as_str(),
            &with_dns.manifest()["spec"]
        ));
    }

    #[rstest]
    #[case::its_own("abc", "pod-uid", true)]
    #[case::of_another_incident("def", "pod-uid", false)]
    #[case::of_another_pod("abc", "another", false)]
    fn a_record_ends_its_own_policy_only(#[case] incident: &str, #[case] uid: &str, #[case] belongs: bool) {
        let record = record(DenyingKind::Cilium);
        let other = QuarantineRecord {
            incident: incident.to_owned(),
            pod: ObjectRef {
                uid: Uid::new(uid).unwrap(),
                ..record.pod.clone()
            },
            ..record.clone()
        };
        let live = DenyingPolicy::of(&other, false).unwrap();
        assert_eq!(DenyingPolicy::belongs_to(&record, live.manifest()), belongs);
    }
}
