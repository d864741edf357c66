//! The permissions that a process needs, and the rules of its role.
//!
//! Each permission is stated once: an action's requests in [`permissions`](crate::action::Action::permissions), reads
//! in [`Needs::permissions`], targets and the process itself here. Roles, the Helm chart's table and the users in tests
//! are made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::action::ACTIONS;
use crate::document::{Diagnostics, SourceFile};
use crate::guard::Guard;
use crate::mode::Mode;
use crate::network::PolicyKind;
use crate::object::Kind;
use crate::own::OwnObject;
use crate::permission::Permission;
use crate::playbook::{Playbook, load};
use crate::serving::ServingKind;
use crate::snapshot::Needs;
use crate::target::TargetKind;

#[cfg(test)]
mod tests;

/// Services are only listed, so they have no [`Kind`].
const LIST_SERVICES: Permission = Permission {
    group: "",
    resource: "services",
    subresource: "",
    verb: "list",
};

/// The reads of every process, with any playbooks. API groups and version are readable by every service account
/// (`system:discovery`).
fn always() -> impl Iterator<Item = Permission> {
    let reads = [
        // The pod that an alert names.
        Permission::on(Kind::Pod, "get"),
        // The node that an alert comes from, by its name, by that of the Falco pod on it, whose namespace is unknown, or by
        // the host's name.
        Permission::on(Kind::Node, "get"),
        Permission::on(Kind::Node, "list"),
        Permission::on(Kind::Pod, "list"),
        // The controller of a pod that looks like Falco's.
        Permission::on(Kind::DaemonSet, "get"),
        // The readiness check reads the namespace `default`.
        Permission::on(Kind::Namespace, "get"),
    ];
    // Objects of ours that have to end, also those of an earlier process.
    let own = OwnObject::KINDS.map(|kind| Permission::on(kind, "list"));
    reads.into_iter().chain(own)
}

impl Needs {
    /// All parts of a snapshot.
    pub const ALL: Self = Self {
        owners: true,
        node: true,
        namespace: true,
        policies: true,
        services: true,
        nodes: true,
        serving: true,
        removal: true,
    };

    /// The permissions to read these parts.
    pub fn permissions(self) -> Vec<Permission> {
        let mut permissions = Vec::new();
        if self.owners {
            permissions.extend(Kind::OWNERS.map(|kind| Permission::on(kind, "get")));
        }
        if self.policies {
            permissions.extend(PolicyKind::ALL.into_iter().flat_map(PolicyKind::permissions));
        }
        if self.serving {
            permissions.extend(ServingKind::ALL.map(ServingKind::permission));
        }
        let parts = [
            (self.node || self.removal, Permission::on(Kind::Node, "get")),
            (self.namespace, Permission::on(Kind::Namespace, "get")),
            (self.policies, Permission::on(Kind::NetworkPolicy, "list")),
            // The engine of policies is recognised by its workload.
            (self.policies, Permission::on(Kind::DaemonSet, "list")),
            (self.services, LIST_SERVICES),
            (self.nodes, Permission::on(Kind::Node, "list")),
        ];
        permissions.extend(
            parts
                .into_iter()
                .filter(|(is_needed, _)| *is_needed)
                .map(|(_, right)| right),
        );
        permissions
    }
}

/// The permissions to find a target, in addition to reading the pod.
fn to_find(target: TargetKind) -> Vec<Permission> {
    match target {
        // The node is found as that of any alert.
        TargetKind::Pod | TargetKind::Node => Vec::new(),
        TargetKind::Owner => Needs {
            owners: true,
            ..Needs::default()
        }
        .permissions(),
    }
}

/// The permissions of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RbacAccess {
    /// `get` and `list` only.
    pub reads: BTreeSet<Permission>,
    /// All others; empty in Observe. Rehearse needs the same permissions as Enforce: the API server authorises a dry
    /// run like any request.
    pub writes: BTreeSet<Permission>,
}

impl RbacAccess {
    /// The permissions that these playbooks need under this guard and this ceiling of the process, and no others.
    ///
    /// A quarantine ends with the permissions of its playbook. If its playbook is removed or lowered to Observe first,
    /// an operator has to end it.
    pub fn of(playbooks: &[Arc<Playbook>], guard: &Guard, ceiling: Mode) -> Self {
        let mut access = Self {
            reads: always().collect(),
            writes: BTreeSet::new(),
        };
        for playbook in playbooks {
            access.reads.extend(crate::decide::needs(playbook, guard).permissions());
            access.reads.extend(to_find(playbook.target));
            if highest_mode(playbook, guard, ceiling) > Mode::Observe {
                access.writes.extend(writes(playbook));
            }
        }
        access
    }

    /// The rules: reads, then writes, sorted, resources with the same verbs merged.
    pub fn rules(&self) -> Vec<PolicyRule> {
        [&self.reads, &self.writes].into_iter().flat_map(merged).collect()
    }
}

/// The highest mode that a response of this playbook can have. A rollout can raise the playbook's mode for some
/// namespaces, and the guard's `namespaces` can raise the guard's.
pub fn highest_mode(playbook: &Playbook, guard: &Guard, ceiling: Mode) -> Mode {
    let of_playbook = playbook
        .rollout
        .iter()
        .map(|entry| entry.mode)
        .fold(playbook.mode, Mode::max);
    let of_guard = guard
        .namespaces
        .iter()
        .map(|entry| entry.mode)
        .fold(guard.mode, Mode::max);
    ceiling.min(of_playbook).min(of_guard)
}

fn writes(playbook: &Playbook) -> impl Iterator<Item = Permission> + '_ {
    let target = playbook.target;
    playbook
        .alternatives()
        .flat_map(move |step| step.action.permissions(target))
}

fn merged(permissions: &BTreeSet<Permission>) -> Vec<PolicyRule> {
    let mut verbs: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        verbs
            .entry((permission.group, permission.resource()))
            .or_default()
            .insert(permission.verb);
    }
    let mut rules: BTreeMap<(&str, BTreeSet<&str>), Vec<String>> = BTreeMap::new();
    for ((group, resource), verbs) in verbs {
        rules.entry((group, verbs)).or_default().push(resource);
    }
    let rule = |((group, verbs), resources): ((&str, BTreeSet<&str>), Vec<String>)| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(resources),
        verbs: verbs.into_iter().map(str::to_owned).collect(),
        ..PolicyRule::default()
    };
    rules.into_iter().map(rule).collect()
}

/// The permissions by enabled step, for the Helm chart: its templates know steps by name only and can't compile a
/// playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionTable {
    /// The reads of all playbooks.
    pub reads: BTreeSet<Permission>,
    /// The additional permissions of a step by `action/Target`; and by `action/Target/parameter=value`, those that the
    /// parameter adds.
    pub writes: BTreeMap<String, BTreeSet<Permission>>,
}

impl PermissionTable {
    /// The table of all actions.
    ///
    /// # Errors
    ///
    /// The diagnostics of an action's example that is not a valid step; a test covers all examples.
    pub fn of_all_actions() -> Result<Self, Diagnostics> {
        let targets = [TargetKind::Pod, TargetKind::Owner, TargetKind::Node];
        let mut reads: BTreeSet<_> = always().chain(Needs::ALL.permissions()).collect();
        reads.extend(targets.into_iter().flat_map(to_find));
        let mut table = Self {
            reads,
            writes: BTreeMap::new(),
        };
        for action in ACTIONS {
            for &target in action.targets {
                let key = format!("{}/{target}", action.name);
                let plain = of_step(action.example, target)?;
                for widening in action.widened_by {
                    let widened = of_step(widening.example, target)?;
                    let key = format!("{key}/{}={}", widening.parameter, widening.value);
                    table.writes.insert(key, &widened - &plain);
                }
                table.writes.insert(key, plain);
            }
        }
        Ok(table)
    }
}

/// The writes of one step.
fn of_step(step: &str, target: TargetKind) -> Result<BTreeSet<Permission>, Diagnostics> {
    let source = SourceFile {
        file: "example.yaml".into(),
        text: format!(
            "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: example}}\nspec:\n  \
             match: {{minPriority: Debug}}\n  target: {target}\n  steps:\n    - {step}\n"
        ),
    };
    let loaded = load(&[source], Timestamp::UNIX_EPOCH)?;
    Ok(loaded.playbooks.iter().flat_map(|playbook| writes(playbook)).collect())
}
