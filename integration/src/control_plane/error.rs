//! The errors of a control plane.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use kube::config::KubeconfigError;

use super::pki::PkiError;
use crate::assets::AssetsError;

/// A start takes 3 to 5 s on an idle machine, and ten times as long during a build on the same two cores.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(90);

/// Starting, using or stopping a control plane failed. If a component failed, the message ends with its log.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// The programs are missing and could not be built.
    #[error("the programs of the control plane are missing")]
    Assets(#[from] AssetsError),
    /// A certificate or kubeconfig could not be made.
    #[error("cannot make the certificates of the control plane")]
    Pki(#[from] PkiError),
    /// The directory for data, certificates and logs is unusable.
    #[error("cannot set up the directory of the control plane")]
    Directory(#[source] io::Error),
    /// There is no free port.
    #[error("no free ports for the control plane: stop other servers on this machine")]
    Ports(#[source] io::Error),
    /// A component could not be started.
    #[error("cannot start {component}")]
    Spawn {
        /// The component.
        component: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// A component ended unexpectedly.
    #[error("{component} ended ({status}); the end of its log:\n{tail}")]
    Ended {
        /// The component.
        component: &'static str,
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// A component was not ready in time.
    #[error("timed out after {} s waiting for {what}; the end of the log of {component}:\n{tail}", START_DEADLINE.as_secs())]
    Deadline {
        /// The awaited state.
        what: &'static str,
        /// The component.
        component: &'static str,
        /// The last lines of its log.
        tail: String,
    },
    /// A generated kubeconfig could not be read.
    #[error("cannot read back the kubeconfig {}", .0.display())]
    Kubeconfig(PathBuf, #[source] Box<KubeconfigError>),
    /// No client could be made from a kubeconfig.
    #[error("cannot make a client")]
    Client(#[source] Box<kube::Error>),
    /// A component could not be stopped.
    #[error("cannot end {component}")]
    End {
        /// The component.
        component: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

impl ControlPlaneError {
    /// Whether another process took a port after it was chosen and before the server listened on it.
    pub(super) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.contains("address already in use"))
    }
}
