//! The conformance suite on the simulated cluster.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use responder_core::object::{Locator, Name, Namespace, Uid};
use serde_json::Value;

use crate::conformance::{ClusterUnderTest, answers, controllers, creations, denials, owners, patches, reads, serving};
use crate::simulated::SimulatedCluster;

struct Simulated(SimulatedCluster);

impl ClusterUnderTest for Simulated {
    type Adapter = SimulatedCluster;

    fn adapter(&self) -> &SimulatedCluster {
        &self.0
    }

    async fn create(&self, manifests: &[Value]) -> Result<(), String> {
        let text = manifests.iter().fold(String::new(), |mut text, manifest| {
            writeln!(text, "{manifest}").unwrap();
            text
        });
        self.0.apply(&text).map_err(|error| error.to_string())
    }

    async fn replace_pod(&self, namespace: &Namespace, name: &Name) -> Result<Uid, String> {
        self.0
            .replace(namespace, name)
            .ok_or_else(|| format!("pod {namespace}/{name} does not exist"))
    }

    async fn delete(&self, at: &Locator) -> Result<(), String> {
        if self.0.remove(at) {
            Ok(())
        } else {
            Err(format!("{at} does not exist"))
        }
    }

    async fn objects(&self, namespace: &Namespace) -> Result<BTreeMap<String, Value>, String> {
        let here = |object: &Value| {
            let of = object.pointer("/metadata/namespace").and_then(Value::as_str);
            of.is_none_or(|of| of == namespace.as_str())
        };
        Ok(self
            .0
            .objects()
            .into_iter()
            .filter(|(_, object)| here(object))
            .collect())
    }
}

macro_rules! on_the_simulated_cluster {
    ($($module:ident::$scenario:ident)*) => {
        $(
            #[tokio::test]
            async fn $scenario() {
                let cluster = Simulated(SimulatedCluster::empty());
                if let Err(violation) = $module::$scenario(&cluster).await {
                    panic!("{violation}");
                }
            }
        )*
    };
}

crate::for_each_scenario!(on_the_simulated_cluster);
