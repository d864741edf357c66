//! The section `nats.tls`: the encryption of the connection.

use std::path::PathBuf;

use responder_core::document::{Findings, Path};
use responder_intake::nats::NatsTls;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The encryption of the connection. With this section, a connection without TLS is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsTls")]
pub(in crate::config) struct NatsTlsDoc {
    /// The authorities that may have signed the server's certificate, as PEM. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    /// The client certificate, as PEM. Only with `keyFile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate_file: Option<PathBuf>,
    /// The private key of the client certificate, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    /// Whether TLS comes before the server's first message, as its `handshake_first` asks for. Default: false.
    #[serde(default)]
    first: bool,
}

impl NatsTlsDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> NatsTls {
        let client = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => {
                findings.absence(path, "a client certificate needs both `certificateFile` and `keyFile`");
                None
            }
        };
        NatsTls {
            ca: self.ca_file.clone(),
            client,
            first: self.first,
        }
    }
}
