//! The pod, as selectors of policies see it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::selector::Selector;

/// The pod whose traffic is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod's labels, as they are or as a response would leave them.
    pub labels: BTreeMap<String, String>,
    /// Its namespace's name.
    pub namespace: String,
    /// Its namespace's labels; `None` where they were not read.
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// The name of its service account; `default` where its spec names none.
    pub service_account: String,
}

/// Whether a policy selects the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Selects {
    No,
    /// The selector is not understood, or selects by what was not read.
    Perhaps,
    Yes,
}

impl Selects {
    /// Both must select.
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

impl From<bool> for Selects {
    fn from(selects: bool) -> Self {
        if selects { Self::Yes } else { Self::No }
    }
}

impl Endpoint {
    /// A live pod in its namespace, with the labels that it has or will have.
    pub fn of(live: &Pod, labels: BTreeMap<String, String>, namespace: Option<&NamespaceObject>) -> Self {
        let account = live.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        Self {
            labels,
            namespace: live.metadata.namespace.clone().unwrap_or_default(),
            namespace_labels: namespace.map(|namespace| namespace.metadata.labels.clone().unwrap_or_default()),
            service_account: account
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
        }
    }

    /// Whether a selector of pods selects it.
    pub(super) fn is_selected_by(&self, selector: &LabelSelector) -> Selects {
        Selector::of(selector).map_or(Selects::Perhaps, |selector| selector.matches(&self.labels).into())
    }

    /// Whether a selector of namespaces selects its namespace.
    pub(super) fn is_in(&self, selector: &LabelSelector) -> Selects {
        match (Selector::of(selector), &self.namespace_labels) {
            (Some(selector), _) if selector.is_everything() => Selects::Yes,
            (Some(selector), Some(labels)) => selector.matches(labels).into(),
            (None, _) | (_, None) => Selects::Perhaps,
        }
    }
}
