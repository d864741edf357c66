//! Clients of a control plane, made from its kubeconfigs.

use std::path::Path;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::error::ControlPlaneError;

pub(super) async fn read_config(path: &Path) -> Result<Config, ControlPlaneError> {
    let failed = |source| ControlPlaneError::Kubeconfig(path.to_owned(), Box::new(source));
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    // The API server on 127.0.0.1 is not behind the developer's proxy.
    config.proxy_url = None;
    Ok(config)
}

#[expect(
    clippy::expect_used,
    reason = "start() made a client from a config that differs only in the user"
)]
pub(super) fn client(config: &Config, retry: bool) -> Client {
    let mut config = config.clone();
    config.default_retry = retry;
    Client::try_from(config).expect("a client from a kubeconfig that was already used")
}
