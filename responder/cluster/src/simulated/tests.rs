//! Tests of the simulated cluster: the conformance suite, and its own parts: manifests, defaults, time and hooks.

mod conformance;
mod hooks;
mod manifests;
mod time;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use responder_core::mode::{Mode, Permit};
use responder_core::object::{Locator, Name, Namespace, ObjectRef, Uid};
use responder_core::port::{Clock, ClusterReader, ClusterWriter, Reply, SendError};
use responder_core::request::Request;

use super::*;

/// A ReplicaSet of two pods with a node, an owner chain and a policy engine, as a newcomer would write it.
const DEMO: &str = include_str!("tests/demo.yaml");

fn demo() -> SimulatedCluster {
    SimulatedCluster::from_manifests([("demo.yaml", DEMO)]).unwrap()
}

/// A clock that a test sets.
#[derive(Default)]
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap())))
    }

    fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn namespace(text: &str) -> Namespace {
    Namespace::new(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn at(pod: &str) -> Locator {
    Locator::pod(namespace("web"), name(pod))
}

async fn target(cluster: &SimulatedCluster, pod: &str) -> ObjectRef {
    let found = cluster.pod(&namespace("web"), &name(pod)).await.unwrap().unwrap();
    ObjectRef {
        at: at(pod),
        uid: Uid::new(found.metadata.uid.as_deref().unwrap()).unwrap(),
    }
}

fn delete(target: &ObjectRef, grace_seconds: Option<u32>) -> Request {
    Request::Delete {
        target: target.clone(),
        grace_seconds,
    }
}

async fn enforce(cluster: &SimulatedCluster, request: &Request) -> Result<Reply, SendError> {
    let permit = Permit::to_give_back(Mode::Enforce);
    cluster
        .send(request.armed(&permit).unwrap(), Duration::from_secs(1))
        .await
}
