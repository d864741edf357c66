//! The Go modules of this crate, and the versions that are stamped into their programs.

use std::env;

use ring::digest;

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
pub(super) struct Module {
    /// The name of the program and of its directory in this crate.
    pub(super) name: &'static str,
    /// Contents and build time on two cores, for progress messages.
    pub(super) summary: &'static str,
    pub(super) files: [(&'static str, &'static str); 3],
    /// Linker settings for the version: variables and values.
    pub(super) stamps: &'static [(&'static str, &'static str)],
    /// Names under which the program is linked. It acts by the name it is called by.
    pub(super) links: &'static [&'static str],
}

/// The three files of a module.
macro_rules! files {
    ($name:literal) => {
        [
            ("go.mod", include_str!(concat!("../../", $name, "/go.mod"))),
            ("go.sum", include_str!(concat!("../../", $name, "/go.sum"))),
            ("main.go", include_str!(concat!("../../", $name, "/main.go"))),
        ]
    };
}

pub(super) const KWOK: Module = Module {
    name: "kwok",
    summary: "kwok: 1 to 2 minutes",
    files: files!("kwok"),
    stamps: &[("sigs.k8s.io/kwok/pkg/consts.Version", KWOK_VERSION)],
    links: &[],
};

pub(super) const CONTROL_PLANE: Module = Module {
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

pub(super) const NATS_SERVER: Module = Module {
    name: "nats-server",
    summary: "nats-server: half a minute",
    files: files!("nats-server"),
    stamps: &[],
    links: &[],
};

pub(super) const TELEMETRY: Module = Module {
    name: "telemetry",
    summary: "the collector's trace receiver and Prometheus' parser: a minute",
    files: files!("telemetry"),
    stamps: &[],
    links: &[],
};

pub(super) const HELM: Module = Module {
    name: "helm",
    summary: "helm: 2 to 3 minutes",
    files: files!("helm"),
    stamps: &[("helm.sh/helm/v4/internal/version.version", HELM_VERSION)],
    links: &[],
};

/// A hash of everything that goes into a build. The Go release is left out: any release that builds the module will do.
pub(super) fn hash(module: &Module) -> String {
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
    add(&linker_flags(module));
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .take(8)
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// `-s` omits the symbol table, a third of the size.
pub(super) fn linker_flags(module: &Module) -> String {
    module.stamps.iter().fold("-s".to_owned(), |flags, (name, value)| {
        format!("{flags} -X {name}={value}")
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
