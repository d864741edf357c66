//! Controllers of custom kinds: what the API server serves of a kind is looked up, then the metadata of one object is read,
//! and its `scale` if the kind has one. Part of the step *snapshot*.

use std::sync::Arc;

use http::StatusCode;
use responder_core::custom_kind::CustomLocator;
use responder_core::object::Name;
use responder_core::owner::Uncounted;
use responder_core::port::{CustomOwnerAnswer, ReadError};
use serde::Deserialize;

use super::read::{decode, malformed};
use super::served_kinds::ServedKind;
use super::{KubeCluster, wire};
use crate::owner::{CustomOwnerDoc, Scale};

impl KubeCluster {
    /// Reads the controller, without a deadline of its own.
    pub(super) async fn custom_controller(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        let wanted = |served: &ServedKind| served.kind == at.kind.kind();
        let Some(served) = self.served_kind(&at.kind.api_version(), wanted).await? else {
            return Ok(CustomOwnerAnswer::NotServed);
        };
        let namespace = served.is_namespaced.then(|| at.namespace.clone());
        let place = namespace
            .as_ref()
            .map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
        let path = format!("/apis/{}{place}/{}/{}", at.kind.api_version(), served.plural, at.name);
        let what = at.to_string();
        let Some(doc) = self.get_metadata::<CustomOwnerDoc>(&what, &path).await? else {
            return Ok(CustomOwnerAnswer::Missing);
        };
        let replicas = if served.has_scale {
            self.scale(&what, &path).await
        } else {
            Err(Uncounted(format!("a {} has no scale", at.kind)))
        };
        doc.into_owner(at, namespace, replicas)
            .map(|found| CustomOwnerAnswer::Found(Box::new(found)))
            .ok_or_else(|| malformed(&what, "its uid is missing or invalid"))
    }

    async fn scale(&self, what: &str, path: &str) -> Result<u32, Uncounted> {
        let what = format!("the scale of {what}");
        match self.get::<Scale>(&what, &format!("{path}/scale")).await {
            Ok(Some(scale)) => scale.replicas(),
            Ok(None) => Err(Uncounted(format!("{what} is gone"))),
            Err(error) => Err(Uncounted(error.to_string())),
        }
    }

    /// The first kind of a group and version that is wanted; `None` if none is served.
    pub(super) async fn served_kind(
        &self,
        api_version: &str,
        wanted: impl Fn(&ServedKind) -> bool,
    ) -> Result<Option<ServedKind>, ReadError> {
        let kinds = self.served_kinds.of(api_version);
        let kinds = kinds.get_or_read(self.group_kinds(api_version)).await?;
        let found = kinds.iter().find(|served| wanted(served)).cloned();
        if found.is_none() {
            self.served_kinds.forget(api_version);
        }
        Ok(found)
    }

    /// The kinds of a group and version; none if it is not served.
    /// Source: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>
    async fn group_kinds(&self, api_version: &str) -> Result<Arc<[ServedKind]>, ReadError> {
        #[derive(Deserialize)]
        struct ResourceList {
            resources: Vec<Resource>,
        }
        #[derive(Deserialize)]
        struct Resource {
            name: String,
            kind: String,
            namespaced: bool,
        }
        let what = format!("the kinds of {api_version}");
        let request =
            wire::get(&format!("/apis/{api_version}")).map_err(|error| malformed(&what, &error.to_string()))?;
        let answer = self.read(&what, request).await?;
        // The API server answers for a group that it does not serve with a plain text, not with a `Status`.
        if answer.code == StatusCode::NOT_FOUND {
            return Ok(Arc::default());
        }
        let list: ResourceList = decode(&what, &answer)?;
        let resources = &list.resources;
        let served = resources.iter().filter_map(|resource| {
            let scale = format!("{}/scale", resource.name);
            // A name with a slash is a subresource's, which no `Name` is.
            Some(ServedKind {
                kind: resource.kind.clone(),
                plural: Name::new(&resource.name)?,
                is_namespaced: resource.namespaced,
                has_scale: resources.iter().any(|other| other.name == scale),
            })
        });
        Ok(served.collect())
    }
}

#[cfg(test)]
mod tests;
