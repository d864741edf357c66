//! The programs that the tests run: found in the user's cache, or built into it from the Go modules in this crate's
//! directory.
//!
//! The cache directory of a module is named by a hash of all inputs of its build. So a changed lock file rebuilds only
//! its own module, and two checkouts of the same sources share a build. A build holds a file lock and is renamed into
//! place when it is complete, so a killed build is never taken for a finished one.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

mod build;
mod error;
mod module;

pub use error::AssetsError;

use module::{CONTROL_PLANE, HELM, KWOK, Module, NATS_SERVER, TELEMETRY, hash};

/// Finds a module's program or builds it. Blocks. Progress is reported on standard error, and so is waiting for another
/// process' build.
fn find_or_build(module: &'static Module) -> Result<PathBuf, AssetsError> {
    let cache = cache_directory()?;
    let directory = cache.join(format!("{}-{}", module.name, hash(module)));
    if !directory.is_dir() {
        build::into(&cache, &directory, module)?;
    }
    Ok(directory.join(module.name))
}

/// Finds or builds nats-server with JetStream. Blocks.
pub fn nats_server() -> Result<PathBuf, AssetsError> {
    find_or_build(&NATS_SERVER)
}

/// Finds or builds the program with the OpenTelemetry collector's receiver and Prometheus' parser. Blocks.
pub fn telemetry() -> Result<PathBuf, AssetsError> {
    find_or_build(&TELEMETRY)
}

/// Finds or builds helm. Blocks. With the argument `serve-registry`, the program is an OCI registry in memory: it
/// prints its address on standard output and ends when its standard input closes.
pub fn helm() -> Result<PathBuf, AssetsError> {
    find_or_build(&HELM)
}

/// The programs of a control plane.
#[derive(Debug, Clone)]
pub struct Assets {
    control_plane: PathBuf,
    kwok: PathBuf,
    /// The directory in `KUBEBUILDER_ASSETS`. Its etcd, kube-apiserver and kubectl take precedence.
    kubebuilder: Option<PathBuf>,
}

impl Assets {
    /// Finds the programs or builds them: 7 to 9 minutes on two cores, once per machine and version. Blocks.
    pub fn find_or_build() -> Result<Self, AssetsError> {
        Ok(Self {
            kubebuilder: kubebuilder_assets()?,
            kwok: find_or_build(&KWOK)?,
            control_plane: find_or_build(&CONTROL_PLANE)?,
        })
    }

    /// The path of kubectl in the API server's version.
    pub fn kubectl(&self) -> PathBuf {
        match &self.kubebuilder {
            Some(kubebuilder) => kubebuilder.join("kubectl"),
            None => self.control_plane.with_file_name("kubectl"),
        }
    }

    pub(crate) fn etcd(&self) -> Command {
        self.server("etcd")
    }

    pub(crate) fn api_server(&self) -> Command {
        self.server("kube-apiserver")
    }

    /// `KUBEBUILDER_ASSETS` has no controller manager, so this one is always built here.
    pub(crate) fn controller_manager(&self) -> Command {
        self.component("kube-controller-manager")
    }

    pub(crate) fn kwok(&self) -> Command {
        Command::new(&self.kwok)
    }

    /// Removes `directory` when the process that started the sweeper is gone.
    pub(crate) fn sweeper(&self, directory: &Path) -> Command {
        let mut command = self.component("sweep");
        command.arg(directory);
        command
    }

    /// Upstream's etcd and kube-apiserver do not watch their standard input, so `guarded` does it for them.
    fn server(&self, name: &'static str) -> Command {
        let Some(kubebuilder) = &self.kubebuilder else {
            return self.component(name);
        };
        let mut command = self.component("guarded");
        command.arg("--").arg(kubebuilder.join(name));
        command
    }

    fn component(&self, name: &'static str) -> Command {
        let mut command = Command::new(&self.control_plane);
        command.arg(name);
        command
    }
}

fn kubebuilder_assets() -> Result<Option<PathBuf>, AssetsError> {
    let Some(directory) = env::var_os("KUBEBUILDER_ASSETS")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
    else {
        return Ok(None);
    };
    for program in ["etcd", "kube-apiserver", "kubectl"] {
        let path = directory.join(program);
        if !path.is_file() {
            return Err(AssetsError::Kubebuilder(path));
        }
    }
    Ok(Some(directory))
}

fn cache_directory() -> Result<PathBuf, AssetsError> {
    // The XDG base directory specification says to ignore a relative path.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or(AssetsError::NoCacheDirectory)?;
    Ok(cache.join("responder-integration"))
}
