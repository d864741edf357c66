//! Reads which namespaces the API server itself calls, from all objects that say so.

use std::sync::Arc;

use ::kube::api::ListParams;
use futures_util::future::try_join_all;
use responder_core::port::ReadError;
use responder_core::serving::{ServingKind, ServingNamespaces};
use tokio::time::timeout;

use super::read::late;
use super::{KubeCluster, READ_DEADLINE};
use crate::serving::ServingDoc;

impl KubeCluster {
    pub(super) async fn all_serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        let read = self.serving.get_or_read(self.read_serving_namespaces());
        timeout(READ_DEADLINE, read)
            .await
            .unwrap_or_else(|_| Err(late("the webhook configurations and APIServices", READ_DEADLINE)))
    }

    async fn read_serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        let lists = ServingKind::ALL.map(async |kind| {
            let path = format!("/apis/{}/v1/{}", kind.group(), kind.plural());
            let objects: Vec<ServingDoc> = self.list(&path, ListParams::default()).await?;
            Ok::<_, ReadError>((kind, objects))
        });
        let mut namespaces = ServingNamespaces::default();
        for (kind, objects) in try_join_all(lists).await? {
            for object in objects {
                object.add_to(&mut namespaces, kind);
            }
        }
        Ok(Arc::new(namespaces))
    }
}
