//! The ReplicaSet that the name of a pod tells of.

use jiff::Timestamp;
use responder_core::object::{Name, Namespace};
use serde_json::{Value, json};

use super::manifest::{controller, workload};

/// The ReplicaSet of a pod with a name such as `web-6d4cf56db6-x7k2p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AssumedReplicaSet<'a> {
    /// `web`, the name of the Deployment.
    pub(super) deployment: &'a str,
    /// `6d4cf56db6`.
    hash: &'a str,
}

impl<'a> AssumedReplicaSet<'a> {
    /// `None` for a name of another form. Kubernetes makes the last two parts of letters and digits that spell no words.
    /// Source: `k8s.io/apimachinery/pkg/util/rand`, `SafeEncodeString`.
    pub(super) fn of_pod(name: &'a Name) -> Option<Self> {
        let safe = |text: &str| text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
        let (rest, suffix) = name.as_str().rsplit_once('-')?;
        let (deployment, hash) = rest.rsplit_once('-')?;
        let fits = suffix.len() == 5 && (6..=10).contains(&hash.len()) && safe(suffix) && safe(hash);
        fits.then_some(Self { deployment, hash })
    }

    fn name(self) -> String {
        format!("{}-{}", self.deployment, self.hash)
    }

    pub(super) fn labels(self) -> Value {
        json!({"pod-template-hash": self.hash})
    }

    /// The owner reference of a pod.
    pub(super) fn reference(self, namespace: &Namespace) -> Value {
        controller("ReplicaSet", namespace, &self.name())
    }

    pub(super) fn manifest(self, namespace: &Namespace, pods: usize, first_alert: Timestamp) -> Value {
        let mut manifest = workload("ReplicaSet", namespace, &self.name(), first_alert);
        manifest["metadata"]["ownerReferences"] = json!([controller("Deployment", namespace, self.deployment)]);
        manifest["spec"] = json!({
            "replicas": pods,
            "selector": {"matchLabels": self.labels()},
            "template": {"metadata": {"labels": self.labels()}, "spec": {"containers": []}},
        });
        manifest
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web-6d4cf56db6-x7k2p", Some(("web", "6d4cf56db6")))]
    #[case("a-b-c-7c9d8b5f6-zz9s8", Some(("a-b-c", "7c9d8b5f6")))]
    #[case("web-0", None)]
    #[case("cart-db-0", None)]
    #[case("my-cron-job-name", None)]
    #[case("falco-xczjd", None)]
    fn a_replica_set_is_recognised_by_letters_that_spell_no_words(
        #[case] pod: &str,
        #[case] parts: Option<(&str, &str)>,
    ) {
        let name = Name::new(pod).unwrap();
        let found = AssumedReplicaSet::of_pod(&name);
        assert_eq!(found.map(|set| (set.deployment, set.hash)), parts);
    }
}
