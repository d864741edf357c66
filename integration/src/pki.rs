//! A certificate authority with its certificates in files, for the servers and clients of a test.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use responder_intake::testing::{CertificateSubject, TestAuthority};

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// rcgen refused the certificate.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("cannot write a certificate")]
    Write(#[from] io::Error),
}

/// The PEM files of a certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A certificate authority.
pub struct Authority {
    issuer: TestAuthority,
    directory: PathBuf,
    name: &'static str,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority whose files in the directory have names that begin with its own.
    pub fn create(name: &'static str, directory: &Path) -> Result<Self, AuthorityError> {
        let authority = Self {
            issuer: TestAuthority::new(name)?,
            directory: directory.to_owned(),
            name,
        };
        fs::write(authority.certificate(), authority.issuer.pem())?;
        Ok(authority)
    }

    /// The certificate of the authority itself.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }

    /// Signs the certificate of a server on 127.0.0.1.
    pub fn server(&self) -> Result<Identity, AuthorityError> {
        self.issue("server", &CertificateSubject::server(["127.0.0.1", "localhost"]))
    }

    /// Signs the certificate of a client with this common name; perhaps one that has expired.
    pub fn client(&self, name: &str, has_expired: bool) -> Result<Identity, AuthorityError> {
        let subject = CertificateSubject {
            valid_for: has_expired.then_some(Duration::ZERO),
            ..CertificateSubject::named(name)
        };
        self.issue(name, &subject)
    }

    fn issue(&self, name: &str, subject: &CertificateSubject<'_>) -> Result<Identity, AuthorityError> {
        let issued = self.issuer.issue(subject)?;
        let at = |ending: &str| self.directory.join(format!("{}-{name}.{ending}", self.name));
        let identity = Identity {
            certificate: at("crt"),
            key: at("key"),
        };
        fs::write(&identity.certificate, issued.certificate)?;
        fs::write(&identity.key, issued.key)?;
        Ok(identity)
    }
}
