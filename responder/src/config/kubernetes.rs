//! The section `kubernetes`: the cluster.

use std::path::PathBuf;

use responder_cluster::ConnectOptions;
use responder_core::document::{Findings, Path, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster. Default: the one of KUBECONFIG or ~/.kube/config, or the one that responder runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Kubernetes")]
pub(crate) struct KubernetesDoc {
    /// A kubeconfig file. `--kubeconfig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig. Default: its current one. `--context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) context: Option<String>,
    /// A simulated cluster in memory, made from the manifests in this directory, instead of a real one. `--simulate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) simulate: Option<PathBuf>,
}

/// The cluster to act on.
#[derive(Debug, Clone)]
pub(crate) enum ClusterChoice {
    /// In memory, made from the manifests of a directory.
    Simulated(PathBuf),
    /// A real one.
    Kubernetes(ConnectOptions),
}

impl KubernetesDoc {
    pub(super) const fn is_empty(&self) -> bool {
        self.kubeconfig.is_none() && self.context.is_none() && self.simulate.is_none()
    }

    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> ClusterChoice {
        let Some(directory) = &self.simulate else {
            return ClusterChoice::Kubernetes(ConnectOptions {
                kubeconfig: self.kubeconfig.clone(),
                context: self.context.clone(),
            });
        };
        if self.kubeconfig.is_some() || self.context.is_some() {
            let problem = Problem::new("the cluster is either simulated or a real one");
            findings.error(
                &path.key("simulate"),
                problem.help("leave out `simulate`, or `kubeconfig` and `context`"),
            );
        }
        ClusterChoice::Simulated(directory.clone())
    }
}
