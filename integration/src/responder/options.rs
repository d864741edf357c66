//! The options of a responder process: its command line, its files and its environment.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::process::WatchedProcess;

/// The options of a responder process.
#[derive(Debug, Clone, Default)]
pub struct ResponderOptions {
    /// The text of the file for `--playbooks`: playbooks, and optionally a guard.
    pub playbooks: String,
    /// The value of `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// The value of `--simulate`.
    pub simulate: Option<PathBuf>,
    /// The value of `--mode`. By default the program's own.
    pub mode: Option<&'static str>,
    /// The section `nats` of the configuration, as JSON.
    pub nats: Option<String>,
    /// Further arguments of `responder run`.
    pub arguments: Vec<String>,
    /// The authority of the server's certificate, as a PEM file. If set, requests use HTTPS.
    pub authority: Option<PathBuf>,
    /// Environment variables besides `HOME`. No variable of the current process is inherited.
    pub environment: Vec<(String, String)>,
}

pub(super) fn spawn(
    program: &Path,
    options: &ResponderOptions,
    directory: &Path,
    log: &Path,
) -> io::Result<WatchedProcess> {
    let playbooks = directory.join("playbooks.yaml");
    fs::write(&playbooks, &options.playbooks)?;
    let output = fs::File::create(log)?;
    let mut command = Command::new(program);
    command
        .args(["run", "--listen", "127.0.0.1:0", "--probes-listen", "127.0.0.1:0"])
        .args(["--log-format", "json"])
        .arg("--playbooks")
        .arg(&playbooks);
    if let Some(kubeconfig) = &options.kubeconfig {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    if let Some(manifests) = &options.simulate {
        command.arg("--simulate").arg(manifests);
    }
    if let Some(mode) = options.mode {
        command.arg("--mode").arg(mode);
    }
    if let Some(nats) = &options.nats {
        let file = directory.join("responder.yaml");
        let head = "apiVersion: responder.dev/v1alpha1\nkind: Configuration\nnats:";
        fs::write(&file, format!("{head} {nats}\n"))?;
        command.arg("--config").arg(file);
    }
    command
        .args(&options.arguments)
        .current_dir(directory)
        // The developer's proxy, KUBECONFIG and RESPONDER_… variables must not reach the process.
        .env_clear()
        .env("HOME", directory)
        .envs(options.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    WatchedProcess::spawn(&mut command)
}
