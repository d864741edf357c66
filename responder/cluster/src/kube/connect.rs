//! Finding the API server: a kubeconfig, or the service account of the pod this runs in. Before the first step.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ::kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use ::kube::{Client, Config};
use http::HeaderValue;
use http::header::USER_AGENT;

use super::KubeCluster;

/// Longer than a loaded control plane needs for a handshake, short enough that a dead one is known as unreachable
/// within the deadline of a request (10 s).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two reads of a connection. kube's own default is none at all.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to find the API server. By default: `KUBECONFIG`, else `~/.kube/config`, else the pod's service account.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// This kubeconfig and no other.
    pub kubeconfig: Option<PathBuf>,
    /// This context of the kubeconfig instead of its current one.
    pub context: Option<String>,
}

/// Why no API server could be found. What the server itself says comes later, with the first request.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account.
    #[error(
        "there is no cluster to connect to: name a kubeconfig with --kubeconfig or KUBECONFIG, run inside a cluster \
         with a service account, or take manifests as the cluster with --simulate DIR"
    )]
    NoCluster(#[source] InClusterError),
    /// The kubeconfig can't be used.
    #[error("the kubeconfig {path} can't be used: look at it with `kubectl config view`")]
    Kubeconfig {
        /// Its path, or how it was looked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig has no context `{context}`; it has {known}")]
    UnknownContext {
        /// What was asked for.
        context: String,
        /// What there is.
        known: String,
    },
    /// Certificates, keys or the proxy don't make a client.
    #[error("no client could be made for {server}: check the certificates, the user and the proxy of the kubeconfig")]
    Client {
        /// The API server's address.
        server: String,
        /// What is wrong.
        #[source]
        source: Box<::kube::Error>,
    },
}

impl KubeCluster {
    /// Finds the API server. Must be called inside a tokio runtime, and sends nothing yet.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        Self::new(config(options).await?)
    }

    /// A cluster by a configuration of kube's. Its timeouts and its retry are set here, whatever it says of them.
    /// Must be called inside a tokio runtime.
    pub fn new(mut config: Config) -> Result<Self, ConnectError> {
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.write_timeout = Some(READ_TIMEOUT);
        // In the API server's audit log this says who it was even where the user is shared.
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
        // Only where nobody asked for a kubeconfig: one that was named and is broken must not be replaced by the
        // cluster that this happens to run in.
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
