//! Unpacks an archive into the root of a container, as a runtime does.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::sha256;

/// Every user may enter the root: the image's user does not exist on this machine.
const MODE: u32 = 0o755;

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Named,
    layers: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    digest: String,
}

#[derive(Debug, Deserialize)]
struct Config {
    config: ImageSettings,
}

/// The start settings in the image's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSettings {
    /// User and group: `uid:gid`.
    pub user: String,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
}

/// Unpacks the single image of an archive into `root`, an empty directory.
///
/// # Errors
///
/// If the archive is not a layout of one image, or a blob is missing or has another digest.
pub fn unpack(archive: &[u8], root: &Path) -> io::Result<ImageSettings> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        files.insert(entry.path()?.display().to_string(), contents);
    }
    let index = files
        .get("index.json")
        .ok_or_else(|| invalid("index.json is missing"))?;
    let index: Index = serde_json::from_slice(index)?;
    let [manifest] = index.manifests.as_slice() else {
        return Err(invalid("the index does not name exactly one image"));
    };
    let blob = |named: &Named| {
        let path = format!("blobs/{}", named.digest.replace(':', "/"));
        let bytes = files.get(&path).ok_or_else(|| invalid(&format!("{path} is missing")))?;
        if sha256(bytes) == named.digest {
            Ok(bytes.as_slice())
        } else {
            Err(invalid(&format!("{path} has another digest")))
        }
    };
    let manifest: Manifest = serde_json::from_slice(blob(manifest)?)?;
    let config: Config = serde_json::from_slice(blob(&manifest.config)?)?;
    for layer in &manifest.layers {
        tar::Archive::new(GzDecoder::new(blob(layer)?)).unpack(root)?;
    }
    fs::set_permissions(root, fs::Permissions::from_mode(MODE))?;
    Ok(config.config)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::image;

    #[test]
    fn an_image_is_unpacked_with_its_start_settings() {
        let root = tempfile::tempdir().unwrap();
        let archive = image::layout(b"a program".to_vec(), "1.2.3")
            .unwrap()
            .archive()
            .unwrap();
        let settings = unpack(&archive, root.path()).unwrap();
        assert_eq!(
            (&*settings.user, &*settings.entrypoint),
            ("65532:65532", &["/responder".to_owned()][..])
        );
        assert_eq!(fs::read(root.path().join("responder")).unwrap(), b"a program");
        let mode = fs::metadata(root.path().join("responder"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o555);
    }

    #[test]
    fn a_blob_that_was_changed_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let archive = image::layout(b"a program".to_vec(), "1.2.3")
            .unwrap()
            .archive()
            .unwrap();
        let at = archive.windows(11).position(|bytes| bytes == b"\"Entrypoint").unwrap();
        let mut changed = archive;
        changed[at + 1] = b'e';
        let error = unpack(&changed, root.path()).unwrap_err();
        assert!(error.to_string().ends_with("has another digest"), "{error}");
    }
}
