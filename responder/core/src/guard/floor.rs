//! The namespaces of the built-in floor, by their exact names. A response there can take the whole cluster down, and an alert
//! there can be forged like any other.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::object::Namespace;

/// The lines of the floor, each with its source.
const LINES: &str = include_str!("floor.tsv");

static FLOOR: LazyLock<BTreeMap<&'static str, FloorNamespace>> = LazyLock::new(|| {
    // A line with a fault is the failure of a test.
    let entries = read(LINES).filter_map(Result::ok);
    entries.map(|entry| (entry.name, entry)).collect()
});

/// The part of a cluster that a namespace of the floor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloorPart {
    /// Falco and its companions. A host alert's `hostname` may name a pod here.
    Sensor,
    /// Kubernetes itself.
    Kubernetes,
    /// Network plugins and load balancers.
    Network,
    /// Admission webhooks, and the issuers of certificates and secrets.
    Admission,
    /// Service meshes.
    Mesh,
    /// Volumes and their backups.
    Storage,
    /// Appliers of manifests from a repository.
    GitOps,
    /// Makers of nodes, clusters and the infrastructure under them.
    Provisioning,
    /// A distribution's own parts beside Kubernetes.
    Distribution,
}

impl FloorPart {
    const ALL: [(&'static str, Self); 9] = [
        ("sensor", Self::Sensor),
        ("kubernetes", Self::Kubernetes),
        ("network", Self::Network),
        ("admission", Self::Admission),
        ("mesh", Self::Mesh),
        ("storage", Self::Storage),
        ("gitops", Self::GitOps),
        ("provisioning", Self::Provisioning),
        ("distribution", Self::Distribution),
    ];

    fn of(written: &str) -> Option<Self> {
        let mut parts = Self::ALL.into_iter();
        parts.find(|(name, _)| *name == written).map(|(_, part)| part)
    }
}

/// A namespace of the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloorNamespace {
    /// Its exact name.
    pub name: &'static str,
    /// The part that it holds.
    pub part: FloorPart,
    /// The project or the distribution that owns the name.
    pub owner: &'static str,
}

/// A line of the floor that is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FloorFault {
    #[error("`{0}` has not four columns: write namespace, part, owner and source, with tabs between them")]
    Columns(&'static str),
    #[error("`{0}` can't be the name of a namespace: write it in full, without globs")]
    Name(&'static str),
    #[error("`{0}` is no part of a cluster: write one of those of `FloorPart`")]
    Part(&'static str),
    #[error("`{0}` has no source: write the address of the page or the file that names it")]
    Source(&'static str),
}

/// The entries of the lines that are neither empty nor comments.
fn read(lines: &'static str) -> impl Iterator<Item = Result<FloorNamespace, FloorFault>> {
    let lines = lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<&'static str> = line.split('\t').collect();
        let [name, part, owner, source] = columns[..] else {
            return Err(FloorFault::Columns(line));
        };
        if Namespace::new(name).is_none() {
            return Err(FloorFault::Name(name));
        }
        if owner.is_empty() || !source.starts_with("https://") || source.contains(' ') {
            return Err(FloorFault::Source(name));
        }
        let part = FloorPart::of(part).ok_or(FloorFault::Part(part))?;
        Ok(FloorNamespace { name, part, owner })
    })
}

/// All namespaces of the floor, sorted, without the controller's own.
pub fn floor_namespaces() -> impl Iterator<Item = FloorNamespace> {
    FLOOR.values().copied()
}

/// The entry of this namespace; `None` for one that is not in the floor.
pub fn in_floor(namespace: &str) -> Option<FloorNamespace> {
    FLOOR.get(namespace).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;

    use super::*;

    #[test]
    fn every_line_of_the_floor_is_an_entry_with_its_source_and_none_is_there_twice() {
        let entries: Vec<_> = read(LINES).collect();
        let faults: Vec<_> = entries.iter().filter_map(|entry| entry.as_ref().err()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = entries
            .iter()
            .flatten()
            .filter(|entry| !seen.insert(entry.name))
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert_eq!(floor_namespaces().count(), entries.len());
        assert!(floor_namespaces().is_sorted_by_key(|entry| entry.name));
    }

    #[rstest]
    #[case("kyverno\tadmission\tKyverno", FloorFault::Columns("kyverno\tadmission\tKyverno"))]
    #[case("kube-*\tkubernetes\tKubernetes\thttps://kubernetes.io", FloorFault::Name("kube-*"))]
    #[case("kyverno\tpolicy\tKyverno\thttps://kyverno.io", FloorFault::Part("policy"))]
    #[case("kyverno\tadmission\tKyverno\t", FloorFault::Source("kyverno"))]
    #[case("kyverno\tadmission\tKyverno\tfrom memory", FloorFault::Source("kyverno"))]
    #[case("kyverno\tadmission\t\thttps://kyverno.io", FloorFault::Source("kyverno"))]
    fn a_line_without_a_part_an_owner_or_a_source_is_a_fault(#[case] line: &'static str, #[case] fault: FloorFault) {
        let read: Vec<_> = read(line).collect();
        assert_eq!(read, [Err(fault)]);
    }

    #[rstest]
    #[case::of_a_network_plugin("d8-cni-cilium", FloorPart::Distribution)]
    #[case::of_a_storage("longhorn-system", FloorPart::Storage)]
    #[case::of_a_mesh("linkerd-viz", FloorPart::Mesh)]
    #[case::of_gitops("argocd", FloorPart::GitOps)]
    #[case::of_rancher("cattle-system", FloorPart::Distribution)]
    #[case::of_gke("gke-gmp-system", FloorPart::Distribution)]
    #[case::of_eks("amazon-cloudwatch", FloorPart::Distribution)]
    #[case::of_aks("app-routing-system", FloorPart::Distribution)]
    #[case::of_tanzu("vmware-system-csi", FloorPart::Distribution)]
    #[case::of_falco("falco", FloorPart::Sensor)]
    fn a_namespace_of_the_clusters_own_parts_is_in_the_floor(#[case] name: &str, #[case] part: FloorPart) {
        assert_eq!(in_floor(name).map(|entry| entry.part), Some(part));
    }

    #[rstest]
    fn a_name_that_a_tenant_may_have_is_not_in_the_floor(
        #[values(
            "default",
            "monitoring",
            "storage",
            "security",
            "kube-evil",
            "openshift-evil",
            "d8-evil",
            "ingress"
        )]
        name: &str,
    ) {
        assert_eq!(in_floor(name), None);
    }
}
