//! The identity of this process: for the floor of protections, the audit trail and the traces.

use std::sync::Arc;

use responder_core::decide::OwnIdentity;
use responder_core::object::{Name, Namespace};
use responder_engine::EngineConfig;

/// The pod of this process, from the variables that the downward API sets; empty outside a cluster.
pub(super) fn own_identity() -> OwnIdentity {
    let variable = |name| std::env::var(name).ok();
    OwnIdentity {
        namespace: variable("POD_NAMESPACE").as_deref().and_then(Namespace::new),
        pod: variable("POD_NAME").as_deref().and_then(Name::new),
    }
}

/// The actor in the audit trail: this pod, or outside a cluster the field manager of its requests.
pub(super) fn actor(own: &OwnIdentity) -> Arc<str> {
    match (&own.namespace, &own.pod) {
        (Some(namespace), Some(pod)) => format!("pod/{namespace}/{pod}").into(),
        _ => EngineConfig::default().actor,
    }
}
