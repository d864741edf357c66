//! The command lines of the components: only the flags that differ from the defaults, with the reason.

use std::{io, path::Path};

use super::{error::ControlPlaneError, pki::Pki};
use crate::assets::Assets;
use crate::process::{ServerProcess, ports};

/// The users of the components. The audit policy refers to these names.
pub(super) const CONTROLLER_MANAGER_USER: &str = "system:kube-controller-manager";
pub(super) const KWOK_USER: &str = "system:kwok";

/// The ports of one control plane. They are chosen once, so the API server restarts on its own port.
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

/// The programs, certificates and ports that start a component.
pub(super) struct Components {
    pub(super) assets: Assets,
    pub(super) pki: Pki,
    pub(super) ports: ComponentPorts,
}

impl Components {
    pub(super) fn etcd(&self, directory: &Path) -> Result<ServerProcess, ControlPlaneError> {
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
            // The data need not survive a power failure.
            .arg("--unsafe-no-fsync");
        start("etcd", command, directory)
    }

    pub(super) fn api_server(&self, directory: &Path) -> Result<ServerProcess, ControlPlaneError> {
        let mut command = self.assets.api_server();
        let file = |name| self.pki.file(name).display().to_string();
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd_client))
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--secure-port={}", self.ports.api_server))
            // No Endpoints for the Service `kubernetes`: a loopback address is not valid in Endpoints.
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
            // Real clusters run privileged pods, and playbooks meet them.
            .arg("--allow-privileged=true")
            .arg(format!(
                "--audit-policy-file={}",
                directory.join("audit-policy.yaml").display()
            ))
            .arg(format!("--audit-log-path={}", directory.join("audit.log").display()))
            // A request is logged before its answer is sent.
            .arg("--audit-log-mode=blocking")
            // In megabytes. No rotation: the log is read as a single file.
            .arg("--audit-log-maxsize=100000");
        start("kube-apiserver", command, directory)
    }

    pub(super) fn controller_manager(
        &self,
        directory: &Path,
        kubeconfig: &Path,
    ) -> Result<ServerProcess, ControlPlaneError> {
        let mut command = self.assets.controller_manager();
        command
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg("--leader-elect=false")
            // No port: nothing connects to it.
            .arg("--secure-port=0")
            .arg(format!(
                "--service-account-private-key-file={}",
                self.pki.file("service-accounts.key").display()
            ))
            .arg(format!("--root-ca-file={}", self.pki.file("ca.crt").display()))
            // Each controller uses its own service account and rights, as in a real cluster, so the audit log
            // distinguishes the ReplicaSet controller from the garbage collector.
            .arg("--use-service-account-credentials=true")
            // The default is 20 requests per second. With it, the ReplicaSets of a thousand pods would take a minute.
            .arg("--kube-api-qps=500")
            .arg("--kube-api-burst=1000");
        start("kube-controller-manager", command, directory)
    }

    pub(super) fn kwok(&self, directory: &Path, kubeconfig: &Path) -> Result<ServerProcess, ControlPlaneError> {
        let mut command = self.assets.kwok();
        command
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--config={}", directory.join("stages.yaml").display()))
            .arg("--manage-all-nodes=true")
            .arg("--cidr=10.244.0.0/16")
            // hostIP of pods on a node without an address.
            .arg("--node-ip=172.18.0.1");
        start("kwok", command, directory)
    }
}

fn start(
    name: &'static str,
    command: std::process::Command,
    directory: &Path,
) -> Result<ServerProcess, ControlPlaneError> {
    ServerProcess::start(name, command, directory).map_err(|source| ControlPlaneError::Spawn {
        component: name,
        source,
    })
}
