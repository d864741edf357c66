//! Reads the namespaces that webhook configurations and APIServices name. Part of the step *snapshot*, for both adapters.

use responder_core::object::Namespace;
use responder_core::serving::{ServingKind, ServingNamespaces};
use serde::Deserialize;

/// A webhook configuration or an APIService, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServingDoc {
    metadata: NamedDoc,
    /// Of a webhook configuration.
    #[serde(default)]
    webhooks: Option<Vec<WebhookDoc>>,
    /// Of an APIService.
    #[serde(default)]
    spec: Option<CalledDoc>,
}

#[derive(Debug, Clone, Deserialize)]
struct NamedDoc {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookDoc {
    client_config: CalledDoc,
}

/// What the API server calls: a Service, or an address outside of the cluster, or itself.
#[derive(Debug, Clone, Deserialize)]
struct CalledDoc {
    #[serde(default)]
    service: Option<ServiceDoc>,
}

#[derive(Debug, Clone, Deserialize)]
struct ServiceDoc {
    #[serde(default)]
    namespace: String,
}

impl ServingDoc {
    /// Adds the namespaces that this object names.
    pub(crate) fn add_to(&self, namespaces: &mut ServingNamespaces, kind: ServingKind) {
        let webhooks = self.webhooks.iter().flatten().map(|webhook| &webhook.client_config);
        let services = webhooks.chain(&self.spec).filter_map(|called| called.service.as_ref());
        for namespace in services.filter_map(|service| Namespace::new(&service.namespace)) {
            namespaces.add(namespace, kind, &self.metadata.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::a_webhook(
        ServingKind::ValidatingWebhook,
        json!({"webhooks": [
            {"name": "a", "clientConfig": {"url": "https://policy.example"}},
            {"name": "b", "failurePolicy": "Ignore", "clientConfig": {"service": {"name": "kyverno", "namespace": "policy-engine"}}},
        ]}),
        &["policy-engine"]
    )]
    #[case::several_webhooks(
        ServingKind::MutatingWebhook,
        json!({"webhooks": [
            {"name": "a", "clientConfig": {"service": {"name": "a", "namespace": "mesh"}}},
            {"name": "b", "clientConfig": {"service": {"name": "b", "namespace": "pki"}}},
        ]}),
        &["mesh", "pki"]
    )]
    #[case::no_webhook(ServingKind::MutatingWebhook, json!({}), &[])]
    #[case::an_aggregated_api(
        ServingKind::ApiService,
        json!({"spec": {"group": "metrics.k8s.io", "service": {"name": "metrics-server", "namespace": "measures"}}}),
        &["measures"]
    )]
    #[case::an_api_of_the_server_itself(ServingKind::ApiService, json!({"spec": {"group": "apps", "service": null}}), &[])]
    fn the_namespaces_of_the_services_are_read(
        #[case] kind: ServingKind,
        #[case] object: Value,
        #[case] expected: &[&str],
    ) {
        let mut object = object;
        object["metadata"] = json!({"name": "it"});
        let doc: ServingDoc = serde_json::from_value(object).unwrap();
        let mut namespaces = ServingNamespaces::default();
        doc.add_to(&mut namespaces, kind);
        for name in ["policy-engine", "mesh", "pki", "measures"] {
            let named_by = namespaces.named_by(&Namespace::new(name).unwrap());
            let named = expected.contains(&name).then(|| format!("the {} it", kind.as_str()));
            assert_eq!(named_by, named.as_deref(), "{name}");
        }
    }
}
