//! What the API server must allow, and the rules of the role that allows it.
//!
//! The rights are stated once: those of an action's requests by the [action](crate::action::Action::permissions), those
//! of a reading by [`Needs::permissions`], those of a target and of the process itself here. Roles, the table of the Helm
//! chart and the users of the tests are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::action::ACTIONS;
use crate::document::{Diagnostics, SourceFile};
use crate::guard::Guard;
use crate::mode::Mode;
use crate::object::Kind;
use crate::permission::Permission;
use crate::playbook::{Playbook, load};
use crate::snapshot::Needs;
use crate::target::TargetKind;

#[cfg(test)]
mod tests;

/// Services are only ever listed, so they are no [`Kind`].
const LIST_SERVICES: Permission = Permission {
    group: "",
    resource: "services",
    subresource: "",
    verb: "list",
};

/// What every process reads, whatever its playbooks. The API groups and the version are open to every service account
/// (`system:discovery`).
const ALWAYS: [Permission; 3] = [
    // The pod that an alert names.
    Permission::on(Kind::Pod, "get"),
    // Readiness asks for the namespace `default`.
    Permission::on(Kind::Namespace, "get"),
    // Quarantines whose time is over, also those that an earlier process began.
    Permission::on(Kind::NetworkPolicy, "list"),
];

impl Needs {
    /// Everything that can be asked for.
    pub const ALL: Self = Self {
        owners: true,
        node: true,
        namespace: true,
        policies: true,
        services: true,
        nodes: true,
    };

    /// The rights that reading it takes.
    pub fn permissions(self) -> Vec<Permission> {
        let mut permissions = Vec::new();
        if self.owners {
            permissions.extend(Kind::OWNERS.map(|kind| Permission::on(kind, "get")));
        }
        let parts = [
            (self.node, Permission::on(Kind::Node, "get")),
            (self.namespace, Permission::on(Kind::Namespace, "get")),
            (self.policies, Permission::on(Kind::NetworkPolicy, "list")),
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

/// The rights that finding a target takes, on top of the pod.
fn to_find(target: TargetKind) -> Vec<Permission> {
    match target {
        TargetKind::Pod => Vec::new(),
        TargetKind::Owner => Needs {
            owners: true,
            ..Needs::default()
        }
        .permissions(),
        TargetKind::Node => vec![
            Permission::on(Kind::Node, "get"),
            // A host alert's hostname may be that of the Falco pod on the node, and its namespace is not known.
            Permission::on(Kind::Pod, "list"),
        ],
    }
}

/// The rights of a process: what it reads, and what it asks to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RbacAccess {
    /// `get` and `list` only.
    pub reads: BTreeSet<Permission>,
    /// Everything else. Empty in Observe. A rehearsal takes what the real request takes: the API server authorises a dry
    /// run like any other.
    pub writes: BTreeSet<Permission>,
}

impl RbacAccess {
    /// What these playbooks take under this guard and this ceiling of the process, and nothing more.
    ///
    /// A quarantine whose time runs out is ended with the rights of its playbook: as long as one stands, a playbook that
    /// is taken away, or put down to Observe, leaves it to a person.
    pub fn of(playbooks: &[Arc<Playbook>], guard: &Guard, ceiling: Mode) -> Self {
        let mut access = Self {
            reads: ALWAYS.into(),
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

    /// The rules: those that read, then those that write, sorted, with what has the same verbs in one.
    pub fn rules(&self) -> Vec<PolicyRule> {
        [&self.reads, &self.writes].into_iter().flat_map(merged).collect()
    }
}

/// The highest mode that a response of this playbook can have: a rollout can raise the playbook's own mode for some
/// namespaces, as the guard's namespaces can raise the guard's.
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
        .steps
        .iter()
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

/// The rights by what is enabled, for whoever can't ask a playbook: a Helm template knows steps by their words only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionTable {
    /// What any playbook may read.
    pub reads: BTreeSet<Permission>,
    /// What a step takes beyond that, by `action/Target`; and by `action/Target/parameter=value` what it takes with that
    /// parameter on top.
    pub writes: BTreeMap<String, BTreeSet<Permission>>,
}

impl PermissionTable {
    /// Of all actions.
    ///
    /// # Errors
    ///
    /// An example of an action is no step; the tests know before anybody else does.
    pub fn of_all_actions() -> Result<Self, Diagnostics> {
        let targets = [TargetKind::Pod, TargetKind::Owner, TargetKind::Node];
        let mut reads: BTreeSet<_> = ALWAYS.into_iter().chain(Needs::ALL.permissions()).collect();
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
