//! The image: the static program, Mozilla's CA roots and the licence. It has no shell, no package manager and no user
//! but 65532.

use std::{collections::BTreeMap, io};

use pem::{EncodeConfig, LineEnding, Pem};
use serde_json::json;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::{File, Layout, gzip, sha256, tar};

/// The media type of the image's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of the image's layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A numeric user, so that `runAsNonRoot` can be checked without a passwd file. It is `nonroot` of the distroless
/// images.
const USER: &str = "65532:65532";

/// The OCI layout of an image with this program, for linux/amd64.
pub fn layout(program: Vec<u8>, version: &str) -> io::Result<Layout> {
    let layer = tar(&files(program))?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        // A constant time, so that the same program gives the same image.
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": USER,
            "Entrypoint": ["/responder"],
            "Cmd": ["--help"],
            "WorkingDir": "/",
            "ExposedPorts": {"2803/tcp": {}, "2804/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [sha256(&layer)]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo run -p integration --bin image"}],
    });
    let annotations = BTreeMap::from([
        ("org.opencontainers.image.title", "responder".to_owned()),
        ("org.opencontainers.image.version", version.to_owned()),
        ("org.opencontainers.image.licenses", "Apache-2.0".to_owned()),
    ]);
    Ok(Layout::new(
        (CONFIG, config.to_string().into_bytes()),
        vec![(LAYER, gzip(&layer)?)],
        &annotations,
        version,
    ))
}

/// The files of the image's root.
pub fn files(program: Vec<u8>) -> BTreeMap<String, File> {
    BTreeMap::from([
        ("responder".to_owned(), File::program(program)),
        ("LICENSE".to_owned(), File::new(include_str!("../../../LICENSE"))),
        // Go, OpenSSL and rustls-native-certs look here first.
        ("etc/ssl/certs/ca-certificates.crt".to_owned(), File::new(roots())),
    ])
}

/// Mozilla's CA roots as PEM.
fn roots() -> String {
    let certificates: Vec<_> = TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| Pem::new("CERTIFICATE", certificate.as_ref()))
        .collect();
    pem::encode_many_config(&certificates, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
