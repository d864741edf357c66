//! The list of actions, the only place where they are enumerated: the step's document, the JSON schema, the reference
//! table and the permissions come from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::annotate::AnnotateDoc;
use super::cordon::CordonDoc;
use super::delete::DeleteDoc;
use super::evict::EvictDoc;
use super::label::LabelDoc;
use super::quarantine::QuarantineDoc;
use super::{Action, ActionInfo, ActionProblem};

macro_rules! actions {
    ($($(#[$doc:meta])* $field:ident: $doc_type:ident,)+) => {
        /// The action of a step, as written. Exactly one of them is set.
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

            /// The actions that are written, by name. A step is right when there is exactly one.
            pub fn written(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() { names.push(stringify!($field)); })+
                names
            }

            /// The first written action, compiled; `None` when none is written.
            pub fn compile(&self) -> Option<Result<Box<dyn Action>, ActionProblem>> {
                $(if let Some(doc) = &self.$field {
                    return Some(doc.compile().map(|action| Box::new(action) as Box<dyn Action>));
                })+
                None
            }
        }

        /// What is known of each action, in the order of the list.
        pub const ACTIONS: &[ActionInfo] = &[$($doc_type::INFO,)+];
    };
}

actions! {
    /// Sets or removes labels.
    label: LabelDoc,
    /// Sets or removes annotations.
    annotate: AnnotateDoc,
    /// Cuts a pod off the network.
    quarantine: QuarantineDoc,
    /// Keeps new pods off a node.
    cordon: CordonDoc,
    /// Evicts a pod; PodDisruptionBudgets are respected.
    evict: EvictDoc,
    /// Deletes a pod.
    delete: DeleteDoc,
}
