//! Reads the owner of a pod from an object of any kind. Part of the step *snapshot*, for both adapters.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use responder_core::custom_kind::CustomLocator;
use responder_core::object::{Kind, Locator, Namespace, ObjectRef, Uid};
use responder_core::owner::{CustomOwner, Owner, Uncounted};
use responder_core::port::{ControllerRef, CustomOwnerObject, OwnerObject};
use responder_core::sensor::watches_its_node;
use serde::Deserialize;
use serde_json::Value;

/// The fields of an owner that decisions need. Other fields are skipped.
#[derive(Deserialize)]
pub(crate) struct OwnerDoc {
    metadata: Metadata,
    #[serde(default)]
    spec: Option<Spec>,
    #[serde(default)]
    status: Option<Status>,
}

/// The metadata of a controller of a custom kind.
#[derive(Deserialize)]
pub(crate) struct CustomOwnerDoc {
    metadata: Metadata,
}

/// The `scale` subresource of a controller.
#[derive(Default, Deserialize)]
pub(crate) struct Scale {
    #[serde(default)]
    spec: ScaleSpec,
}

#[derive(Default, Deserialize)]
struct ScaleSpec {
    /// Left out where it is 0.
    /// Source: <https://kubernetes.io/docs/reference/kubernetes-api/autoscaling-resources/scale-v1/>
    #[serde(default)]
    replicas: i64,
}

impl Scale {
    /// The number of replicas that it asks for.
    pub(crate) fn replicas(&self) -> Result<u32, Uncounted> {
        let replicas = self.spec.replicas;
        u32::try_from(replicas).map_err(|_| Uncounted(format!("its scale asks for {replicas} replicas")))
    }
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default, rename = "ownerReferences")]
    owner_references: Vec<OwnerReference>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    replicas: Option<i64>,
    /// A [`LabelSelector`]; in a ReplicationController, a plain map of labels.
    #[serde(default)]
    selector: Option<Value>,
    #[serde(default)]
    template: Option<Value>,
}

impl Spec {
    /// Whether the pod template is a Falco that watches its node.
    fn runs_falco(&self) -> bool {
        let spec = self.template.as_ref().and_then(|template| template.get("spec"));
        let spec = spec.and_then(|spec| PodSpec::deserialize(spec).ok());
        spec.is_some_and(|spec| watches_its_node(&spec))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// Of a DaemonSet: the nodes that should run its pod.
    /// Source: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/daemon-set-v1/#DaemonSetStatus>
    #[serde(default)]
    desired_number_scheduled: Option<i64>,
}

impl Metadata {
    fn controlled_by(&self) -> Option<ControllerRef> {
        let mut references = self.owner_references.iter();
        let controller = references.find(|reference| reference.controller == Some(true))?;
        Some(ControllerRef {
            api_version: controller.api_version.clone(),
            kind: controller.kind.clone(),
            name: controller.name.clone(),
            uid: controller.uid.clone(),
        })
    }
}

impl CustomOwnerDoc {
    /// The controller at this place, in this namespace; `None` if its uid is not a valid one.
    pub(crate) fn into_owner(
        self,
        at: &CustomLocator,
        namespace: Option<Namespace>,
        replicas: Result<u32, Uncounted>,
    ) -> Option<CustomOwnerObject> {
        let controlled_by = self.metadata.controlled_by();
        Some(CustomOwnerObject {
            owner: CustomOwner {
                kind: at.kind.clone(),
                namespace,
                name: at.name.clone(),
                uid: Uid::new(&self.metadata.uid)?,
                replicas,
                labels: self.metadata.labels,
                annotations: self.metadata.annotations,
            },
            controlled_by,
        })
    }
}

impl OwnerDoc {
    /// The owner at this locator; `None` if its uid is not a valid one.
    pub(crate) fn into_owner(self, at: &Locator) -> Option<OwnerObject> {
        let uid = Uid::new(&self.metadata.uid)?;
        let controlled_by = self.metadata.controlled_by();
        let replicas = match at.kind() {
            Kind::DaemonSet => self.status.and_then(|status| status.desired_number_scheduled),
            _ => self.spec.as_ref().and_then(|spec| spec.replicas),
        };
        let runs_falco = at.kind() == Kind::DaemonSet && self.spec.as_ref().is_some_and(Spec::runs_falco);
        let selector = self.spec.and_then(|spec| spec.selector);
        Some(OwnerObject {
            owner: Owner {
                object: ObjectRef { at: at.clone(), uid },
                replicas: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
                selector: selector.as_ref().and_then(label_selector),
                runs_falco,
                labels: self.metadata.labels,
                annotations: self.metadata.annotations,
            },
            controlled_by,
        })
    }
}

/// A `spec.selector` of either shape; `None` if it is neither.
pub(crate) fn label_selector(selector: &Value) -> Option<LabelSelector> {
    let entries = selector.as_object()?;
    let plain_map = !entries.is_empty() && entries.values().all(Value::is_string);
    if plain_map {
        let labels = entries
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        return Some(LabelSelector {
            match_labels: Some(labels.collect()),
            match_expressions: None,
        });
    }
    LabelSelector::deserialize(selector).ok()
}

#[cfg(test)]
mod tests {
    use responder_core::object::{Kind, Name, Namespace};
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(kind: Kind, object: Value) -> OwnerObject {
        let at = Locator::namespaced(kind, Namespace::new("web").unwrap(), Name::new("web").unwrap()).unwrap();
        serde_json::from_value::<OwnerDoc>(object)
            .unwrap()
            .into_owner(&at)
            .unwrap()
    }

    #[test]
    fn replicas_selector_and_the_controller_above_are_read() {
        let read = read(
            Kind::ReplicaSet,
            json!({
                "metadata": {"uid": "u-1", "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "unrelated", "uid": "u-2"},
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-3", "controller": true},
                ]},
                "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"ignored": 1}},
            }),
        );
        assert_eq!(read.owner.replicas, Some(3));
        assert_eq!(read.owner.selector.unwrap().match_labels.unwrap()["app"], "web");
        assert_eq!(read.controlled_by.unwrap().name, "web");
    }

    #[test]
    fn the_selector_of_a_replication_controller_is_a_map_of_labels() {
        let read = read(
            Kind::ReplicationController,
            json!({"metadata": {"uid": "u-1"}, "spec": {"replicas": 1, "selector": {"app": "web"}}}),
        );
        assert_eq!(read.owner.selector.unwrap().match_labels.unwrap()["app"], "web");
    }

    #[test]
    fn a_template_of_falco_counts_in_a_daemon_set_alone() {
        let template = json!({"spec": {"containers": [
            {"name": "falco", "image": "falcosecurity/falco:0.44.0", "securityContext": {"privileged": true}},
        ]}});
        let object = json!({"metadata": {"uid": "u-1"}, "spec": {"template": template}});
        assert!(read(Kind::DaemonSet, object.clone()).owner.runs_falco);
        assert!(!read(Kind::Deployment, object).owner.runs_falco);
        let plain = json!({"spec": {"containers": [{"name": "falco", "image": "falcosecurity/falco:0.44.0"}]}});
        let object = json!({"metadata": {"uid": "u-1"}, "spec": {"template": plain}});
        assert!(!read(Kind::DaemonSet, object).owner.runs_falco);
    }

    /// A DaemonSet has no `spec.replicas`; what a manifest writes there is no number of pods.
    #[test]
    fn a_daemon_set_wants_a_pod_on_each_of_its_nodes() {
        let status =
            json!({"metadata": {"uid": "u-1"}, "spec": {"replicas": 9}, "status": {"desiredNumberScheduled": 3}});
        assert_eq!(read(Kind::DaemonSet, status).owner.replicas, Some(3));
        let without = json!({"metadata": {"uid": "u-1"}, "spec": {"replicas": 9}});
        assert_eq!(read(Kind::DaemonSet, without).owner.replicas, None);
    }

    #[rstest]
    #[case(json!({"spec": {"replicas": 4}}), Some(4))]
    #[case::left_out(json!({"spec": {}}), Some(0))]
    #[case::negative(json!({"spec": {"replicas": -1}}), None)]
    fn a_scale_has_a_number(#[case] scale: Value, #[case] expected: Option<u32>) {
        assert_eq!(Scale::deserialize(scale).unwrap().replicas().ok(), expected);
    }

    #[test]
    fn an_object_without_a_spec_is_an_owner_too() {
        let read = read(Kind::Job, json!({"metadata": {"uid": "u-1"}}));
        assert_eq!((read.owner.replicas, read.controlled_by), (None, None));
    }
}
