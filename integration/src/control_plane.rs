//! A running control plane: etcd, kube-apiserver, kube-controller-manager and kwok.
//!
//! There is no scheduler, so pods need a `nodeName`. The controllers (Deployment, ReplicaSet, DaemonSet, Job,
//! disruption, garbage collector, namespace) are Kubernetes' own. kwok makes nodes and pods Ready and removes deleted
//! pods.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kube::{Client, Config};
use responder_core::error::chain;
use tempfile::TempDir;
use tokio::{sync::OnceCell, task, time};

use crate::{assets::Assets, process::ServerProcess};

mod audit;
mod clients;
mod components;
mod error;
mod pki;
mod readiness;

pub use audit::{AuditError, AuditEvent};
pub use error::ControlPlaneError;
pub use pki::PkiError;

use clients::{client, read_config};
use components::{CONTROLLER_MANAGER_USER, ComponentPorts, Components, KWOK_USER};
use pki::Pki;
use readiness::{check_running, wait_for_controllers, wait_until_ready};

/// The group whose members may do everything.
const ADMINS: &str = "system:masters";

/// A running control plane. Dropping it ends its processes, waits until they are gone and removes its directory. The
/// same happens when this process is killed.
///
/// It does not depend on the runtime that started it. A [`Client`] does: make one in each test.
#[must_use = "the control plane ends when this is dropped"]
pub struct ControlPlane {
    // Dropped in this order: clients before their servers, and the directory after its last writer.
    kwok: ServerProcess,
    controller_manager: ServerProcess,
    /// `None` between [`ControlPlane::stop_api_server`] and [`ControlPlane::start_api_server`].
    api_server: Mutex<Option<ServerProcess>>,
    etcd: ServerProcess,
    components: Components,
    /// The administrator's.
    config: Config,
    kubeconfig: PathBuf,
    directory: TempDir,
    /// Removes the directory if this process is killed.
    _sweeper: ServerProcess,
}

impl ControlPlane {
    /// Starts a control plane and waits until the API server is ready and the controllers run: 3 to 5 s, after one
    /// build of 7 to 9 minutes. Several control planes can run at once.
    pub async fn start() -> Result<Self, ControlPlaneError> {
        let assets = match task::spawn_blocking(Assets::find_or_build).await {
            Ok(assets) => assets?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match Self::start_once(assets.clone()).await {
            Err(error) if error.is_port_taken() => Self::start_once(assets).await,
            other => other,
        }
    }

    async fn start_once(assets: Assets) -> Result<Self, ControlPlaneError> {
        let directory = tempfile::Builder::new()
            .prefix("control-plane-")
            // The directory contains the administrator's key.
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(ControlPlaneError::Directory)?;
        let path = directory.path();
        let sweeper =
            ServerProcess::start("sweeper", assets.sweeper(path), path).map_err(|source| ControlPlaneError::Spawn {
                component: "sweeper",
                source,
            })?;
        let write = |name, contents: &str| fs::write(path.join(name), contents).map_err(ControlPlaneError::Directory);
        write("audit-policy.yaml", include_str!("control_plane/audit-policy.yaml"))?;
        write("stages.yaml", include_str!("control_plane/stages.yaml"))?;

        let ports = ComponentPorts::choose().map_err(ControlPlaneError::Ports)?;
        let pki = Pki::create(path)?;
        let components = Components { assets, pki, ports };
        // The API server waits for etcd.
        let mut etcd = components.etcd(path)?;
        let mut api_server = components.api_server(path)?;

        let url = ports.api_server_url();
        let kubeconfig = components.pki.kubeconfig("admin", &[ADMINS], &url)?;
        let for_controllers = components.pki.kubeconfig(CONTROLLER_MANAGER_USER, &[], &url)?;
        let for_kwok = components.pki.kubeconfig(KWOK_USER, &[ADMINS], &url)?;
        let config = read_config(&kubeconfig).await?;
        wait_until_ready(&config, &mut api_server, Some(&mut etcd)).await?;

        let mut controller_manager = components.controller_manager(path, &for_controllers)?;
        let kwok = components.kwok(path, &for_kwok)?;
        wait_for_controllers(&config, &mut controller_manager).await?;
        Ok(Self {
            kwok,
            controller_manager,
            api_server: Mutex::new(Some(api_server)),
            etcd,
            components,
            config,
            kubeconfig,
            directory,
            _sweeper: sweeper,
        })
    }

    /// The kubeconfig of the administrator: the user `admin` in `system:masters`, who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client of the administrator that never retries: the first answer is the result.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client(&self) -> Client {
        client(&self.config, false)
    }

    /// A client of the administrator with kube's own retry, for watches and for set-up that must survive a restart.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn retrying_client(&self) -> Client {
        client(&self.config, true)
    }

    /// Writes a kubeconfig with a client certificate for `user` in at most one group. The user has no rights without a
    /// role binding, and all rights in `system:masters`. The audit log records the user's name.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, ControlPlaneError> {
        Ok(self
            .components
            .pki
            .kubeconfig(user, groups, &self.components.ports.api_server_url())?)
    }

    /// A client for another user, see [`ControlPlane::kubeconfig_for`]. It never retries.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client, ControlPlaneError> {
        let config = read_config(&self.kubeconfig_for(user, groups)?).await?;
        Ok(client(&config, false))
    }

    /// Writes a kubeconfig with the token of a service account, as a pod would use it.
    pub fn kubeconfig_with_token(&self, user: &str, token: &str) -> Result<PathBuf, ControlPlaneError> {
        Ok(self
            .components
            .pki
            .kubeconfig_with_token(user, token, &self.components.ports.api_server_url())?)
    }

    /// All finished requests in the order in which they finished. Every answered request is included; reads by the
    /// control plane's own components are left out.
    pub fn audit(&self) -> Result<Vec<AuditEvent>, AuditError> {
        audit::read(&self.directory.path().join("audit.log"))
    }

    /// Kills the API server and waits until its process is gone and its port is free. The other components continue.
    /// Does nothing if the API server is stopped. Not for the [`shared`] control plane, which other tests use.
    pub async fn stop_api_server(&self) -> Result<(), ControlPlaneError> {
        let server = self.api_server.lock().unwrap_or_else(PoisonError::into_inner).take();
        match server {
            Some(server) => end(server).await,
            None => Ok(()),
        }
    }

    /// Starts the API server again with the same port and data, and waits until it is ready. Does nothing if it runs.
    pub async fn start_api_server(&self) -> Result<(), ControlPlaneError> {
        if self.api_server.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut server = self.components.api_server(self.directory.path())?;
        wait_until_ready(&self.config, &mut server, None).await?;
        *self.api_server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// The process ids of the running components, by name.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let api_server = self.api_server.lock().unwrap_or_else(PoisonError::into_inner);
        [
            Some(&self.etcd),
            api_server.as_ref(),
            Some(&self.controller_manager),
            Some(&self.kwok),
        ]
        .into_iter()
        .flatten()
        .map(|server| (server.name(), server.pid()))
        .collect()
    }

    /// The directory of certificates, kubeconfigs, logs and data. It is removed with the control plane.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of kubectl in the API server's version.
    pub fn kubectl(&self) -> PathBuf {
        self.components.assets.kubectl()
    }

    /// Waits until a component ends unexpectedly, and returns the error. For programs that keep a control plane
    /// running.
    pub async fn failed(&mut self) -> ControlPlaneError {
        loop {
            let api_server = self.api_server.get_mut().unwrap_or_else(PoisonError::into_inner);
            let servers = [
                Some(&mut self.etcd),
                api_server.as_mut(),
                Some(&mut self.controller_manager),
                Some(&mut self.kwok),
            ];
            for server in servers.into_iter().flatten() {
                if let Err(error) = check_running(server) {
                    return error;
                }
            }
            time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Ends all processes, waits until they are gone and removes the directory.
    pub async fn stop(mut self) -> Result<(), ControlPlaneError> {
        // All components end at the same time; each is waited for below.
        self.kwok.close_input();
        self.controller_manager.close_input();
        if let Some(server) = self.api_server.get_mut().unwrap_or_else(PoisonError::into_inner) {
            server.close_input();
        }
        let Self {
            kwok,
            controller_manager,
            api_server,
            etcd,
            directory,
            _sweeper,
            ..
        } = self;
        let servers = [Some(kwok), Some(controller_manager), into_inner(api_server), Some(etcd)];
        for server in servers.into_iter().flatten() {
            end(server).await?;
        }
        directory.close().map_err(ControlPlaneError::Directory)
    }
}

/// The control plane that all tests of a test binary share. The first caller starts it, and it ends with the process. A
/// test must use its own namespaces and nodes.
///
/// # Panics
/// With the error and its causes if it does not start: no test could run without it.
pub async fn shared() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            match ControlPlane::start().await {
                Ok(control_plane) => control_plane,
                Err(error) => panic!("{}", chain(&error)),
            }
        })
        .await
}

fn into_inner(server: Mutex<Option<ServerProcess>>) -> Option<ServerProcess> {
    server.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks until the process is gone, so it runs outside of the async runtime.
async fn end(mut server: ServerProcess) -> Result<(), ControlPlaneError> {
    let component = server.name();
    match task::spawn_blocking(move || server.end()).await {
        Ok(ended) => ended.map_err(|source| ControlPlaneError::End { component, source }),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
