//! The Helm chart as an OCI artefact, as `helm push` makes it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{File, Layout, gzip, tar};

/// The chart's directory in this source tree.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/responder")
}

/// The OCI layout of the chart.
pub fn layout() -> io::Result<Layout> {
    let directory = directory();
    let chart: Value =
        serde_saphyr::from_str(&fs::read_to_string(directory.join("Chart.yaml"))?).map_err(io::Error::other)?;
    let text = |key: &str| chart[key].as_str().unwrap_or_default().to_owned();
    let mut files = BTreeMap::new();
    add(&directory, &text("name"), &mut files)?;
    let annotations = BTreeMap::from([
        ("org.opencontainers.image.title", text("name")),
        ("org.opencontainers.image.version", text("version")),
        ("org.opencontainers.image.description", text("description")),
    ]);
    Ok(Layout::new(
        (
            "application/vnd.cncf.helm.config.v1+json",
            chart.to_string().into_bytes(),
        ),
        vec![(
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            gzip(&tar(&files)?)?,
        )],
        &annotations,
        &text("version"),
    ))
}

/// Adds all files except hidden ones, as `.helmignore` says.
fn add(directory: &Path, name: &str, files: &mut BTreeMap<String, File>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.starts_with('.') {
            continue;
        }
        let name = format!("{name}/{file}");
        if path.is_dir() {
            add(&path, &name, files)?;
        } else {
            files.insert(name, File::new(fs::read(&path)?));
        }
    }
    Ok(())
}
