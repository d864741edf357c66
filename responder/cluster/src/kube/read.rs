//! Reads for the steps *snapshot* and *verify*.
//!
//! A single object is read without a resource version: from the store, not from a cache. Lists are read with
//! `resourceVersion=0`, from the API server's cache: 2 ms instead of 62 ms under 20 writes per second. The nodes come in
//! pages, which the cache does not offer: all of them in one answer may be larger than the memory of a replica.

use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{ListParams, Request as ListRequest};
use http::{Request, StatusCode};
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use responder_core::custom_kind::CustomLocator;
use responder_core::network::EnginePolicies;
use responder_core::node::NodeFacts;
use responder_core::object::{Kind, Locator, Name, Namespace};
use responder_core::own::DenyingKind;
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, CustomOwnerAnswer, OwnerObject, ReadError, ReadErrorKind};
use responder_core::serving::ServingNamespaces;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::answer::{ApiAnswer, exchange};
use super::{CUSTOM_DEADLINE, KubeCluster, NODES_DEADLINE, READ_DEADLINE, wire};
use crate::owner::OwnerDoc;

/// A page holds 2 MB of nodes of 20 KB each. The memory that a page takes while it is read is several times that.
const NODES_A_PAGE: u32 = 100;

/// A list, or a page of one.
#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
    metadata: Option<ListMeta>,
}

impl ClusterReader for KubeCluster {
    async fn object(&self, at: &Locator) -> Result<Option<Arc<Value>>, ReadError> {
        let is_policy = at.kind() == Kind::NetworkPolicy || DenyingKind::of(at.kind()).is_some();
        if !is_policy {
            return Ok(self.one(at).await?.map(Arc::new));
        }
        if !at.kind().is_built_in() && !self.serves(at.kind()).await? {
            return Ok(None);
        }
        // The role can list policies, but not get one.
        let named = ListParams::default().fields(&format!("metadata.name={}", at.name()));
        let policies = self
            .list_from_store(&wire::collection(at.kind(), at.namespace()), &named)
            .await?;
        Ok(policies.into_iter().next().map(Arc::new))
    }

    async fn pod(&self, namespace: &Namespace, name: &Name) -> Result<Option<Arc<Pod>>, ReadError> {
        Ok(self
            .one(&Locator::pod(namespace.clone(), name.clone()))
            .await?
            .map(Arc::new))
    }

    async fn pods_named(&self, name: &Name) -> Result<Vec<Pod>, ReadError> {
        let selected = ListParams::default().fields(&format!("metadata.name={name}"));
        self.list(&wire::collection(Kind::Pod, None), selected).await
    }

    async fn pods_on(&self, node: &Name) -> Result<Vec<PodOnNode>, ReadError> {
        let selected = ListParams::default().fields(&format!("spec.nodeName={node}"));
        self.list(&wire::collection(Kind::Pod, None), selected).await
    }

    async fn node(&self, name: &Name) -> Result<Option<Arc<Node>>, ReadError> {
        Ok(self.one(&Locator::node(name.clone())).await?.map(Arc::new))
    }

    async fn namespace(&self, name: &Namespace) -> Result<Option<Arc<NamespaceObject>>, ReadError> {
        let path = format!("{}/{name}", wire::collection(Kind::Namespace, None));
        Ok(self.get(&format!("namespace/{name}"), &path).await?.map(Arc::new))
    }

    async fn owner(&self, at: &Locator) -> Result<Option<OwnerObject>, ReadError> {
        let Some(doc) = self.one::<OwnerDoc>(at).await? else {
            return Ok(None);
        };
        doc.into_owner(at)
            .map(Some)
            .ok_or_else(|| malformed(&at.to_string(), "its uid is missing or invalid"))
    }

    async fn custom_owner(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        let read = self.custom_controller(at);
        timeout(CUSTOM_DEADLINE, read)
            .await
            .unwrap_or_else(|_| Err(late(&at.to_string(), CUSTOM_DEADLINE)))
    }

    async fn network_policies(&self, namespace: &Namespace) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.list(
            &wire::collection(Kind::NetworkPolicy, Some(namespace)),
            ListParams::default(),
        )
        .await
    }

    async fn network_policies_labelled(&self, label: &str) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.list(
            &wire::collection(Kind::NetworkPolicy, None),
            ListParams::default().labels(label),
        )
        .await
    }

    async fn services(&self, namespace: &Namespace) -> Result<Vec<Service>, ReadError> {
        self.list(
            &format!("/api/v1/namespaces/{namespace}/services"),
            ListParams::default(),
        )
        .await
    }

    async fn nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        let nodes = self.nodes.get_or_read(self.all_nodes());
        timeout(NODES_DEADLINE, nodes)
            .await
            .unwrap_or_else(|_| Err(late("the nodes", NODES_DEADLINE)))
    }

    async fn engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        self.all_engine_policies(namespace).await
    }

    async fn serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        self.all_serving_namespaces().await
    }
}

impl KubeCluster {
    /// The API server's version, such as `v1.37.2`. It is the cheapest request that shows whether the API server
    /// answers.
    pub async fn version(&self) -> Result<String, ReadError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            git_version: String,
        }
        let what = "the version";
        let version: Option<Version> = self.get(what, "/version").await?;
        Ok(version
            .ok_or_else(|| malformed(what, "the response has no version"))?
            .git_version)
    }

    async fn one<T: DeserializeOwned>(&self, at: &Locator) -> Result<Option<T>, ReadError> {
        self.get(&at.to_string(), &wire::path(at)).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<Option<T>, ReadError> {
        self.answered(what, wire::get(path)).await
    }

    /// The metadata of an object, without its other fields.
    pub(super) async fn get_metadata<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
    ) -> Result<Option<T>, ReadError> {
        self.answered(what, wire::get_metadata(path)).await
    }

    async fn answered<T: DeserializeOwned>(
        &self,
        what: &str,
        request: Result<Request<Vec<u8>>, http::Error>,
    ) -> Result<Option<T>, ReadError> {
        let request = request.map_err(|error| malformed(what, &error.to_string()))?;
        let answer = self.read(what, request).await?;
        // Only the API server's own `Status` counts: a proxy's 404 must not make a pod disappear.
        if answer.code == StatusCode::NOT_FOUND
            && answer
                .failure
                .as_ref()
                .is_some_and(|status| status.reason == "NotFound")
        {
            return Ok(None);
        }
        decode(what, &answer).map(Some)
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        selected: ListParams,
    ) -> Result<Vec<T>, ReadError> {
        let cached = ListParams {
            resource_version: Some("0".to_owned()),
            ..selected
        };
        self.list_from_store(path, &cached).await
    }

    async fn list_from_store<T: DeserializeOwned>(
        &self,
        path: &str,
        selected: &ListParams,
    ) -> Result<Vec<T>, ReadError> {
        Ok(self.page(path, selected).await?.items)
    }

    async fn all_nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        let path = wire::collection(Kind::Node, None);
        let mut page = ListParams::default().limit(NODES_A_PAGE);
        let mut nodes = Vec::new();
        loop {
            let read: Items<NodeFacts> = self.page(&path, &page).await?;
            nodes.extend(read.items);
            match read.metadata.and_then(|metadata| metadata.continue_) {
                Some(token) if !token.is_empty() => page = page.continue_token(&token),
                Some(_) | None => return Ok(nodes.into()),
            }
        }
    }

    async fn page<T: DeserializeOwned>(&self, path: &str, selected: &ListParams) -> Result<Items<T>, ReadError> {
        let what = path.trim_start_matches('/');
        let request = ListRequest::new(path)
            .list(selected)
            .map_err(|error| malformed(what, &error.to_string()))?;
        let answer = self.read(what, request).await?;
        decode(what, &answer)
    }

    pub(super) async fn read(&self, what: &str, request: Request<Vec<u8>>) -> Result<ApiAnswer, ReadError> {
        let failed = |kind, detail| ReadError {
            what: what.to_owned(),
            kind,
            detail,
        };
        let answer = match timeout(READ_DEADLINE, exchange(&self.client, request)).await {
            Err(_) => Err(late(what, READ_DEADLINE)),
            Ok(Err(no_answer)) => Err(failed(ReadErrorKind::Unavailable, no_answer.detail)),
            Ok(Ok(answer)) => Ok(answer),
        };
        let code = answer.as_ref().map_or(0, |answer| answer.code.as_u16());
        tracing::debug!(what, code, "finished a read");
        answer
    }
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, answer: &ApiAnswer) -> Result<T, ReadError> {
    if answer.code.is_success() && answer.failure.is_none() {
        let body = &mut serde_json::Deserializer::from_slice(&answer.body);
        return serde_path_to_error::deserialize(body).map_err(|error| malformed(what, &error.to_string()));
    }
    let kind = match answer.code {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ReadErrorKind::Forbidden,
        // Gone is a list that was compacted between two of its pages.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::GONE => ReadErrorKind::Unavailable,
        code if code.is_server_error() => ReadErrorKind::Unavailable,
        _ => ReadErrorKind::Malformed,
    };
    Err(ReadError {
        what: what.to_owned(),
        kind,
        detail: answer.detail(),
    })
}

pub(super) fn late(what: &str, deadline: Duration) -> ReadError {
    ReadError {
        what: what.to_owned(),
        kind: ReadErrorKind::Timeout,
        detail: format!("no answer within {} s", deadline.as_secs()),
    }
}

pub(super) fn malformed(what: &str, detail: &str) -> ReadError {
    ReadError {
        what: what.to_owned(),
        kind: ReadErrorKind::Malformed,
        detail: detail.to_owned(),
    }
}
