//! Reads policies of other kinds than NetworkPolicies, of those kinds that the API server serves.

use ::kube::api::ListParams;
use futures_util::future::{join, join_all, try_join_all};
use responder_core::network::{EnginePolicies, EnginePolicy, PolicyKind};
use responder_core::object::{Kind, Namespace};
use responder_core::port::ReadError;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::installed_network::{InstalledNetwork, ServedPolicyKind};
use super::read::{late, malformed};
use super::served_kinds::ServedKind;
use super::{KubeCluster, READ_DEADLINE, wire};
use crate::policy_engine::{DAEMON_SETS, DaemonSetDoc, recognised};

#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

impl GroupList {
    fn have(&self, group: &str, version: &str) -> bool {
        let mut served = self.groups.iter().filter(|served| served.name == group);
        served.any(|served| served.versions.iter().any(|served| served.version == version))
    }
}

#[derive(Deserialize)]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

impl KubeCluster {
    pub(super) async fn all_engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        let installed = timeout(READ_DEADLINE, self.network.get_or_read(self.installed_network()));
        let installed = match installed.await {
            Ok(Ok(installed)) => installed,
            Ok(Err(error)) => return unread(&error),
            Err(_) => return unread(&late("the API groups", READ_DEADLINE)),
        };
        let lists = join_all(
            installed
                .served
                .iter()
                .map(|served| self.policies_of(served, namespace)),
        );
        let denying = |served: &ServedPolicyKind| served.kind.denying(served.group);
        let mut all = EnginePolicies {
            engine: installed.engine,
            policies: Vec::new(),
            can_deny: installed.served.iter().filter_map(denying).collect(),
            unread: installed.unread.clone(),
        };
        for list in lists.await {
            match list {
                Ok(policies) => all.policies.extend(policies),
                Err(error) => all.unread.push(error.to_string()),
            }
        }
        all
    }

    async fn policies_of(
        &self,
        served: &ServedPolicyKind,
        namespace: &Namespace,
    ) -> Result<Vec<EnginePolicy>, ReadError> {
        let ServedPolicyKind { kind, group, version } = served;
        let place = if kind.is_namespaced() {
            format!("namespaces/{namespace}/")
        } else {
            String::new()
        };
        let path = format!("/apis/{group}/{version}/{place}{}", kind.plural());
        let objects: Vec<Value> = self.list(&path, ListParams::default()).await?;
        Ok(objects
            .into_iter()
            .flat_map(|object| EnginePolicy::of(*kind, object))
            .collect())
    }

    async fn installed_network(&self) -> Result<InstalledNetwork, ReadError> {
        let (served, sets) = join(self.served_policy_kinds(), self.engine_daemon_sets()).await;
        let (engine, unread) = match sets {
            Ok(sets) => (recognised(&sets), Vec::new()),
            Err(error) => (None, vec![error.to_string()]),
        };
        Ok(InstalledNetwork {
            engine,
            served: served?,
            unread,
        })
    }

    /// Whether a kind is served that Kubernetes itself does not have: the API server answers a request for one that is not
    /// served without a `Status`, as a proxy might.
    pub(super) async fn serves(&self, kind: Kind) -> Result<bool, ReadError> {
        Ok(self.groups().await?.have(kind.group(), kind.version())
            && self.has_kind(kind.group(), kind.version(), kind.plural()).await?)
    }

    async fn groups(&self) -> Result<GroupList, ReadError> {
        let what = "the API groups";
        self.get(what, "/apis")
            .await?
            .ok_or_else(|| malformed(what, "the response has no groups"))
    }

    async fn has_kind(&self, group: &str, version: &str, plural: &str) -> Result<bool, ReadError> {
        let api_version = format!("{group}/{version}");
        let is_wanted = |kind: &ServedKind| kind.plural.as_str() == plural;
        Ok(self.served_kind(&api_version, is_wanted).await?.is_some())
    }

    /// The kinds that are served, each in the first place that is.
    async fn served_policy_kinds(&self) -> Result<Vec<ServedPolicyKind>, ReadError> {
        let groups = self.groups().await?;
        let found = PolicyKind::ALL.into_iter().map(async |kind| {
            for place in kind.served_at() {
                for version in place
                    .versions
                    .iter()
                    .filter(|version| groups.have(place.group, version))
                {
                    if self.has_kind(place.group, version, kind.plural()).await? {
                        return Ok(Some(ServedPolicyKind {
                            kind,
                            group: place.group,
                            version,
                        }));
                    }
                }
            }
            Ok(None)
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn engine_daemon_sets(&self) -> Result<Vec<DaemonSetDoc>, ReadError> {
        let path = wire::collection(Kind::DaemonSet, None);
        let named = DAEMON_SETS.iter().map(async |(name, _)| {
            let selected = ListParams::default().fields(&format!("metadata.name={name}"));
            self.list::<DaemonSetDoc>(&path, selected).await
        });
        Ok(try_join_all(named).await?.into_iter().flatten().collect())
    }
}

fn unread(error: &ReadError) -> EnginePolicies {
    EnginePolicies {
        unread: vec![error.to_string()],
        ..EnginePolicies::default()
    }
}
