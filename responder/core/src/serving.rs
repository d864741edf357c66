//! The namespaces that the API server itself calls: where admission webhooks and aggregated API servers run.
//!
//! Only administrators of the cluster write webhook configurations and APIServices, so what these name is believed, whatever
//! the namespace is called and whoever works in it. A webhook that does not answer can stop every write to the cluster.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>,
//! <https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/>

use std::collections::BTreeMap;

use crate::object::Namespace;
use crate::permission::Permission;

/// The kinds whose objects name Services that the API server calls. All are cluster-scoped and at `v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServingKind {
    /// ValidatingWebhookConfiguration.
    ValidatingWebhook,
    /// MutatingWebhookConfiguration.
    MutatingWebhook,
    /// APIService.
    ApiService,
}

impl ServingKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ValidatingWebhook, Self::MutatingWebhook, Self::ApiService];

    /// The kind, as in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidatingWebhook => "ValidatingWebhookConfiguration",
            Self::MutatingWebhook => "MutatingWebhookConfiguration",
            Self::ApiService => "APIService",
        }
    }

    /// The API group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::ValidatingWebhook | Self::MutatingWebhook => "admissionregistration.k8s.io",
            Self::ApiService => "apiregistration.k8s.io",
        }
    }

    /// The plural, as in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ValidatingWebhook => "validatingwebhookconfigurations",
            Self::MutatingWebhook => "mutatingwebhookconfigurations",
            Self::ApiService => "apiservices",
        }
    }

    /// The permission to list its objects.
    pub const fn permission(self) -> Permission {
        Permission {
            group: self.group(),
            resource: self.plural(),
            subresource: "",
            verb: "list",
        }
    }
}

/// The namespaces with a Service that the API server calls, each with the first object that names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServingNamespaces(BTreeMap<Namespace, String>);

impl ServingNamespaces {
    /// Adds a namespace that the object of this kind and name names.
    pub fn add(&mut self, namespace: Namespace, kind: ServingKind, object: &str) {
        let named_by = || format!("the {} {}", kind.as_str(), object.escape_debug());
        self.0.entry(namespace).or_insert_with(named_by);
    }

    /// The object that names the namespace, such as `the ValidatingWebhookConfiguration gatekeeper`; `None` if none does.
    pub fn named_by(&self, namespace: &Namespace) -> Option<&str> {
        self.0.get(namespace).map(String::as_str)
    }
}
