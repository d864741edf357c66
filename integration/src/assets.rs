//! The programs of the control plane, and those that telemetry is sent to: found in the user's cache, or built into it from
//! the Go modules beside this crate.
//!
//! The cache directory of a set is named by a hash of everything that goes into the build, so a changed lock file builds
//! anew and two checkouts of the same sources share one build. A build happens under a file lock and is renamed into place
//! when it is complete: a killed build leaves nothing that looks finished. Sets are built apart: another receiver of traces is
//! no reason to build Kubernetes again.

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

/// Programs that are built together.
struct Set {
    /// In front of the hash, where it is not the only one.
    prefix: &'static str,
    modules: &'static [Module],
    /// What a person reads who waits for it: the programs, and how long it takes on two cores.
    built: &'static str,
    lasts: &'static str,
}

const CONTROL_PLANE: Set = Set {
    prefix: "",
    modules: &MODULES,
    built: "etcd, kube-apiserver, kube-controller-manager, kubectl and kwok",
    lasts: "7 to 9 minutes",
};

const TELEMETRY: Set = Set {
    prefix: "telemetry-",
    modules: &[Module {
        name: "telemetry",
        files: [
            ("go.mod", include_str!("../telemetry/go.mod")),
            ("go.sum", include_str!("../telemetry/go.sum")),
            ("main.go", include_str!("../telemetry/main.go")),
        ],
        stamps: &[],
    }],
    built: "the collector's receiver of traces and Prometheus' parser",
    lasts: "a minute",
};

/// A Go module of this crate: what is built, and from what.
struct Module {
    /// The name of the program and of its directory beside this crate's manifest.
    name: &'static str,
    files: [(&'static str, &'static str); 3],
    /// Linker settings that stamp the version: variable and value.
    stamps: &'static [(&'static str, &'static str)],
}

/// The sources are part of this crate's binaries, so that a build never sees other sources than its hash.
const MODULES: [Module; 2] = [
    Module {
        name: "kwok",
        files: [
            ("go.mod", include_str!("../kwok/go.mod")),
            ("go.sum", include_str!("../kwok/go.sum")),
            ("main.go", include_str!("../kwok/main.go")),
        ],
        stamps: &[("sigs.k8s.io/kwok/pkg/consts.Version", KWOK_VERSION)],
    },
    Module {
        name: "control-plane",
        files: [
            ("go.mod", include_str!("../control-plane/go.mod")),
            ("go.sum", include_str!("../control-plane/go.sum")),
            ("main.go", include_str!("../control-plane/main.go")),
        ],
        stamps: &[
            ("k8s.io/component-base/version.gitVersion", KUBERNETES_VERSION),
            ("k8s.io/component-base/version.gitMajor", "1"),
            ("k8s.io/component-base/version.gitMinor", "37"),
            ("k8s.io/component-base/version.gitTreeState", "clean"),
        ],
    },
];

/// Why there are no programs to start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Neither `XDG_CACHE_HOME` nor `HOME` names a directory to build into.
    #[error("there is no cache directory to build programs in: set XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
    /// Nothing is built yet and there is no Go to build it with.
    #[error(
        "the control plane or what stands beside it is not built yet and the command `go` does not start: install Go 1.26 or newer \
         (https://go.dev/dl), see that `go version` works, and run this again; the first run then builds for 7 to 9 minutes \
         on two cores"
    )]
    NoGo(#[source] io::Error),
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
    #[error("another process has been building the same programs for {} minutes: look for a hung `go build`, or remove {}", waited.as_secs() / 60, lock.display())]
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

/// The programs of a control plane, ready to start.
#[derive(Debug, Clone)]
pub struct Assets {
    directory: PathBuf,
    /// `KUBEBUILDER_ASSETS`, whose etcd, kube-apiserver and kubectl take precedence.
    kubebuilder: Option<PathBuf>,
}

impl Assets {
    /// Finds the programs, or builds them: 7 to 9 minutes on two cores, once per machine and version.
    ///
    /// Blocks. Says on standard error that it builds, and that a build by another process is waited for.
    pub fn find_or_build() -> Result<Self, AssetsError> {
        let kubebuilder = kubebuilder_assets()?;
        let directory = find_or_build(&CONTROL_PLANE)?;
        Ok(Self { directory, kubebuilder })
    }

    /// kubectl of the same version as the API server.
    pub fn kubectl(&self) -> PathBuf {
        self.kubebuilder.as_ref().unwrap_or(&self.directory).join("kubectl")
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
        Command::new(self.directory.join("kwok"))
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
        let mut command = Command::new(self.directory.join("control-plane"));
        command.arg(name);
        command
    }
}

/// The OpenTelemetry collector's receiver and Prometheus' parser in one program, built within a minute where it is not there
/// yet. Blocks.
pub fn telemetry() -> Result<PathBuf, AssetsError> {
    Ok(find_or_build(&TELEMETRY)?.join("telemetry"))
}

fn find_or_build(set: &Set) -> Result<PathBuf, AssetsError> {
    let cache = cache_directory()?;
    let directory = cache.join(format!("{}{}", set.prefix, hash(set.modules)));
    if !directory.is_dir() {
        build::into(&cache, set, &directory)?;
    }
    Ok(directory)
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
fn hash(modules: &[Module]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |part: &str| {
        // Length first, so that no two lists of parts read the same.
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    };
    add(env::consts::OS);
    add(env::consts::ARCH);
    for module in modules {
        add(module.name);
        for (name, contents) in &module.files {
            add(name);
            add(contents);
        }
        add(&build::linker_flags(module));
    }
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
        let [kwok, control_plane] = &MODULES;
        assert!(kwok.files[0].1.contains(&format!("sigs.k8s.io/kwok {KWOK_VERSION}\n")));
        assert!(
            control_plane.files[0]
                .1
                .contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION}\n"))
        );
        let staging = KUBERNETES_VERSION.replace("v1.", "v0.");
        let replaced: Vec<_> = control_plane.files[0]
            .1
            .lines()
            .filter(|line| line.contains("=>"))
            .collect();
        assert_eq!(replaced.len(), 33);
        for line in replaced {
            assert!(line.ends_with(&staging), "{line} is not of the release {staging}");
        }
    }
}
