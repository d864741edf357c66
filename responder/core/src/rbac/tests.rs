use rstest::rstest;

use super::*;

fn playbook(mode: &str, target: &str, steps: &[&str]) -> Arc<Playbook> {
    let steps: String = steps.iter().map(|step| format!("    - {step}\n")).collect();
    let text = format!(
        "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: it}}\nspec:\n  mode: {mode}\n  \
         match: {{minPriority: Debug}}\n  target: {target}\n  steps:\n{steps}"
    );
    let source = SourceFile {
        file: "it.yaml".into(),
        text,
    };
    let loaded = load(&[source], Timestamp::UNIX_EPOCH).unwrap_or_else(|found| panic!("{}", found.render(false)));
    loaded.playbooks[0].clone()
}

fn guard(text: &str) -> Arc<Guard> {
    let source = SourceFile {
        file: "guard.yaml".into(),
        text: format!("apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {{name: default}}\nspec: {text}\n"),
    };
    load(&[source], Timestamp::UNIX_EPOCH).unwrap().guard.unwrap()
}

/// The permissions of all steps and reads of all actions: more than any one role has.
fn every_permission() -> BTreeSet<Permission> {
    let table = PermissionTable::of_all_actions().unwrap_or_else(|found| panic!("{}", found.render(false)));
    table
        .reads
        .into_iter()
        .chain(table.writes.into_values().flatten())
        .collect()
}

fn in_words(rules: &[PolicyRule]) -> Vec<String> {
    let join = |list: &[String]| list.join(",");
    rules
        .iter()
        .map(|rule| {
            let (groups, resources) = (rule.api_groups.as_ref().unwrap(), rule.resources.as_ref().unwrap());
            let group = join(groups);
            format!(
                "{} {}{}{}",
                join(&rule.verbs),
                group,
                if group.is_empty() { "" } else { ": " },
                join(resources)
            )
        })
        .collect()
}

#[test]
fn no_action_takes_a_wildcard_a_secret_an_escalation_or_a_proxy() {
    let all = every_permission();
    assert!(all.len() > 20, "{all:?}");
    for right in all {
        for word in [right.group, right.resource, right.subresource, right.verb] {
            assert!(!word.contains('*'), "{right:?}");
        }
        assert!(
            !["secrets", "configmaps", "serviceaccounts", "users", "groups"].contains(&right.resource),
            "{right:?}"
        );
        assert!(["", "eviction"].contains(&right.subresource), "{right:?}");
        assert!(right.group != "rbac.authorization.k8s.io", "{right:?}");
        assert!(
            ["get", "list", "create", "patch", "delete"].contains(&right.verb),
            "{right:?}: nothing needs escalate, bind, impersonate, deletecollection, update or watch"
        );
    }
}

#[test]
fn reads_only_read_and_writes_are_never_reads() {
    let table = PermissionTable::of_all_actions().unwrap();
    let reads = |right: &Permission| ["get", "list", "watch"].contains(&right.verb);
    assert!(table.reads.iter().all(reads));
    assert!(!table.writes.values().flatten().any(reads));
}

#[test]
fn the_table_has_a_row_for_every_action_on_every_target() {
    let table = PermissionTable::of_all_actions().unwrap();
    for action in ACTIONS {
        for target in action.targets {
            let row = table.writes.get(&format!("{}/{target}", action.name));
            assert!(row.is_some_and(|row| !row.is_empty()), "{} on {target}", action.name);
        }
        for widening in action.widened_by {
            let target = action.targets[0];
            let key = format!("{}/{target}/{}={}", action.name, widening.parameter, widening.value);
            assert!(!table.writes[&key].is_empty(), "{key} widens nothing");
        }
    }
}

#[rstest]
#[case("quarantine: {}")]
#[case("quarantine: {ttl: 1h}")]
#[case("quarantine: {ttl: 1h, onExpiry: Hold, detach: Always}")]
#[case("quarantine: {ttl: 1h, onExpiry: Release, detach: Never, allow: {dns: true}}")]
#[case("quarantine: {ttl: 1h, onExpiry: Delete}")]
#[case("delete: {}")]
#[case("delete: {gracePeriodSeconds: 0}")]
#[case("evict: {gracePeriodSeconds: 3}")]
#[case("label: {labels: {a: b}}")]
#[case("annotate: {annotations: {a: null}}")]
fn the_rows_of_a_step_are_exactly_what_the_step_takes(#[case] step: &str) {
    let table = PermissionTable::of_all_actions().unwrap();
    let name = step.split(':').next().unwrap();
    let mut rows = table.writes[&format!("{name}/Pod")].clone();
    for widening in ACTIONS.iter().flat_map(|action| action.widened_by) {
        if step.contains(&format!("{}: {}", widening.parameter, widening.value)) {
            rows.extend(&table.writes[&format!("{name}/Pod/{}={}", widening.parameter, widening.value)]);
        }
    }
    assert_eq!(rows, of_step(step, TargetKind::Pod).unwrap());
}

#[test]
fn a_taint_needs_the_permissions_of_a_cordon() {
    let table = PermissionTable::of_all_actions().unwrap();
    assert_eq!(table.writes["taint/Node"], table.writes["cordon/Node"]);
    for step in ["taint: {key: example.org/suspect}", "taint: {effect: PreferNoSchedule}"] {
        assert_eq!(
            of_step(step, TargetKind::Node).unwrap(),
            table.writes["taint/Node"],
            "{step}"
        );
    }
}

#[test]
fn observe_needs_no_write_permission_whichever_setting_says_observe() {
    let (built_in, acts) = (Guard::built_in(), playbook("Enforce", "Pod", &["delete: {}"]));
    let writes = |playbook: &Arc<Playbook>, guard: &Guard, ceiling| {
        let access = RbacAccess::of(std::slice::from_ref(playbook), guard, ceiling);
        assert!(!access.reads.is_empty());
        access.writes.len()
    };
    assert_eq!(writes(&acts, &built_in, Mode::Enforce), 1);
    assert_eq!(writes(&acts, &built_in, Mode::Observe), 0);
    assert_eq!(writes(&acts, &guard("{mode: Observe}"), Mode::Enforce), 0);
    assert_eq!(
        writes(&playbook("Observe", "Pod", &["delete: {}"]), &built_in, Mode::Enforce),
        0
    );
}

#[test]
fn rehearse_takes_what_enforce_takes() {
    let playbooks = [playbook("Enforce", "Pod", &["label: {labels: {a: b}}", "delete: {}"])];
    let of = |ceiling| RbacAccess::of(&playbooks, &Guard::built_in(), ceiling);
    assert_eq!(of(Mode::Rehearse), of(Mode::Enforce));
}

#[test]
fn a_namespace_in_which_more_is_allowed_counts() {
    let selector = "{matchLabels: {tier: test}}";
    let raised = guard(&format!(
        "{{mode: Observe, namespaces: [{{selector: {selector}, mode: Enforce}}]}}"
    ));
    let acts = [playbook("Enforce", "Pod", &["delete: {}"])];
    assert_eq!(highest_mode(&acts[0], &raised, Mode::Enforce), Mode::Enforce);

    let rollout = playbook(
        &format!("Observe\n  rollout: [{{namespaces: {selector}, mode: Rehearse}}]"),
        "Pod",
        &["delete: {}"],
    );
    assert_eq!(
        highest_mode(&rollout, &Guard::built_in(), Mode::Enforce),
        Mode::Rehearse
    );
    assert_eq!(
        RbacAccess::of(&[rollout], &Guard::built_in(), Mode::Enforce)
            .writes
            .len(),
        1
    );
}

#[test]
fn a_deletion_takes_one_write_the_reads_of_every_process_and_what_the_api_server_calls() {
    let access = RbacAccess::of(
        &[playbook("Enforce", "Pod", &["delete: {}"])],
        &Guard::built_in(),
        Mode::Enforce,
    );
    assert_eq!(
        in_words(&access.rules()),
        [
            "get namespaces",
            "get,list nodes,pods",
            "list admissionregistration.k8s.io: mutatingwebhookconfigurations,validatingwebhookconfigurations",
            "list apiregistration.k8s.io: apiservices",
            "get apps: daemonsets",
            "list networking.k8s.io: networkpolicies",
            "delete pods",
        ]
    );
}

#[test]
fn rules_are_sorted_and_merged_by_verbs() {
    let playbooks = [
        playbook(
            "Enforce",
            "Pod",
            &["quarantine: {ttl: 1h, onExpiry: Delete}", "evict: {}"],
        ),
        playbook("Enforce", "Node", &["cordon: {}"]),
        playbook("Enforce", "Owner", &["label: {labels: {a: b}}"]),
    ];
    let access = RbacAccess::of(&playbooks, &Guard::built_in(), Mode::Enforce);
    assert_eq!(
        in_words(&access.rules()),
        [
            "get namespaces,replicationcontrollers",
            "get,list nodes,pods",
            "list services",
            "list admissionregistration.k8s.io: mutatingwebhookconfigurations,validatingwebhookconfigurations",
            "list apiregistration.k8s.io: apiservices",
            "get apps: deployments,replicasets,statefulsets",
            "get,list apps: daemonsets",
            "get batch: cronjobs,jobs",
            "list cilium.io: ciliumclusterwidenetworkpolicies,ciliumnetworkpolicies",
            "list crd.antrea.io: clusternetworkpolicies,networkpolicies",
            "list crd.projectcalico.org: globalnetworkpolicies,networkpolicies,tiers",
            "list networking.k8s.io: networkpolicies",
            "list policy.networking.k8s.io: adminnetworkpolicies,clusternetworkpolicies",
            "list projectcalico.org: globalnetworkpolicies,networkpolicies,tiers",
            "create pods/eviction",
            "delete,patch pods",
            "patch nodes,replicationcontrollers",
            "patch apps: daemonsets,deployments,replicasets,statefulsets",
            "patch batch: cronjobs,jobs",
            "create,delete networking.k8s.io: networkpolicies",
        ]
    );
}
