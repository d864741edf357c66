//! The control plane's certificate authority, and kubeconfigs for the users that it signs.
//!
//! The API server reads the user from the common name of a client certificate and the group from its organization.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::KeyPair;
use responder_intake::testing::{CertificateSubject, TestAuthority};
use serde_json::json;

/// A certificate or kubeconfig could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// rcgen refused the certificate.
    #[error("cannot make the certificate of {name}")]
    Certificate {
        /// The user or server.
        name: String,
        /// The error of rcgen.
        source: rcgen::Error,
    },
    /// More than one group was requested. Certificates here carry one organization.
    #[error("{0} needs {1} groups, and a certificate of this control plane holds one: bind roles to the user instead")]
    TooManyGroups(String, usize),
    /// A file could not be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// The certificate authority and the directory of its files.
pub(super) struct Pki {
    ca: TestAuthority,
    directory: PathBuf,
}

impl Pki {
    /// Creates the authority, the API server's certificate and the key that signs service account tokens.
    pub(super) fn create(directory: &Path) -> Result<Self, PkiError> {
        let failed = |name: &str| {
            let name = name.to_owned();
            move |source| PkiError::Certificate { name, source }
        };
        let pki = Self {
            ca: TestAuthority::new("integration-ca").map_err(failed("the authority"))?,
            directory: directory.to_owned(),
        };

        pki.write("ca.crt", &pki.ca.pem())?;
        let server = CertificateSubject::server(["127.0.0.1", "localhost", "kubernetes.default.svc"]);
        pki.issue("kube-apiserver", &server)?;

        let accounts = KeyPair::generate().map_err(failed("the service accounts"))?;
        pki.write("service-accounts.key", &accounts.serialize_pem())?;
        pki.write("service-accounts.pub", &accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The path of a file that [`Pki::create`] or [`Pki::kubeconfig`] wrote.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a kubeconfig with a client certificate for `user`, in at most one of `groups`.
    pub(super) fn kubeconfig(&self, user: &str, groups: &[&str], server: &str) -> Result<PathBuf, PkiError> {
        let group = match groups {
            [] => None,
            [group] => Some(*group),
            _ => return Err(PkiError::TooManyGroups(user.to_owned(), groups.len())),
        };
        let subject = CertificateSubject {
            organization: group,
            ..CertificateSubject::named(user)
        };
        let stem = file_stem(user, group);
        self.issue(&stem, &subject)?;

        let credentials = json!({
            "client-certificate": self.file(&format!("{stem}.crt")),
            "client-key": self.file(&format!("{stem}.key")),
        });
        self.write_kubeconfig(&stem, user, &credentials, server)
    }

    /// Writes a kubeconfig with a bearer token for `user`.
    pub(super) fn kubeconfig_with_token(&self, user: &str, token: &str, server: &str) -> Result<PathBuf, PkiError> {
        let stem = format!("{}-by-token", file_stem(user, None));
        self.write_kubeconfig(&stem, user, &json!({ "token": token }), server)
    }

    fn write_kubeconfig(
        &self,
        stem: &str,
        user: &str,
        credentials: &serde_json::Value,
        server: &str,
    ) -> Result<PathBuf, PkiError> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "integration",
            "contexts": [{ "name": "integration", "context": { "cluster": "integration", "user": user } }],
            "clusters": [{
                "name": "integration",
                "cluster": { "server": server, "certificate-authority": self.file("ca.crt") },
            }],
            "users": [{ "name": user, "user": credentials }],
        });
        // JSON is valid YAML.
        let file = format!("{stem}.kubeconfig");
        self.write(&file, &format!("{config:#}\n"))?;
        Ok(self.file(&file))
    }

    fn issue(&self, stem: &str, subject: &CertificateSubject<'_>) -> Result<(), PkiError> {
        let issued = self.ca.issue(subject).map_err(|source| PkiError::Certificate {
            name: stem.to_owned(),
            source,
        })?;
        self.write(&format!("{stem}.crt"), &issued.certificate)?;
        self.write(&format!("{stem}.key"), &issued.key)
    }

    fn write(&self, file: &str, contents: &str) -> Result<(), PkiError> {
        let path = self.file(file);
        fs::write(&path, contents).map_err(|source| PkiError::Write(path, source))
    }
}

/// A file name for a user such as `system:serviceaccount:a:b`. It includes the group, so that the same user in another
/// group gets another file.
fn file_stem(user: &str, group: Option<&str>) -> String {
    let plain = |text: &str| text.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    match group {
        None => format!("user-{}", plain(user)),
        Some(group) => format!("user-{}-in-{}", plain(user), plain(group)),
    }
}
