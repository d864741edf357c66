//! Finds the API server from a kubeconfig or from the pod's service account. Runs before the first step.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ::kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use ::kube::{Client, Config};
use http::HeaderValue;
use http::header::USER_AGENT;

use super::KubeCluster;

/// Long enough for a handshake with a loaded control plane, and short enough to recognise an unreachable API server
/// within the deadline of a request (10 s).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest silence on a connection. kube's default is no limit.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How to find the API server. The default is `KUBECONFIG`, then `~/.kube/config`, then the pod's service account.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// Use this kubeconfig and no other.
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig instead of the current one.
    pub context: Option<String>,
}

/// No client for an API server could be made. Errors of the server itself appear with the first request.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "there is no cluster to connect to: name a kubeconfig with --kubeconfig or KUBECONFIG, run inside a cluster \
         with a service account, or take manifests as the cluster with --simulate DIR"
    )]
    NoCluster(#[source] InClusterError),
    /// The kubeconfig can't be read or used.
    #[error("the kubeconfig {path} can't be used: look at it with `kubectl config view`")]
    Kubeconfig {
        /// Its path, or where it was looked for.
        path: String,
        /// The error of kube.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig has no context of this name.
    #[error("the kubeconfig has no context `{context}`; it has {known}")]
    UnknownContext {
        /// The requested context.
        context: String,
        /// The contexts of the kubeconfig.
        known: String,
    },
    /// Certificates, keys or the proxy of the configuration are unusable.
    #[error("no client could be made for {server}: check the certificates, the user and the proxy of the kubeconfig")]
    Client {
        /// The API server's address.
        server: String,
        /// The error of kube.
        #[source]
        source: Box<::kube::Error>,
    },
}

impl KubeCluster {
    /// Finds the API server and makes a client. Sends no request. Must be called inside a tokio runtime.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        Self::new(config(options).await?)
    }

    /// Makes a client from a kube configuration, and replaces its timeouts and its retry policy. Must be called inside
    /// a tokio runtime.
    pub fn new(mut config: Config) -> Result<Self, ConnectError> {
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.write_timeout = Some(READ_TIMEOUT);
        // Identifies the responder in the API server's audit log, even where several programs share a user.
        config.headers.push((
            USER_AGENT,
            HeaderValue::from_static(concat!("responder/", env!("CARGO_PKG_VERSION"))),
        ));
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|source| ConnectError::Client {
            server: server.clone(),
            source: Box::new(source),
        })?;
        Ok(Self::on(client, &server))
    }
}

async fn config(options: &ConnectOptions) -> Result<Config, ConnectError> {
    let chosen = KubeConfigOptions {
        context: options.context.clone(),
        cluster: None,
        user: None,
    };
    let (path, kubeconfig) = match &options.kubeconfig {
        Some(path) => (path.display().to_string(), Kubeconfig::read_from(path)),
        None => ("of KUBECONFIG or ~/.kube/config".to_owned(), Kubeconfig::read()),
    };
    let faulty = |source| ConnectError::Kubeconfig {
        path: path.clone(),
        source: Box::new(source),
    };
    match kubeconfig {
        Ok(kubeconfig) => {
            if let Some(context) = &options.context
                && !kubeconfig.contexts.iter().any(|known| known.name == *context)
            {
                let known: Vec<_> = kubeconfig
                    .contexts
                    .iter()
                    .map(|known| format!("`{}`", known.name))
                    .collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(ConnectError::UnknownContext {
                    context: context.clone(),
                    known,
                });
            }
            Config::from_custom_kubeconfig(kubeconfig, &chosen)
                .await
                .map_err(faulty)
        }
        // Only when no kubeconfig was requested: a broken one must not be replaced by the cluster that this process
        // happens to run in.
        Err(absent) if options.kubeconfig.is_none() && options.context.is_none() && is_absent(&absent) => {
            Config::incluster().map_err(ConnectError::NoCluster)
        }
        Err(source) => Err(faulty(source)),
    }
}

fn is_absent(error: &KubeconfigError) -> bool {
    let named = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
    match error {
        KubeconfigError::FindPath => !named,
        KubeconfigError::ReadConfig(source, _) => !named && source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}
