//! Waits until the components of a control plane are ready, and fails early when one ends.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, Config};
use tokio::time;

use super::{
    clients::client,
    error::{ControlPlaneError, START_DEADLINE},
};
use crate::process::{ServerProcess, tail};

/// Deadline of one readiness probe.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// Waits until the API server's `/readyz` succeeds, while the API server and etcd run.
pub(super) async fn wait_until_ready(
    config: &Config,
    api_server: &mut ServerProcess,
    mut etcd: Option<&mut ServerProcess>,
) -> Result<(), ControlPlaneError> {
    let mut config = config.clone();
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| ControlPlaneError::Client(Box::new(error)))?;
    let started = Instant::now();
    loop {
        if let Some(etcd) = etcd.as_deref_mut() {
            check_running(etcd)?;
        }
        check_running(api_server)?;
        if time::timeout(PROBE_DEADLINE, is_ready(&client)).await == Ok(true) {
            return Ok(());
        }
        within_deadline(started, "the API server to be ready", api_server)?;
        time::sleep(POLL).await;
    }
}

async fn is_ready(client: &Client) -> bool {
    let request = http::Request::get("/readyz").body(Vec::new());
    match request {
        Ok(request) => client.request_text(request).await.is_ok_and(|answer| answer == "ok"),
        Err(_) => false,
    }
}

/// The controllers run once they have created the service account `default/default`. Without it, no pod can be created.
pub(super) async fn wait_for_controllers(
    config: &Config,
    controller_manager: &mut ServerProcess,
) -> Result<(), ControlPlaneError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client(config, false), "default");
    let started = Instant::now();
    loop {
        check_running(controller_manager)?;
        if let Ok(Ok(Some(_))) = time::timeout(PROBE_DEADLINE, accounts.get_opt("default")).await {
            return Ok(());
        }
        within_deadline(started, "the service account controller", controller_manager)?;
        time::sleep(POLL).await;
    }
}

fn within_deadline(started: Instant, what: &'static str, server: &ServerProcess) -> Result<(), ControlPlaneError> {
    if started.elapsed() < START_DEADLINE {
        return Ok(());
    }
    Err(ControlPlaneError::Deadline {
        what,
        component: server.name(),
        tail: tail(server.log()),
    })
}

pub(super) fn check_running(server: &mut ServerProcess) -> Result<(), ControlPlaneError> {
    let component = server.name();
    match server.exited() {
        Ok(None) => Ok(()),
        Ok(Some(status)) => Err(ControlPlaneError::Ended {
            component,
            status,
            tail: tail(server.log()),
        }),
        Err(source) => Err(ControlPlaneError::End { component, source }),
    }
}
