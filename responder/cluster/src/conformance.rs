//! The conformance suite: scenarios over the cluster ports that both adapters must pass.
//!
//! The tests of this crate run the suite against the simulated cluster, the integration tests run it against a real API
//! server. Where the two differ, the real one is right. Every scenario has its own namespace and its own node, so
//! scenarios may run side by side.

pub mod answers;
pub mod controllers;
pub mod creations;
pub mod denials;
mod fixture;
pub mod owners;
pub mod patches;
pub mod reads;
pub mod serving;
mod under_test;

pub use under_test::{ClusterUnderTest, Violation};

/// Calls a macro with every scenario as `module::name`, to make a test of each.
#[macro_export]
macro_rules! for_each_scenario {
    ($each:ident) => {
        $each! {
            answers::an_existing_target_is_acted_on
            answers::a_replaced_target_is_left_alone
            answers::a_deleted_target_is_not_found
            answers::a_budget_blocks_an_eviction_and_nothing_else
            answers::a_budget_is_checked_before_the_uid
            answers::two_budgets_block_every_eviction
            answers::two_budgets_are_checked_before_the_uid
            answers::a_replaced_pod_under_a_budget_with_room_is_left_alone
            answers::a_budget_allows_no_more_evictions_than_it_has_room_for
            answers::a_deletion_with_grace_is_accepted_and_not_done
            answers::a_second_deletion_counts_its_shorter_grace_from_the_first
            answers::a_finalizer_holds_a_deleted_pod
            patches::labels_and_annotations_are_set_and_removed
            patches::a_patch_that_changes_nothing_keeps_the_version
            patches::a_patch_for_an_older_version_is_a_conflict
            patches::an_older_version_is_checked_before_the_uid
            patches::an_invalid_label_is_refused
            patches::a_patch_never_creates_a_missing_object
            patches::a_node_is_cordoned_and_uncordoned
            patches::a_taint_is_added_beside_other_taints_and_removed_alone
            patches::a_list_for_an_older_version_is_a_conflict
            patches::a_replaced_node_is_left_alone
            creations::a_policy_is_created_once
            creations::a_policy_in_a_missing_namespace_creates_neither
            creations::an_invalid_policy_is_not_created
            creations::a_policy_is_deleted_by_its_uid_only
            creations::policies_are_found_by_a_label_in_any_namespace
            denials::a_quarantine_denies_by_a_policy_of_ciliums
            denials::a_quarantine_denies_by_a_policy_of_calicos
            denials::a_kind_that_is_not_served_is_neither_there_nor_created
            reads::a_missing_object_is_none_and_no_error
            reads::an_object_of_any_kind_is_read_as_json
            reads::a_running_pod_names_its_node_and_its_containers
            reads::pods_of_one_name_are_found_in_every_namespace
            reads::the_pods_of_a_node_have_the_ids_of_their_containers
            reads::a_namespace_carries_its_name_as_a_label
            reads::services_are_read_from_one_namespace_only
            reads::a_cluster_without_a_policy_engine_reports_none
            serving::the_namespaces_that_webhooks_name_are_read
            owners::a_rollout_is_read_with_its_scale
            owners::a_custom_kind_without_a_scale_has_no_number_of_replicas
            owners::a_group_that_is_not_served_is_no_error
            controllers::a_deleted_pod_is_replaced_by_another
            controllers::an_owner_is_read_with_its_replicas_selector_and_controller
            controllers::a_relabelled_pod_is_released_and_replaced
            controllers::a_pod_with_its_labels_restored_is_adopted_again
            controllers::a_stateful_sets_successor_has_the_same_name_and_another_uid
            controllers::deleting_a_job_ends_its_pods
        }
    };
}
