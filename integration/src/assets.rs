//! The programs that the tests run for real: found in the user's cache, or built into it from the Go modules beside this
//! crate.
//!
//! Each module has a cache directory of its own, named by a hash of everything that goes into its build: a changed lock
//! file builds its module anew and no other, and two checkouts of the same sources share one build. A build happens under
//! a file lock and is renamed into place when it is complete: a killed build leaves nothing that looks finished.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aws_lc_rs::digest;

mod build;

/// The Kubernetes release in `control-plane/go.mod`; it is stamped into the programs, because clients refuse a server
/// that says v0.0.0.
const KUBERNETES_VERSION: &str = "v1.37.2";

/// The kwok release in `kwok/go.mod`.
const KWOK_VERSION: &str = "v0.8.0";

/// The helm release in `helm/go.mod`.
const HELM_VERSION: &str = "v4.3.1";

/// A Go module of this crate: what is built, and from what. The sources are part of this crate's binaries, so that a build
/// never sees other sources than its hash.
#[derive(Debug)]
struct Module {
    /// The name of the program and of its directory beside this crate's manifest.
    name: &'static str,
    /// For whoever waits: what is being built, and how long it takes on two cores.
    is: &'static str,
    files: [(&'static str, &'static str); 3],
    /// Linker settings that stamp the version: variable and value.
    stamps: &'static [(&'static str, &'static str)],
    /// Other names of the program, by which it is another one.
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
    is: "kwok: 1 to 2 minutes",
    files: files!("kwok"),
    stamps: &[("sigs.k8s.io/kwok/pkg/consts.Version", KWOK_VERSION)],
    links: &[],
};

const CONTROL_PLANE: Module = Module {
    name: "control-plane",
    is: "etcd, kube-apiserver, kube-controller-manager and kubectl: 6 to 8 minutes",
    files: files!("control-plane"),
    stamps: &[
        ("k8s.io/component-base/version.gitVersion", KUBERNETES_VERSION),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "37"),
        ("k8s.io/component-base/version.gitTreeState", "clean"),
    ],
    // The control plane's binary is kubectl when it is called so.
    links: &["kubectl"],
};

const NATS_SERVER: Module = Module {
    name: "nats-server",
    is: "nats-server: half a minute",
    files: files!("nats-server"),
    stamps: &[],
    links: &[],
};

const TELEMETRY: Module = Module {
    name: "telemetry",
    is: "the collector's receiver of traces and Prometheus' parser: a minute",
    files: files!("telemetry"),
    stamps: &[],
    links: &[],
};

const HELM: Module = Module {
    name: "helm",
    is: "helm: 2 to 3 minutes",
    files: files!("helm"),
    stamps: &[("helm.sh/helm/v4/internal/version.version", HELM_VERSION)],
    links: &[],
};

/// Why there are no programs to start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` names a directory to build into.
    #[error("there is no cache directory to build the programs of the tests in: set XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
    /// Nothing is built yet and there is no Go to build it with.
    #[error(
        "{program} is not built yet and the command `go` does not start: install Go 1.26 or newer (https://go.dev/dl), see \
         that `go version` works, and run this again; the first run then builds for 7 to 9 minutes on two cores"
    )]
    NoGo {
        /// The program that is missing.
        program: &'static str,
        /// What the system said of `go`.
        source: io::Error,
    },
    /// `go build` failed or took longer than its deadline.
    #[error("building {program} {how}; the end of its output:\n{tail}")]
    Build {
        /// The module that was built.
        program: &'static str,
        /// How it ended.
        how: String,
        /// The last lines that Go wrote.
        tail: String,
    },
    /// Another process holds the build lock and does not let go.
    #[error("another process has been building for {} minutes: look for a hung `go build`, or remove {}", waited.as_secs() / 60, lock.display())]
    Locked {
        /// How long this process waited.
        waited: Duration,
        /// The lock file.
        lock: PathBuf,
    },
    /// `KUBEBUILDER_ASSETS` is set to a directory that lacks a program.
    #[error("KUBEBUILDER_ASSETS is set and {} is not there: let it name a directory with etcd, kube-apiserver and kubectl, or unset it", .0.display())]
    Kubebuilder(PathBuf),
    /// The file system said no.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The program of a module, built if need be. Blocks, and says on standard error that it builds, or waits for another
/// process that does.
fn find_or_build(module: &'static Module) -> Result<PathBuf, AssetsError> {
    let cache = cache_directory()?;
    let directory = cache.join(format!("{}-{}", module.name, hash(module)));
    if !directory.is_dir() {
        build::into(&cache, &directory, module)?;
    }
    Ok(directory.join(module.name))
}

/// nats-server with JetStream. Blocks, and builds it where it is not there yet.
pub fn nats_server() -> Result<PathBuf, AssetsError> {
    find_or_build(&NATS_SERVER)
}

/// The OpenTelemetry collector's receiver and Prometheus' parser in one program. Blocks, and builds it where it is not there
/// yet.
pub fn telemetry() -> Result<PathBuf, AssetsError> {
    find_or_build(&TELEMETRY)
}

/// helm, or a build of it. Blocks. With the one argument `serve-registry` it is an OCI registry that keeps what is pushed to
/// it in memory: it says its address on standard output and ends when its standard input closes.
pub fn helm() -> Result<PathBuf, AssetsError> {
    find_or_build(&HELM)
}

/// The programs of a control plane, ready to start.
#[derive(Debug, Clone)]
pub struct Assets {
    control_plane: PathBuf,
    kwok: PathBuf,
    /// `KUBEBUILDER_ASSETS`, whose etcd, kube-apiserver and kubectl take precedence.
    kubebuilder: Option<PathBuf>,
}

impl Assets {
    /// Finds the programs, or builds them: 7 to 9 minutes on two cores, once per machine and version. Blocks.
    pub fn find_or_build() -> Result<Self, AssetsError> {
        Ok(Self {
            kubebuilder: kubebuilder_assets()?,
            kwok: find_or_build(&KWOK)?,
            control_plane: find_or_build(&CONTROL_PLANE)?,
        })
    }

    /// kubectl of the same version as the API server.
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

    /// Not among kubebuilder's assets, so always our own.
    pub(crate) fn controller_manager(&self) -> Command {
        self.component("kube-controller-manager")
    }

    pub(crate) fn kwok(&self) -> Command {
        Command::new(&self.kwok)
    }

    /// Removes `directory` when the process that started it is gone.
    pub(crate) fn sweeper(&self, directory: &Path) -> Command {
        let mut command = self.component("sweep");
        command.arg(directory);
        command
    }

    /// Upstream's etcd and kube-apiserver do not watch their standard input; ours does it for them.
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
    // The XDG base directory specification: a relative path is to be ignored.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or(AssetsError::NoCacheDirectory)?;
    Ok(cache.join("responder-integration"))
}

/// Names a build by all that goes into it. The Go release is left out: any that builds it will do.
fn hash(module: &Module) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |part: &str| {
        // Length first, so that no two lists of parts read the same.
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
