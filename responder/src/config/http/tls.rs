//! The section `http.tls`: HTTPS, and the client certificates of senders.

use std::path::PathBuf;

use responder_core::alert::SenderName;
use responder_core::document::{Findings, Path, Problem};
use responder_intake::auth::{ClientFiles, TlsFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// HTTPS. The files are read again when they change; changes that can't be used leave the previous files in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(crate) struct HttpTlsDoc {
    /// The certificate and the intermediate certificates, as PEM.
    #[schemars(length(min = 1))]
    pub(super) certificate_file: PathBuf,
    /// The private key of the certificate, as PEM.
    #[schemars(length(min = 1))]
    pub(super) key_file: PathBuf,
    /// The authorities that sign the client certificates of senders, as PEM. Default: no client certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) client_ca_file: Option<PathBuf>,
    /// The client certificates that may send alerts, by a whole DNS name or URI among their alternative names, or by the
    /// common name of a certificate without alternative names.
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
            let problem = Problem::new("there is no authority for these names");
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
