//! Whether a quarantine isolates its pod. Step of the flow: verify. Reads only.

use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::network::{Endpoint, Isolation, Policies, isolation};
use responder_core::object::{Locator, ObjectRef};
use responder_core::own::QuarantinePolicy;
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::finding::{Effectiveness, Finding};
use super::reading::reading;

/// A quarantine whose requests were carried out.
pub(super) struct IsolationCheck<'a> {
    pub(super) pod: &'a ObjectRef,
    pub(super) policy: &'a Locator,
    pub(super) denied_by: Option<&'a Locator>,
    pub(super) predicted: Option<&'a Isolation>,
}

impl IsolationCheck<'_> {
    pub(super) async fn verify<C: ClusterReader>(&self, cluster: &C, readers: &Semaphore) -> Finding {
        let target = self.pod;
        let Some(namespace) = target.at.namespace() else {
            return Finding::new(Effectiveness::Inconclusive, format!("{} has no namespace", target.at));
        };
        let readings = reading(readers, async {
            let (reads, others) = tokio::join!(
                async {
                    tokio::try_join!(
                        cluster.pod(namespace, target.at.name()),
                        // Our own policies come from the store: the lists below may not have them yet.
                        cluster.object(self.policy),
                        self.denial(cluster),
                        cluster.network_policies(namespace),
                        cluster.namespace(namespace),
                    )
                },
                cluster.engine_policies(namespace)
            );
            reads.map(|(live, ours, denial, network_policies, namespace)| {
                let policies = Policies {
                    network_policies,
                    others,
                };
                (live, ours, denial, policies, namespace)
            })
        });
        let (live, ours, denial, mut policies, namespace) = match readings.await {
            Ok(readings) => readings,
            Err(error) => return Finding::unread(&error),
        };
        let live = live.filter(|live| live.metadata.uid.as_deref() == Some(target.uid.as_str()));
        let Some(live) = live else {
            return Finding::new(Effectiveness::Effective, format!("{} is gone since", target.at));
        };
        let labels = pod::labels(&live);
        let at = self.policy;
        let ours = ours.and_then(|ours| NetworkPolicy::deserialize(&*ours).ok());
        let Some(ours) = ours else {
            return Finding::new(Effectiveness::Ineffective, format!("{at} is not there"));
        };
        if let Some(flaw) = QuarantinePolicy::flaw(&ours, &labels) {
            return Finding::new(Effectiveness::Ineffective, format!("{at} {flaw}"));
        }
        if let Some(at) = self.denied_by {
            let Some(denial) = denial else {
                return Finding::new(Effectiveness::Ineffective, format!("{at} is not there"));
            };
            policies.others.replace(at, &denial);
        }
        let endpoint = Endpoint::of(&live, labels, namespace.as_deref());
        self.judged(&isolation(&endpoint, &with_ours(policies, ours)))
    }

    /// The policy that denies, as it is in the store.
    async fn denial<C: ClusterReader>(&self, cluster: &C) -> Result<Option<Arc<Value>>, ReadError> {
        match self.denied_by {
            Some(at) => cluster.object(at).await,
            None => Ok(None),
        }
    }

    fn judged(&self, observed: &Isolation) -> Finding {
        let expected = self
            .predicted
            .map(|predicted| predicted.leaks.as_slice())
            .unwrap_or_default();
        let leaks = observed.leaks.iter().filter(|leak| !expected.contains(leak));
        let more: Vec<String> = leaks.map(ToString::to_string).collect();
        if !more.is_empty() {
            return Finding::new(
                Effectiveness::Ineffective,
                format!("{} leaks more than predicted: {}", self.pod.at, more.join("; ")),
            );
        }
        let verdict = if observed.unverified.is_empty() {
            Effectiveness::Effective
        } else {
            Effectiveness::Inconclusive
        };
        Finding::new(verdict, observed.to_string())
    }
}

/// The policies, with ours as it is in the store, whether or not the list has it.
fn with_ours(mut policies: Policies, ours: NetworkPolicy) -> Policies {
    let listed = &mut policies.network_policies;
    listed.retain(|policy| policy.metadata.name != ours.metadata.name);
    listed.push(ours);
    policies
}
