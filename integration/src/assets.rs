//! The programs that the tests run: found in the user's cache, or built into it from the Go modules in this crate's
//! directory.
//!
//! The cache directory of a module is named by a hash of all inputs of its build. So a changed lock file rebuilds only
//! its own module, and two checkouts of the same sources share a build. A build holds a file lock and is renamed into
//! place when it is complete, so a killed build is never taken for a finished one.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aws_lc_rs::digest;

mod build;

/// The Kubernetes release in `control-plane/go.mod`. It is stamped into the programs, because clients refuse a server
/// of version v0.0.0.
const KUBERNETES_VERSION: &str = "v1.37.2";

/// The kwok release in `kwok/go.mod`.
const KWOK_VERSION: &str = "v0.8.0";

/// The helm release in `helm/go.mod`.
const HELM_VERSION: &str = "v4.3.1";

/// A Go module of this crate. Its sources are embedded in this crate's binaries, so that a build and its hash always
/// use the same sources.
#[derive(Debug)]
struct Module {
    /// The name of the program and of its directory in this crate.
    name: &'static str,
    /// Contents and build time on two cores, for progress messages.
    summary: &'static str,
    files: [(&'static str, &'static str); 3],
    /// Linker settings for the version: variables and values.
    stamps: &'static [(&'static str, &'static str)],
    /// Names under which the program is linked. It acts by the name it is called by.
    links: &'static [&'static str],
}

/// The three files of a module.
macro_rules! files {
    ($name:literal) => {
        [
            ("go.mod", include_str!(concat!("../", $name, "/go.mod"))),
            ("go.sum", include_str!(concat!("../", $name, "/go.sum"))),
            ("main.go", include_str!(concat!("../", $name, "/main.go"))),
        ]
    };
}

const KWOK: Module = Module {
    name: "kwok",
    summary: "kwok: 1 to 2 minutes",
    files: files!("kwok"),
    stamps: &[("sigs.k8s.io/kwok/pkg/consts.Version", KWOK_VERSION)],
    links: &[],
};

const CONTROL_PLANE: Module = Module {
    name: "control-plane",
    summary: "etcd, kube-apiserver, kube-controller-manager and kubectl: 6 to 8 minutes",
    files: files!("control-plane"),
    stamps: &[
        ("k8s.io/component-base/version.gitVersion", KUBERNETES_VERSION),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "37"),
        ("k8s.io/component-base/version.gitTreeState", "clean"),
    ],
    // The control plane's binary acts as kubectl under this name.
    links: &["kubectl"],
};

const NATS_SERVER: Module = Module {
    name: "nats-server",
    summary: "nats-server: half a minute",
    files: files!("nats-server"),
    stamps: &[],
    links: &[],
};

const TELEMETRY: Module = Module {
    name: "telemetry",
    summary: "the collector's trace receiver and Prometheus' parser: a minute",
    files: files!("telemetry"),
    stamps: &[],
    links: &[],
};

const HELM: Module = Module {
    name: "helm",
    summary: "helm: 2 to 3 minutes",
    files: files!("helm"),
    stamps: &[("helm.sh/helm/v4/internal/version.version", HELM_VERSION)],
    links: &[],
};

/// A program could not be found or built. Each message contains the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` is an absolute path.
    #[error("no cache directory for the programs of the tests: set XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
    /// The program is not built yet and Go is not installed.
    #[error(
        "{program} is not built yet and the command `go` does not start: install Go 1.26 or newer (https://go.dev/dl), check \
         that `go version` works, and run this again; the first run takes 7 to 9 minutes on two cores"
    )]
    NoGo {
        /// The missing program.
        program: &'static str,
        /// The error of starting `go`.
        source: io::Error,
    },
    /// `go build` failed or exceeded its deadline.
    #[error("building {program} {how}; the end of its output:\n{tail}")]
    Build {
        /// The module.
        program: &'static str,
        /// How the build ended.
        how: String,
        /// The last lines of its output.
        tail: String,
    },
    /// Another process holds the build lock beyond the deadline.
    #[error("another process has been building for {} minutes: look for a hung `go build`, or remove {}", waited.as_secs() / 60, lock.display())]
    Locked {
        /// How long this process waited.
        waited: Duration,
        /// The lock file.
        lock: PathBuf,
    },
    /// The directory in `KUBEBUILDER_ASSETS` lacks a program.
    #[error("KUBEBUILDER_ASSETS is set and {} is missing: name a directory with etcd, kube-apiserver and kubectl, or unset the variable", .0.display())]
    Kubebuilder(PathBuf),
    /// A file operation failed.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

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

/// A hash of everything that goes into a build. The Go release is left out: any release that builds the module will do.
fn hash(module: &Module) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |part: &str| {
        // Length prefixes make the sequence of parts unambiguous.
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    };
    add(env::consts::OS);
    add(env::consts::ARCH);
    add(module.name);
    for (name, contents) in &module.files {
        add(name);
        add(contents);
    }
    add(&build::linker_flags(module));
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .take(8)
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn create_directory(path: &Path) -> Result<(), AssetsError> {
    fs::create_dir_all(path).map_err(|source| AssetsError::File {
        doing: "create",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamped_versions_are_those_of_the_lock_files() {
        let lock = |module: &Module| module.files[0].1;
        assert!(lock(&HELM).contains(&format!("helm.sh/helm/v4 {HELM_VERSION}\n")));
        assert!(lock(&KWOK).contains(&format!("sigs.k8s.io/kwok {KWOK_VERSION}\n")));
        assert!(lock(&CONTROL_PLANE).contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION}\n")));
        let staging = KUBERNETES_VERSION.replace("v1.", "v0.");
        let replaced: Vec<_> = lock(&CONTROL_PLANE)
            .lines()
            .filter(|line| line.contains("=>"))
            .collect();
        assert_eq!(replaced.len(), 33);
        for line in replaced {
            assert!(line.ends_with(&staging), "{line} is not of the release {staging}");
        }
    }
}
