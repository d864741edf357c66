//! A control plane that runs: etcd, kube-apiserver, kube-controller-manager and kwok.
//!
//! No scheduler: pods carry `nodeName`. The controllers (Deployment, ReplicaSet, DaemonSet, Job, disruption, garbage
//! collector, namespace) are the real ones, and kwok makes nodes and pods Ready and removes deleted pods.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tempfile::TempDir;
use tokio::{sync::OnceCell, task, time};

use crate::{
    assets::{Assets, AssetsError},
    process::{ServerProcess, tail},
};

mod audit;
mod components;
mod pki;

pub use audit::{AuditError, AuditEvent};
pub use pki::PkiError;

use components::{CONTROLLER_MANAGER_USER, ComponentPorts, Components, KWOK_USER};
use pki::Pki;

/// Everything is up in 3 to 5 s on an idle machine; a build beside it on two cores makes that ten times as long.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// One attempt to ask whether the API server is ready.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// The group whose members may do everything.
const ADMINS: &str = "system:masters";

/// Why there is no control plane. Where a component failed, the end of its log is part of the message.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneStartError {
    /// There are no programs to start.
    #[error("the programs of the control plane are missing")]
    Assets(#[from] AssetsError),
    /// No certificates.
    #[error("the control plane has no certificates")]
    Pki(#[from] PkiError),
    /// The directory for data, certificates and logs.
    #[error("cannot set up the directory of the control plane")]
    Directory(#[source] io::Error),
    /// No port to listen on.
    #[error("there are no ports for the control plane: end other servers on this machine")]
    Ports(#[source] io::Error),
    /// A program did not start.
    #[error("cannot start {component}")]
    Spawn {
        /// Its name.
        component: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A component ended when it was to run.
    #[error("{component} ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// Its name.
        component: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// The deadline passed.
    #[error("waited {} s in vain for {what}; the end of the log of {component}:\n{tail}", START_DEADLINE.as_secs())]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// The component that was to provide it.
        component: &'static str,
        /// The last lines of its log.
        tail: String,
    },
    /// Our own kubeconfig is not one.
    #[error("cannot read back the kubeconfig {}", .0.display())]
    Kubeconfig(PathBuf, #[source] Box<KubeconfigError>),
    /// No client from a kubeconfig.
    #[error("cannot make a client")]
    Client(#[source] Box<kube::Error>),
    /// A component did not end.
    #[error("cannot end {component}")]
    End {
        /// Its name.
        component: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ControlPlaneStartError {
    /// Somebody took the port between our choosing it and the server's listening on it.
    fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.contains("address already in use"))
    }
}

/// A running control plane. Dropping it ends its processes, waits until they are gone and removes its directory; when
/// this process is killed instead, the same happens without it.
///
/// Independent of the runtime that it was started on. A [`Client`] is not: make one in each test.
#[must_use = "the control plane ends when this is dropped"]
pub struct ControlPlane {
    // Dropped in this order: who asks before who answers, the directory when nobody writes to it any more.
    kwok: ServerProcess,
    controller_manager: ServerProcess,
    /// `None` between [`ControlPlane::stop_api_server`] and [`ControlPlane::start_api_server`].
    api_server: Mutex<Option<ServerProcess>>,
    etcd: ServerProcess,
    components: Components,
    /// The admin's.
    config: Config,
    kubeconfig: PathBuf,
    directory: TempDir,
    /// Removes the directory if this process can't.
    _sweeper: ServerProcess,
}

impl ControlPlane {
    /// Starts one and waits until it works: the API server is ready and the controllers run. 3 to 5 s, after the one
    /// build of 7 to 9 minutes. Several can run at once.
    pub async fn start() -> Result<Self, ControlPlaneStartError> {
        let assets = match task::spawn_blocking(Assets::find_or_build).await {
            Ok(assets) => assets?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match Self::start_once(assets.clone()).await {
            Err(error) if error.is_port_taken() => Self::start_once(assets).await,
            other => other,
        }
    }

    async fn start_once(assets: Assets) -> Result<Self, ControlPlaneStartError> {
        let directory = tempfile::Builder::new()
            .prefix("control-plane-")
            // The admin's key is in it.
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(ControlPlaneStartError::Directory)?;
        let path = directory.path();
        let sweeper = ServerProcess::start("sweeper", assets.sweeper(path), path).map_err(|source| {
            ControlPlaneStartError::Spawn {
                component: "sweeper",
                source,
            }
        })?;
        let write =
            |name, contents: &str| fs::write(path.join(name), contents).map_err(ControlPlaneStartError::Directory);
        write("audit-policy.yaml", include_str!("control_plane/audit-policy.yaml"))?;
        write("stages.yaml", include_str!("control_plane/stages.yaml"))?;

        let ports = ComponentPorts::choose().map_err(ControlPlaneStartError::Ports)?;
        let pki = Pki::create(path)?;
        let components = Components { assets, pki, ports };
        // The API server waits for etcd by itself.
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

    /// The kubeconfig of a user who may do everything (`admin` in `system:masters`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client of the admin that never repeats a request by itself: what it is answered is what it returns.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client(&self) -> Client {
        client(&self.config, false)
    }

    /// A client of the admin with kube's own retry, for watches and for set-up that is to ride out a restart.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn retrying_client(&self) -> Client {
        client(&self.config, true)
    }

    /// Writes a kubeconfig with a client certificate for `user`, in at most one group. Without a role binding the user may
    /// do nothing; in `system:masters` everything. The audit log knows the requests by the user's name.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, ControlPlaneStartError> {
        Ok(self
            .components
            .pki
            .kubeconfig(user, groups, &self.components.ports.api_server_url())?)
    }

    /// A client for another user, as [`ControlPlane::kubeconfig_for`], that never repeats a request by itself.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client, ControlPlaneStartError> {
        let config = read_config(&self.kubeconfig_for(user, groups)?).await?;
        Ok(client(&config, false))
    }

    /// Writes a kubeconfig with a service account's token, as its pod would have it.
    pub fn kubeconfig_with_token(&self, user: &str, token: &str) -> Result<PathBuf, ControlPlaneStartError> {
        Ok(self
            .components
            .pki
            .kubeconfig_with_token(user, token, &self.components.ports.api_server_url())?)
    }

    /// Every finished request so far, in the order in which they were finished. Complete: what was answered is in it.
    /// Without the reads of the control plane's own components.
    pub fn audit(&self) -> Result<Vec<AuditEvent>, AuditError> {
        audit::read(&self.directory.path().join("audit.log"))
    }

    /// Ends the API server as if it had crashed and waits until its process is gone and its port free. The others go on.
    /// Not on the [`shared`] control plane: other tests use it. Does nothing if it is stopped.
    pub async fn stop_api_server(&self) -> Result<(), ControlPlaneStartError> {
        let server = self.api_server.lock().unwrap_or_else(PoisonError::into_inner).take();
        match server {
            Some(server) => end(server).await,
            None => Ok(()),
        }
    }

    /// Starts the API server again, on the same port with the same data, and waits until it is ready. Does nothing if it
    /// runs.
    pub async fn start_api_server(&self) -> Result<(), ControlPlaneStartError> {
        if self.api_server.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut server = self.components.api_server(self.directory.path())?;
        wait_until_ready(&self.config, &mut server, None).await?;
        *self.api_server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// Process ids of the running components, by name.
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

    /// Certificates, kubeconfigs, logs and data; gone when the control plane is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// kubectl of the API server's version.
    pub fn kubectl(&self) -> PathBuf {
        self.components.assets.kubectl()
    }

    /// Waits for a component to end by itself, which none should. For who runs a control plane for long.
    pub async fn failed(&mut self) -> ControlPlaneStartError {
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
    pub async fn stop(mut self) -> Result<(), ControlPlaneStartError> {
        // All at once; each is waited for when it is dropped.
        self.kwok.hang_up();
        self.controller_manager.hang_up();
        if let Some(server) = self.api_server.get_mut().unwrap_or_else(PoisonError::into_inner) {
            server.hang_up();
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
        directory.close().map_err(ControlPlaneStartError::Directory)
    }
}

/// The control plane that all tests of one test binary share, started by the first that asks. It ends with the process.
/// For tests that stay in namespaces and nodes of their own.
///
/// # Panics
/// With the whole chain of causes when it does not start: no test that needs one can go on.
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

/// An error with its causes, each once, separated by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Some libraries repeat the cause in their own text.
        if text.contains(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

fn into_inner(server: Mutex<Option<ServerProcess>>) -> Option<ServerProcess> {
    server.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Off the runtime: it waits for a process.
async fn end(mut server: ServerProcess) -> Result<(), ControlPlaneStartError> {
    let component = server.name();
    match task::spawn_blocking(move || server.end()).await {
        Ok(ended) => ended.map_err(|source| ControlPlaneStartError::End { component, source }),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn read_config(path: &Path) -> Result<Config, ControlPlaneStartError> {
    let failed = |source| ControlPlaneStartError::Kubeconfig(path.to_owned(), Box::new(source));
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    // 127.0.0.1 is not behind the proxy of whoever runs the tests.
    config.proxy_url = None;
    Ok(config)
}

#[expect(
    clippy::expect_used,
    reason = "start() made a client from the same kind of config; all that differs is a name"
)]
fn client(config: &Config, retry: bool) -> Client {
    let mut config = config.clone();
    config.default_retry = retry;
    Client::try_from(config).expect("a client from a kubeconfig that was already used")
}

/// Waits for the API server's `/readyz`, as long as it and what it depends on run.
async fn wait_until_ready(
    config: &Config,
    api_server: &mut ServerProcess,
    mut etcd: Option<&mut ServerProcess>,
) -> Result<(), ControlPlaneStartError> {
    let mut config = config.clone();
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| ControlPlaneStartError::Client(Box::new(error)))?;
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

/// The controllers run when they have made the service account without which no pod can be created.
async fn wait_for_controllers(
    config: &Config,
    controller_manager: &mut ServerProcess,
) -> Result<(), ControlPlaneStartError> {
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

fn within_deadline(started: Instant, what: &'static str, server: &ServerProcess) -> Result<(), ControlPlaneStartError> {
    if started.elapsed() < START_DEADLINE {
        return Ok(());
    }
    Err(ControlPlaneStartError::Deadline {
        what,
        component: server.name(),
        tail: tail(server.log()),
    })
}

fn check_running(server: &mut ServerProcess) -> Result<(), ControlPlaneStartError> {
    let component = server.name();
    match server.exited() {
        Ok(None) => Ok(()),
        Ok(Some(status)) => Err(ControlPlaneStartError::Ended {
            component,
            status,
            tail: tail(server.log()),
        }),
        Err(source) => Err(ControlPlaneStartError::End { component, source }),
    }
}
