//! The names of a container's image. Kubernetes takes `nginx:1.27`, the container runtime reports
//! `docker.io/library/nginx:1.27`, Falco prints the latter without its tag, and all three mean one image.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::pod::container_statuses;

/// The registry of a name without one. Source: <https://pkg.go.dev/github.com/distribution/reference>
const DEFAULT_REGISTRY: &str = "docker.io";
/// The older name of the same registry.
const LEGACY_REGISTRY: &str = "index.docker.io";
/// The path of a name that is one word, in the default registry.
const OFFICIAL: &str = "library/";

/// An image as it is written, with every other spelling of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name in the pod's spec.
    pub written: String,
    /// All spellings, those of the container's status included.
    pub spellings: BTreeSet<String>,
}

impl Image {
    /// The image of this name and of what the container's status says about it.
    pub fn of(written: &str, status: Option<&ContainerStatus>) -> Self {
        let reported = status.map(|status| [status.image.as_str(), status.image_id.as_str()]);
        let names = reported.into_iter().flatten().chain([written]);
        Self {
            written: written.to_owned(),
            spellings: names.filter(|name| !name.is_empty()).flat_map(spellings).collect(),
        }
    }
}

/// The status of a container of any kind: ordinary, init, ephemeral.
pub fn status_of<'p>(pod: &'p Pod, container: &str) -> Option<&'p ContainerStatus> {
    container_statuses(pod).find(|status| status.name == container)
}

/// The name without its tag and its digest, as written: `public.ecr.aws/falcosecurity/falco`.
pub fn repository(written: &str) -> &str {
    let name = written.split_once('@').map_or(written, |(name, _)| name);
    let last_at = name.rfind('/').map_or(0, |slash| slash + 1);
    name[last_at..].find(':').map_or(name, |colon| &name[..last_at + colon])
}

/// The name as written, and its other spellings: with and without the default registry and its path, with the tag and
/// with the digest, and with the tag `latest` where it has neither.
fn spellings(written: &str) -> Vec<String> {
    // Docker's shim reports `docker-pullable://nginx@sha256:…`.
    let name = written.split_once("://").map_or(written, |(_, name)| name);
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    let path_at = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[path_at..].split_once(':') {
        // A digest alone is no name: `sha256:…`.
        Some(("sha256", _)) if path_at == 0 => return vec![written.to_owned()],
        Some((last, tag)) => (&name[..path_at + last.len()], Some(tag)),
        None => (name, None),
    };
    let versions: Vec<String> = match (tag, digest) {
        (Some(tag), Some(digest)) => vec![format!(":{tag}@{digest}"), format!(":{tag}"), format!("@{digest}")],
        (Some(tag), None) => vec![format!(":{tag}")],
        (None, Some(digest)) => vec![format!("@{digest}")],
        (None, None) => vec![String::new(), ":latest".to_owned()],
    };
    let names = names(path);
    names
        .iter()
        .flat_map(|name| versions.iter().map(move |version| format!("{name}{version}")))
        .chain([written.to_owned()])
        .collect()
}

/// The spellings of a name without its version.
fn names(path: &str) -> Vec<String> {
    let (registry, path) = match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_REGISTRY, path),
    };
    if ![DEFAULT_REGISTRY, LEGACY_REGISTRY].contains(&registry) {
        return vec![format!("{registry}/{path}")];
    }
    let short = path.strip_prefix(OFFICIAL).unwrap_or(path);
    let mut names = vec![short.to_owned(), format!("{DEFAULT_REGISTRY}/{short}")];
    if !short.contains('/') {
        names.extend([
            format!("{OFFICIAL}{short}"),
            format!("{DEFAULT_REGISTRY}/{OFFICIAL}{short}"),
        ]);
    }
    names
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DIGEST: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000001";

    #[rstest]
    #[case("nginx:1.27", &["docker.io/library/nginx:1.27", "library/nginx:1.27", "docker.io/nginx:1.27", "nginx:1.27"])]
    #[case("docker.io/library/nginx:1.27", &["nginx:1.27", "docker.io/nginx:1.27", "docker.io/library/nginx:1.27"])]
    #[case("index.docker.io/library/nginx", &["docker.io/library/nginx:latest", "nginx", "index.docker.io/library/nginx"])]
    #[case("nginx", &["docker.io/library/nginx:latest", "docker.io/library/nginx"])]
    #[case("falcosecurity/falcoctl:0.11", &["docker.io/falcosecurity/falcoctl:0.11", "falcosecurity/falcoctl:0.11"])]
    #[case("localhost:5000/app:1", &["localhost:5000/app:1"])]
    #[case("localhost/app", &["localhost/app:latest"])]
    #[case("registry.example/team/app:1", &["registry.example/team/app:1"])]
    #[case("docker-pullable://nginx:1.27", &["docker.io/library/nginx:1.27", "docker-pullable://nginx:1.27"])]
    #[case("sha256:ab", &["sha256:ab"])]
    fn an_image_has_all_spellings_of_its_name(#[case] written: &str, #[case] spelled: &[&str]) {
        let image = Image::of(written, None);
        for name in spelled {
            assert!(image.spellings.contains(*name), "{name} of {:?}", image.spellings);
        }
    }

    #[rstest]
    #[case("registry.example/nginx:1.27", "nginx:1.27")]
    #[case("registry.example/library/nginx:1.27", "docker.io/library/nginx:1.27")]
    #[case("falcosecurity/nginx:1.27", "nginx:1.27")]
    #[case("nginx:1.27", "nginx:latest")]
    fn two_images_have_no_spelling_in_common(#[case] written: &str, #[case] other: &str) {
        let [one, other] = [written, other].map(|name| Image::of(name, None).spellings);
        assert!(one.is_disjoint(&other), "{one:?} {other:?}");
    }

    #[test]
    fn a_digest_and_its_tag_are_names_of_the_image_with_both() {
        let image = Image::of(&format!("nginx:1.27{DIGEST}"), None);
        for name in [
            format!("docker.io/library/nginx{DIGEST}"),
            "docker.io/library/nginx:1.27".to_owned(),
            format!("nginx:1.27{DIGEST}"),
        ] {
            assert!(image.spellings.contains(&name), "{name} of {:?}", image.spellings);
        }
        let by_digest = Image::of(&format!("nginx{DIGEST}"), None);
        assert!(!by_digest.spellings.iter().any(|name| name.ends_with(":latest")));
    }
}
