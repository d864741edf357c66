//! Webhook configurations: which namespaces the API server itself calls.
//!
//! No scenario makes an APIService: while its Service does not answer, the API server can't finish a namespace's deletion,
//! and other scenarios run on the same one.

use responder_core::port::ClusterReader;
use serde_json::{Value, json};

use super::fixture::{Fixture, ScenarioResult, ensure};
use super::under_test::{ClusterUnderTest, Violation};

/// A configuration whose webhook is called for objects of a group that does not exist, and is not waited for.
fn configuration(kind: &str, name: &str, called: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        "webhooks": [{
            "name": "it.conformance.responder.dev", "clientConfig": called, "failurePolicy": "Ignore",
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "rules": [{"apiGroups": ["absent.conformance.responder.dev"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["absent"]}],
        }],
    })
}

/// Of both kinds of configuration; one that names an address names no namespace.
pub async fn the_namespaces_that_webhooks_name_are_read<C: ClusterUnderTest>(cluster: &C) -> ScenarioResult {
    let fixture = Fixture::bare(cluster, "serving").await?;
    let elsewhere = fixture.nowhere()?;
    let in_namespace = |namespace| json!({"service": {"name": "policy", "namespace": namespace, "path": "/"}});
    let at_an_address = json!({"url": "https://policy.conformance.responder.dev/"});
    // What the API server's lists show may be of a moment before, and the adapter keeps it: the pod takes that moment.
    let manifests = [
        configuration(
            "ValidatingWebhookConfiguration",
            "conformance-validating",
            &in_namespace(&fixture.namespace),
        ),
        configuration(
            "MutatingWebhookConfiguration",
            "conformance-mutating",
            &in_namespace(&elsewhere),
        ),
        configuration("ValidatingWebhookConfiguration", "conformance-address", &at_an_address),
        fixture.pod("web-0"),
    ];
    fixture.create(&manifests).await?;
    let read = cluster.adapter().serving_namespaces().await;
    let namespaces = read.map_err(|error| Violation::from(error.to_string()))?;
    for (namespace, named_by) in [
        (
            &fixture.namespace,
            "the ValidatingWebhookConfiguration conformance-validating",
        ),
        (&elsewhere, "the MutatingWebhookConfiguration conformance-mutating"),
    ] {
        let read = namespaces.named_by(namespace);
        ensure!(read == Some(named_by), "{namespace} is named by {read:?}");
    }
    let node = super::fixture::namespace("conformance-nothing")?;
    ensure!(namespaces.named_by(&node).is_none(), "{node} is named");
    Ok(())
}
