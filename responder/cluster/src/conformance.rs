//! What both clusters must do alike: one suite of scenarios over the ports of the steps *snapshot*, *act* and *verify*.
//!
//! The tests of this crate run it against the simulated cluster, the integration tests against a real API server. Where
//! the two differ, reality is right. A scenario stays in a namespace and a node of its own, so they may run side by
//! side.

pub mod answers;
pub mod controllers;
pub mod creations;
pub mod patches;
pub mod reads;
mod stage;

use std::collections::BTreeMap;
use std::future::Future;

use responder_core::object::{Locator, Name, Namespace, Uid};
use responder_core::port::{ClusterReader, ClusterWriter};
use serde_json::Value;

/// A cluster under test, and the hands that set its stage without going through the adapter.
pub trait ClusterUnderTest: Sync {
    /// The adapter.
    type Cluster: ClusterReader + ClusterWriter;

    /// The adapter.
    fn cluster(&self) -> &Self::Cluster;

    /// Creates objects, in order, and waits until the cluster is at rest: pods ready, sets of pods complete,
    /// PodDisruptionBudgets counted.
    fn create(&self, manifests: &[Value]) -> impl Future<Output = Result<(), String>> + Send;

    /// Deletes a pod at once and creates it again as it was; waits until the newcomer is ready and the cluster at rest.
    fn replace_pod(&self, namespace: &Namespace, name: &Name) -> impl Future<Output = Result<Uid, String>> + Send;

    /// Deletes an object at once and waits until it is gone.
    fn delete(&self, at: &Locator) -> impl Future<Output = Result<(), String>> + Send;

    /// The pods, ReplicaSets, Services, PodDisruptionBudgets and NetworkPolicies of this namespace, and all nodes and
    /// namespaces, each under a name of its own, such as `Pod/web/web-0`.
    fn objects(&self, namespace: &Namespace) -> impl Future<Output = Result<BTreeMap<String, Value>, String>> + Send;
}

/// A cluster did what it must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

impl From<String> for Violation {
    fn from(what: String) -> Self {
        Self(what)
    }
}

/// Calls a macro with every scenario as `module::name`, to make a test of each.
#[macro_export]
macro_rules! for_each_scenario {
    ($each:ident) => {
        $each! {
            answers::a_target_that_is_there_is_acted_on
            answers::a_replaced_target_is_left_alone
            answers::a_target_that_is_gone_is_not_found
            answers::a_budget_blocks_an_eviction_and_nothing_else
            answers::a_budget_is_looked_at_before_the_uid
            answers::two_budgets_block_every_eviction
            answers::two_budgets_are_looked_at_before_the_uid
            answers::a_replaced_pod_under_a_budget_with_room_is_left_alone
            answers::a_budget_with_room_lets_so_many_go_and_no_more
            answers::a_deletion_with_grace_is_under_way_and_not_done
            answers::a_finalizer_holds_what_is_deleted
            patches::labels_and_annotations_are_set_and_taken_away
            patches::a_patch_that_changes_nothing_keeps_the_version
            patches::a_patch_for_an_older_version_is_a_conflict
            patches::an_older_version_counts_before_another_uid
            patches::what_is_no_label_value_is_invalid
            patches::a_patch_never_creates_what_it_was_to_change
            patches::a_node_is_cordoned_and_uncordoned
            patches::a_taint_stands_beside_those_of_others_and_is_taken_away_alone
            patches::a_list_that_another_writer_has_changed_is_a_conflict
            patches::another_node_of_the_name_is_left_alone
            creations::a_policy_is_created_once
            creations::a_policy_in_a_namespace_that_is_not_there_creates_neither
            creations::an_invalid_policy_is_not_created
            creations::a_policy_is_deleted_by_its_uid_only
            creations::policies_are_found_by_a_label_in_any_namespace
            reads::what_is_not_there_is_none_and_no_error
            reads::any_kind_is_read_by_its_place
            reads::a_running_pod_names_its_node_and_its_containers
            reads::pods_of_one_name_are_found_in_every_namespace
            reads::a_namespace_carries_its_name_as_a_label
            reads::services_are_read_of_their_namespace_only
            reads::a_cluster_without_an_engine_has_none
            controllers::a_deleted_pod_is_replaced_by_another
            controllers::an_owner_says_how_many_and_which_and_who_is_above
            controllers::a_pod_whose_labels_change_is_let_go_and_replaced
            controllers::a_pod_that_gets_its_labels_back_is_taken_back
            controllers::a_stateful_sets_successor_has_the_name_and_another_uid
            controllers::deleting_a_job_ends_its_pods
        }
    };
}
