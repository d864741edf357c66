//! The list of actions. The step's document, the JSON schema, the reference and the permissions come from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::annotate::AnnotateDoc;
use super::contract::{Action, ActionDoc, ActionInfo, ActionProblem};
use super::cordon::CordonDoc;
use super::delete::DeleteDoc;
use super::evict::EvictDoc;
use super::label::LabelDoc;
use super::quarantine::QuarantineDoc;
use super::taint::TaintDoc;

macro_rules! actions {
    ($($(#[$doc:meta])* $field:ident: $doc_type:ident,)+) => {
        /// The action of a step, as written. A valid step sets exactly one.
        #[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct ActionDocs {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$doc_type>,
            )+
        }

        impl ActionDocs {
            /// The names of all actions.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field),)+];

            /// The names of the actions that are set.
            pub fn written(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() { names.push(stringify!($field)); })+
                names
            }

            /// Compiles the first action that is set; `None` if none is.
            pub fn compile(&self) -> Option<Result<Box<dyn Action>, ActionProblem>> {
                $(if let Some(doc) = &self.$field {
                    return Some(doc.compile());
                })+
                None
            }
        }

        /// The reference rows of all actions, in the order of the list.
        pub const ACTIONS: &[ActionInfo] = &[$($doc_type::INFO,)+];
    };
}

actions! {
    /// Sets or removes labels.
    label: LabelDoc,
    /// Sets or removes annotations.
    annotate: AnnotateDoc,
    /// Isolates a pod from the network.
    quarantine: QuarantineDoc,
    /// Keeps new pods off a node.
    cordon: CordonDoc,
    /// Keeps new pods off a node, except those that tolerate the taint.
    taint: TaintDoc,
    /// Evicts a pod; PodDisruptionBudgets are respected.
    evict: EvictDoc,
    /// Deletes a pod.
    delete: DeleteDoc,
}
