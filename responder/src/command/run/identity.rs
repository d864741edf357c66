//! Who we are: for the floor of protections, the audit trail and the traces.

use std::sync::Arc;

use responder_core::decide::OwnIdentity;
use responder_core::object::{Name, Namespace};
use responder_engine::EngineConfig;

/// Who we are, from the environment that the downward API fills; nobody, outside a cluster.
pub(super) fn own_identity() -> OwnIdentity {
    let variable = |name| std::env::var(name).ok();
    OwnIdentity {
        namespace: variable("POD_NAMESPACE").as_deref().and_then(Namespace::new),
        pod: variable("POD_NAME").as_deref().and_then(Name::new),
    }
}

/// Who acts, as the audit trail names it: this pod; outside a cluster the field manager of its requests.
pub(super) fn actor(own: &OwnIdentity) -> Arc<str> {
    match (&own.namespace, &own.pod) {
        (Some(namespace), Some(pod)) => format!("pod/{namespace}/{pod}").into(),
        _ => EngineConfig::default().actor,
    }
}
