//! Writes OCI image layouts as a single archive, reproducibly: the same input gives the same bytes.
//!
//! Sources: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md> and, for charts,
//! <https://helm.sh/docs/topics/registries/>.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use flate2::{Compression, GzBuilder};
use ring::digest;
use serde::Serialize;
use serde_json::json;

pub mod chart;
pub mod image;
pub mod program;
pub mod start;
pub mod unpack;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A file of a tar archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its contents.
    pub contents: Vec<u8>,
    /// Its permissions, such as `0o755`.
    pub mode: u32,
}

impl File {
    /// A file that every user may read.
    pub fn new(contents: impl Into<Vec<u8>>) -> Self {
        Self {
            contents: contents.into(),
            mode: 0o444,
        }
    }

    /// A program that every user may run.
    pub fn program(contents: Vec<u8>) -> Self {
        Self { contents, mode: 0o555 }
    }
}

/// A tar archive of files and their parent directories: sorted by path, owned by root, with the time 0.
pub fn tar(files: &BTreeMap<String, File>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut made: Vec<String> = Vec::new();
    for (path, file) in files {
        for (at, _) in path.match_indices('/') {
            let directory = &path[..=at];
            if !made.iter().any(|made| made == directory) {
                made.push(directory.to_owned());
                let mut header = header(0o755, 0);
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, directory, io::empty())?;
            }
        }
        let mut header = header(file.mode, file.contents.len() as u64);
        archive.append_data(&mut header, path, file.contents.as_slice())?;
    }
    archive.into_inner()
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// Compresses without a file name and a timestamp.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A digest such as `sha256:…`.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A descriptor of a blob, for a manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the blob.
    pub media_type: &'static str,
    /// The digest of its bytes.
    pub digest: String,
    /// Its size in bytes.
    pub size: usize,
    /// Annotations for people and tools.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<&'static str, String>,
}

/// An OCI image layout with one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The digest of the manifest, by which the artefact is pulled.
    pub digest: String,
    files: BTreeMap<String, File>,
}

impl Layout {
    /// Makes a layout from a configuration and layers, each with its media type, under a tag.
    pub fn new(
        config: (&'static str, Vec<u8>),
        layers: Vec<(&'static str, Vec<u8>)>,
        annotations: &BTreeMap<&'static str, String>,
        tag: &str,
    ) -> Self {
        let mut files = BTreeMap::new();
        let config = blob(&mut files, config.0, config.1);
        let layers: Vec<_> = layers
            .into_iter()
            .map(|(kind, bytes)| blob(&mut files, kind, bytes))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        });
        let mut manifest = blob(&mut files, MANIFEST, manifest.to_string().into_bytes());
        manifest
            .annotations
            .insert("org.opencontainers.image.ref.name", tag.to_owned());
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
        files.insert("index.json".to_owned(), File::new(index.to_string()));
        let version = json!({"imageLayoutVersion": "1.0.0"});
        files.insert("oci-layout".to_owned(), File::new(version.to_string()));
        Self {
            digest: manifest.digest,
            files,
        }
    }

    /// The layout as one archive, for `skopeo copy oci-archive:…`, `crane push`, `podman load` or `ctr image import`.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        tar(&self.files)
    }
}

fn blob(files: &mut BTreeMap<String, File>, media_type: &'static str, bytes: Vec<u8>) -> Descriptor {
    let descriptor = Descriptor {
        media_type,
        digest: sha256(&bytes),
        size: bytes.len(),
        annotations: BTreeMap::new(),
    };
    files.insert(
        format!("blobs/{}", descriptor.digest.replace(':', "/")),
        File::new(bytes),
    );
    descriptor
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, io::Read as _};

    use serde_json::Value;

    use super::*;

    fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut entries = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(
                (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()),
                (0, 0, 0)
            );
            let path = entry.path().unwrap().display().to_string();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            if entry.header().entry_type().is_file() {
                assert!(entries.insert(path, contents).is_none());
            }
        }
        entries
    }

    /// Follows a layout from its index to every blob, as a registry's client does, and returns the manifest and the
    /// blobs.
    fn followed(archive: &[u8]) -> (Value, BTreeMap<String, Vec<u8>>) {
        let files = unpacked(archive);
        let read = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
            assert_eq!(sha256(bytes), digest);
            assert_eq!(descriptor["size"], bytes.len());
            bytes.clone()
        };
        assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest: Value = serde_json::from_slice(&read(&index["manifests"][0])).unwrap();
        let mut blobs = BTreeMap::new();
        for descriptor in manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .chain([&manifest["config"]])
        {
            blobs.insert(descriptor["mediaType"].as_str().unwrap().to_owned(), read(descriptor));
        }
        assert_eq!(files.len(), 3 + blobs.len(), "every file is named by another");
        (manifest, blobs)
    }

    fn gunzipped(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn an_image_holds_the_program_the_ca_roots_and_the_licence_and_nothing_else() {
        let layout = image::layout(b"a program".to_vec(), "1.2.3").unwrap();
        let (_, blobs) = followed(&layout.archive().unwrap());
        let config: Value = serde_json::from_slice(&blobs[image::CONFIG]).unwrap();
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/responder"]));
        let layer = gunzipped(&blobs[image::LAYER]);
        assert_eq!(config["rootfs"]["diff_ids"], json!([sha256(&layer)]));
        let files = unpacked(&layer);
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["LICENSE", "etc/ssl/certs/ca-certificates.crt", "responder"]);
        assert_eq!(files["responder"], b"a program");
        let roots = String::from_utf8(files["etc/ssl/certs/ca-certificates.crt"].clone()).unwrap();
        assert!(roots.matches("-----BEGIN CERTIFICATE-----").count() > 100);
        assert!(roots.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let archive = || {
            image::layout(b"a program".to_vec(), "1.2.3")
                .unwrap()
                .archive()
                .unwrap()
        };
        assert_eq!(sha256(&archive()), sha256(&archive()));
        let chart = || chart::layout().unwrap().archive().unwrap();
        assert_eq!(sha256(&chart()), sha256(&chart()));
    }

    #[test]
    fn a_chart_layout_holds_every_file_of_the_chart() {
        let (manifest, blobs) = followed(&chart::layout().unwrap().archive().unwrap());
        assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "responder");
        let config: Value = serde_json::from_slice(&blobs["application/vnd.cncf.helm.config.v1+json"]).unwrap();
        assert_eq!(
            (&config["name"], &config["apiVersion"]),
            (&json!("responder"), &json!("v2"))
        );
        let package = gunzipped(&blobs["application/vnd.cncf.helm.chart.content.v1.tar+gzip"]);
        let packed: BTreeSet<String> = unpacked(&package).into_keys().collect();
        assert!(packed.contains("responder/Chart.yaml") && packed.contains("responder/templates/NOTES.txt"));
        let mut there = BTreeSet::new();
        let mut directories = vec![chart::directory()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(chart::directory()).unwrap().display().to_string();
                    there.insert(format!("responder/{name}"));
                }
            }
        }
        // `.helmignore` excludes itself.
        there.remove("responder/.helmignore");
        assert_eq!(packed, there);
    }
}
