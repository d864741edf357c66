//! The command line of each component: what differs from its defaults, and why.

use std::{io, path::Path};

use super::{ControlPlaneStartError, pki::Pki};
use crate::assets::Assets;
use crate::process::{ServerProcess, ports};

/// Users of the components themselves; the audit policy knows them by these names.
pub(super) const CONTROLLER_MANAGER_USER: &str = "system:kube-controller-manager";
pub(super) const KWOK_USER: &str = "system:kwok";

/// The ports of one control plane, chosen once: the API server comes back on its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComponentPorts {
    etcd_client: u16,
    etcd_peer: u16,
    api_server: u16,
}

impl ComponentPorts {
    pub(super) fn choose() -> io::Result<Self> {
        Ok(Self {
            etcd_client: ports::free()?,
            etcd_peer: ports::free()?,
            api_server: ports::free()?,
        })
    }

    pub(super) fn api_server_url(self) -> String {
        format!("https://127.0.0.1:{}", self.api_server)
    }
}

/// All that is needed to start any of the components.
pub(super) struct Components {
    pub(super) assets: Assets,
    pub(super) pki: Pki,
    pub(super) ports: ComponentPorts,
}

impl Components {
    pub(super) fn etcd(&self, directory: &Path) -> Result<ServerProcess, ControlPlaneStartError> {
        let mut command = self.assets.etcd();
        let client = format!("http://127.0.0.1:{}", self.ports.etcd_client);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        command
            .arg("--name=integration")
            .arg(format!("--data-dir={}", directory.join("etcd").display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=integration={peer}"))
            // The data need not survive a power cut, and the disk is not what is tested.
            .arg("--unsafe-no-fsync");
        start("etcd", command, directory)
    }

    pub(super) fn api_server(&self, directory: &Path) -> Result<ServerProcess, ControlPlaneStartError> {
        let mut command = self.assets.api_server();
        let file = |name| self.pki.file(name).display().to_string();
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd_client))
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--secure-port={}", self.ports.api_server))
            // No Endpoints of the `kubernetes` Service: a loopback address is not a legal one.
            .arg("--advertise-address=127.0.0.1")
            .arg("--endpoint-reconciler-type=none")
            .arg(format!("--tls-cert-file={}", file("kube-apiserver.crt")))
            .arg(format!("--tls-private-key-file={}", file("kube-apiserver.key")))
            .arg(format!("--client-ca-file={}", file("ca.crt")))
            .arg("--authorization-mode=RBAC")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", file("service-accounts.pub")))
            .arg(format!(
                "--service-account-signing-key-file={}",
                file("service-accounts.key")
            ))
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            // Playbooks meet privileged pods in the wild.
            .arg("--allow-privileged=true")
            .arg(format!(
                "--audit-policy-file={}",
                directory.join("audit-policy.yaml").display()
            ))
            .arg(format!("--audit-log-path={}", directory.join("audit.log").display()))
            // A request's line is in the log before its answer goes out.
            .arg("--audit-log-mode=blocking")
            // Megabytes; the log is read as one file, so it is not to be rotated.
            .arg("--audit-log-maxsize=100000");
        start("kube-apiserver", command, directory)
    }

    pub(super) fn controller_manager(
        &self,
        directory: &Path,
        kubeconfig: &Path,
    ) -> Result<ServerProcess, ControlPlaneStartError> {
        let mut command = self.assets.controller_manager();
        command
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg("--leader-elect=false")
            // No port: nobody asks it anything.
            .arg("--secure-port=0")
            .arg(format!(
                "--service-account-private-key-file={}",
                self.pki.file("service-accounts.key").display()
            ))
            .arg(format!("--root-ca-file={}", self.pki.file("ca.crt").display()))
            // Each controller asks under its own name, with its own rights, as in a real cluster: the audit log tells
            // the ReplicaSet controller from the garbage collector.
            .arg("--use-service-account-credentials=true")
            // The default of 20 requests a second is for one of many clients of a cluster; a burst of a thousand pods
            // would wait a minute for its ReplicaSets.
            .arg("--kube-api-qps=500")
            .arg("--kube-api-burst=1000");
        start("kube-controller-manager", command, directory)
    }

    pub(super) fn kwok(&self, directory: &Path, kubeconfig: &Path) -> Result<ServerProcess, ControlPlaneStartError> {
        let mut command = self.assets.kwok();
        command
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--config={}", directory.join("stages.yaml").display()))
            .arg("--manage-all-nodes=true")
            .arg("--cidr=10.244.0.0/16")
            // hostIP of pods whose node has no address.
            .arg("--node-ip=172.18.0.1");
        start("kwok", command, directory)
    }
}

fn start(
    name: &'static str,
    command: std::process::Command,
    directory: &Path,
) -> Result<ServerProcess, ControlPlaneStartError> {
    ServerProcess::start(name, command, directory).map_err(|source| ControlPlaneStartError::Spawn {
        component: name,
        source,
    })
}
