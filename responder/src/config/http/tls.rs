//! The section `http.tls`: HTTPS, and the client certificates that prove who sends.

use std::path::PathBuf;

use responder_core::alert::SenderName;
use responder_core::document::{Findings, Path, Problem};
use responder_intake::auth::{ClientFiles, TlsFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// HTTPS. All files are read again when they change; one that can't be used leaves what was read before in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(crate) struct HttpTlsDoc {
    /// The certificate and those between it and its authority, as PEM.
    #[schemars(length(min = 1))]
    pub(super) certificate_file: PathBuf,
    /// The private key of the certificate, as PEM.
    #[schemars(length(min = 1))]
    pub(super) key_file: PathBuf,
    /// The authorities whose client certificates prove who sends, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) client_ca_file: Option<PathBuf>,
    /// The client certificates that may send alerts, by a DNS name or a URI among their alternative names, or by their
    /// common name where they have no alternative names. Whole names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1, max = 253)))]
    pub(super) allowed_names: Vec<String>,
}

impl HttpTlsDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> TlsFiles {
        let names = path.key("allowedNames");
        if self.client_ca_file.is_some() && self.allowed_names.is_empty() {
            let problem = Problem::new("every certificate of this authority could send alerts");
            findings.absence(
                &path.key("clientCaFile"),
                problem.help("name those that may in `allowedNames`"),
            );
        }
        if self.client_ca_file.is_none() && !self.allowed_names.is_empty() {
            let problem = Problem::new("nothing proves these names");
            findings.absence(
                &names,
                problem.help("name the authority of the client certificates in `clientCaFile`"),
            );
        }
        let allowed = self.allowed_names.iter().enumerate().filter_map(|(index, name)| {
            let compiled = SenderName::new(name);
            if let Err(error) = &compiled {
                findings.error(&names.index(index), error.to_string());
            }
            compiled.ok()
        });
        let allowed = allowed.collect();
        TlsFiles {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
            clients: self
                .client_ca_file
                .clone()
                .map(|authorities| ClientFiles { authorities, allowed }),
        }
    }
}
