//! The section `http.tls`: HTTPS, and the client certificates of senders.

use std::path::PathBuf;

use responder_core::alert::SenderName;
use responder_core::document::{Findings, Path, Problem};
use responder_intake::auth::{AllowedClient, ClientFiles, TlsFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confined_to::ConfinedToDoc;

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
    /// Client certificates that may send alerts about a part of the cluster only, by a name as in `allowedNames`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) clients: Vec<ClientDoc>,
}

/// A client certificate that may send alerts about a part of the cluster only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Client")]
pub(crate) struct ClientDoc {
    /// A name of the certificate, as in `allowedNames`.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// The part of the cluster that it may report on.
    confined_to: ConfinedToDoc,
}

impl HttpTlsDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> TlsFiles {
        let (names, clients) = (path.key("allowedNames"), path.key("clients"));
        if self.client_ca_file.is_some() && self.allowed_names.is_empty() && self.clients.is_empty() {
            let problem = Problem::new("every certificate of this authority could send alerts");
            findings.absence(
                &path.key("clientCaFile"),
                problem.help("name those that may in `allowedNames` or `clients`"),
            );
        }
        if self.client_ca_file.is_none() && !(self.allowed_names.is_empty() && self.clients.is_empty()) {
            let problem = Problem::new("there is no authority for these names");
            findings.absence(
                if self.allowed_names.is_empty() {
                    &clients
                } else {
                    &names
                },
                problem.help("name the authority of the client certificates in `clientCaFile`"),
            );
        }
        let allowed = self.allowed_names.iter().enumerate().filter_map(|(index, name)| {
            let compiled = SenderName::new(name);
            if let Err(error) = &compiled {
                findings.error(&names.index(index), error.to_string());
            }
            compiled.ok().map(AllowedClient::from)
        });
        let mut allowed: Vec<_> = allowed.collect();
        for (index, client) in self.clients.iter().enumerate() {
            let path = clients.index(index);
            let (nodes, namespaces) = client
                .confined_to
                .compile_for_certificate(&path.key("confinedTo"), findings);
            match SenderName::new(&client.name) {
                Ok(name) => allowed.push(AllowedClient {
                    name,
                    nodes,
                    namespaces,
                }),
                Err(error) => findings.error(&path.key("name"), error.to_string()),
            }
        }
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
