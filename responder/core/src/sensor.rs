//! The sensors: which pods are Falco's, and the node on which one saw an alert's event.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

use crate::image;
use crate::object::{Kind, Name};
use crate::owner::{Controller, Owner, OwnerChain};
use crate::pod;

/// The node from which a syscall alert comes, by its `hostname`, which is the name of the node or of the Falco pod on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SensorNode {
    /// Not looked up: the alert names the pod's own node, or none.
    #[default]
    NotAsked,
    /// The node of that name, or of the Falco pod of that name.
    Known(Name),
    /// The hostname leads to no node; the reason, as a sentence without a full stop.
    Unknown(String),
}

/// The organisation of Falco's images in every registry. Mirrors keep it, as does a pull-through cache.
/// Source: <https://falco.org/docs/setup/download/#container-images>
const ORGANISATION: &str = "falcosecurity";
/// The images that contain Falco itself, those of earlier versions included.
/// Source: <https://newreleases.io/project/github/falcosecurity/falco/release/0.37.1>
const FALCO: [&str; 4] = ["falco", "falco-debian", "falco-distroless", "falco-no-driver"];

/// The capabilities that Falco's chart gives instead of privilege (`leastPrivileged`), as far as no pod may add them in a
/// namespace with the baseline of Pod Security.
/// Sources: <https://github.com/falcosecurity/charts/blob/master/charts/falco/templates/pod-template.tpl>,
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>
const OF_THE_NODE: [&str; 3] = ["ALL", "BPF", "SYS_ADMIN"];

/// Whether a pod of this spec is a Falco that watches its node: a container has Falco's image, and is privileged, has a
/// capability of the node, or sees the node's processes (`hostPID`).
///
/// Every author of pods can write the image. The rest is the anchor of trust: Pod Security refuses it to pods in a namespace
/// with the baseline or more, so an author who may run such pods already has the nodes.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>
pub fn watches_its_node(spec: &PodSpec) -> bool {
    let sees_processes = spec.host_pid == Some(true);
    let mut falcos = spec.containers.iter().filter(|container| is_falco(container));
    falcos.any(|falco| sees_processes || has_the_node(falco))
}

/// Whether the pod may be one of a Falco that watches its node: it looks like one, and names a DaemonSet as its controller.
pub fn may_watch_its_node(pod: &Pod) -> bool {
    let names_a_daemon_set =
        || pod::controller(pod).is_some_and(|owner| pod::controller_kind(owner) == Some(Kind::DaemonSet));
    pod.spec.as_ref().is_some_and(watches_its_node) && names_a_daemon_set()
}

/// The DaemonSet that runs the pod as a Falco that watches its node. The pod must be one by its own spec, which is what
/// admission has let through, and the DaemonSet, believed, by its template: neither the template of pods that were never
/// admitted nor a pod under another's DaemonSet is enough, and no label counts.
pub fn falcos_daemon_set<'c>(pod: &Pod, chain: &'c OwnerChain) -> Option<&'c Owner> {
    let controller = chain.believed().first().and_then(Controller::known);
    controller.filter(|owner| may_watch_its_node(pod) && owner.runs_falco)
}

/// The image of Falco's organisation that a container of the spec has, such as `falcosecurity/falcosidekick`: what a
/// companion of Falco looks like, and what every author of pods can write.
pub fn image_of_falcos(spec: &PodSpec) -> Option<String> {
    let images = spec
        .containers
        .iter()
        .filter_map(|container| container.image.as_deref());
    let mut names = images.filter_map(of_the_organisation);
    names.next().map(|name| format!("{ORGANISATION}/{name}"))
}

fn is_falco(container: &Container) -> bool {
    let name = container.image.as_deref().and_then(of_the_organisation);
    name.is_some_and(|name| FALCO.contains(&name))
}

/// The last part of the image's repository, if the part before it is Falco's organisation.
fn of_the_organisation(image: &str) -> Option<&str> {
    let (path, name) = image::repository(image).rsplit_once('/')?;
    let organisation = path.rsplit('/').next();
    (organisation == Some(ORGANISATION)).then_some(name)
}

fn has_the_node(container: &Container) -> bool {
    let Some(context) = &container.security_context else {
        return false;
    };
    let mut added = context.capabilities.iter().flat_map(|all| all.add.iter().flatten());
    context.privileged == Some(true) || added.any(|capability| OF_THE_NODE.contains(&capability.as_str()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn spec(image: &str, over: &Value, context: &Value) -> PodSpec {
        let mut spec = json!({"containers": [
            {"name": "helper", "image": "busybox"},
            {"name": "falco", "image": image, "securityContext": context},
        ]});
        for (key, value) in over.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(spec).unwrap()
    }

    #[rstest]
    #[case::privileged(json!({}), json!({"privileged": true}), true)]
    #[case::with_the_nodes_processes(json!({"hostPID": true}), json!({}), true)]
    #[case::least_privileged(json!({}), json!({"capabilities": {"add": ["BPF", "SYS_RESOURCE", "PERFMON", "SYS_PTRACE"]}}), true)]
    #[case::least_privileged_of_old(json!({}), json!({"capabilities": {"add": ["SYS_ADMIN", "SYS_RESOURCE", "SYS_PTRACE"]}}), true)]
    #[case::without_a_right(json!({}), json!({}), false)]
    #[case::with_what_the_baseline_allows(json!({}), json!({"privileged": false, "capabilities": {"add": ["CHOWN", "MKNOD"]}}), false)]
    #[case::with_the_nodes_network(json!({"hostNetwork": true}), json!({}), false)]
    fn falco_watches_its_node_with_what_only_the_owner_of_the_nodes_can_give(
        #[case] over: Value,
        #[case] context: Value,
        #[case] watches: bool,
    ) {
        assert_eq!(
            watches_its_node(&spec("docker.io/falcosecurity/falco:0.44.0", &over, &context)),
            watches
        );
    }

    #[rstest]
    #[case("falcosecurity/falco", true)]
    #[case("public.ecr.aws/falcosecurity/falco:0.44.0", true)]
    #[case("registry.example:5000/mirror/docker.io/falcosecurity/falco@sha256:ab", true)]
    #[case("falcosecurity/falco-no-driver:0.37.1", true)]
    #[case("falcosecurity/falco-distroless:0.37.1", true)]
    #[case("falcosecurity/falcosidekick:2.31.1", false)]
    #[case("falcosecurity/falco-driver-loader:0.44.0", false)]
    #[case("registry.example/falco:0.44.0", false)]
    #[case("registry.example/notfalcosecurity/falco:0.44.0", false)]
    #[case("registry.example/app:falcosecurity/falco", false)]
    fn falco_is_recognised_by_its_repository_in_any_registry(#[case] image: &str, #[case] is_falco: bool) {
        assert_eq!(
            watches_its_node(&spec(image, &json!({}), &json!({"privileged": true}))),
            is_falco
        );
    }

    /// A privileged container beside one with Falco's image has the node, and is not Falco.
    #[test]
    fn the_right_of_another_container_is_not_falcos() {
        let mut spec = spec("falcosecurity/falco", &json!({}), &json!({}));
        spec.containers[0].security_context = serde_json::from_value(json!({"privileged": true})).unwrap();
        assert!(!watches_its_node(&spec));
    }

    #[rstest]
    #[case("docker.io/falcosecurity/falcosidekick:2.31.1", Some("falcosecurity/falcosidekick"))]
    #[case("falcosecurity/falco", Some("falcosecurity/falco"))]
    #[case("registry.example/shop:1", None)]
    fn a_companion_of_falco_is_named_by_its_image(#[case] image: &str, #[case] named: Option<&str>) {
        assert_eq!(image_of_falcos(&spec(image, &json!({}), &json!({}))).as_deref(), named);
    }
}
