//! The TLS settings of the server, loaded from files. Step of the flow: intake.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use secrecy::ExposeSecret as _;
use x509_cert::der::Decode as _;

use super::certificate::{Certificate, valid_for};
use super::client::AllowedClient;
use super::reload::FileLoader;
use crate::secret::{Contents, Flaw};

/// The files of HTTPS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate and the intermediate certificates, as PEM.
    pub certificate: PathBuf,
    /// The private key of the certificate, as PEM.
    pub key: PathBuf,
    /// Authentication by client certificate; `None` asks for none.
    pub clients: Option<ClientFiles>,
}

/// The client certificates that authenticate a sender.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// The authorities that sign them, as PEM.
    pub authorities: PathBuf,
    /// The certificates that may send.
    pub allowed: Vec<AllowedClient>,
}

/// The TLS settings of a server.
pub(crate) struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl FileLoader for TlsFiles {
    type Loaded = ServerTls;

    const WHAT: &'static str = "certificates and keys of TLS";

    fn files(&self) -> Vec<&Path> {
        let mut files = vec![self.certificate.as_path(), self.key.as_path()];
        files.extend(self.clients.iter().map(|clients| clients.authorities.as_path()));
        files
    }

    fn load(&self, contents: &[Contents]) -> Result<ServerTls, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let mut texts = contents.iter().map(|contents| contents.expose_secret().as_slice());
        // One for each file, in the order of `files`.
        let mut next = || texts.next().unwrap_or_default();
        let chain = note(certificates(&self.certificate, next()), &mut flaws);
        let key = note(private_key(&self.key, next()), &mut flaws);
        let authorities = self.clients.as_ref().map(|clients| {
            let certificates = note(certificates(&clients.authorities, next()), &mut flaws).unwrap_or_default();
            note(roots(&clients.authorities, certificates), &mut flaws).unwrap_or_else(RootCertStore::empty)
        });
        if let Some(chain) = &chain
            && let Err(flaw) = in_time(&self.certificate, chain)
        {
            flaws.push(flaw);
        }
        let (Some(chain), Some(key), true) = (chain, key, flaws.is_empty()) else {
            return Err(flaws);
        };
        self.config(chain, key, authorities).map_err(|flaw| vec![flaw])
    }
}

impl TlsFiles {
    fn config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: Option<RootCertStore>,
    ) -> Result<ServerTls, Flaw> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Flaw::new(self.certificate.display(), error.to_string()))?;
        let builder = match (authorities, &self.clients) {
            (Some(authorities), Some(clients)) => {
                // A certificate is optional here: a sender may have a password instead, and HTTP refuses an alert
                // without either.
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| Flaw::new(clients.authorities.display(), error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            let problem = format!(
                "it does not belong to the certificate {}: {error}",
                self.certificate.display()
            );
            Flaw::new(self.key.display(), problem)
        })?;
        // Falco's curl is built without HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would skip the check of the client's certificate, which may have expired.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(ServerTls {
            config: Arc::new(config),
        })
    }
}

/// The value, or `None` and one flaw more.
fn note<T>(parsed: Result<T, Flaw>, flaws: &mut Vec<Flaw>) -> Option<T> {
    parsed.map_err(|flaw| flaws.push(flaw)).ok()
}

fn certificates(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(Flaw::new(
            file.display(),
            "there is no certificate in it (-----BEGIN CERTIFICATE-----)",
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Flaw::new(file.display(), format!("it is not PEM: {error}"))),
    }
}

fn private_key(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, Flaw> {
    // The error quotes nothing of the key, only the PEM frame; it is left out all the same.
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        Flaw::new(
            file.display(),
            "there is no private key in it (-----BEGIN PRIVATE KEY-----)",
        )
    })
}

fn roots(file: &Path, certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, Flaw> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| {
            Flaw::new(
                file.display(),
                format!("a certificate in it is not an authority's: {error}"),
            )
        })?;
    }
    Ok(roots)
}

/// Refuses a chain whose first certificate has expired: no sender would trust it, so the settings in force before are no
/// worse.
fn in_time(file: &Path, chain: &[CertificateDer<'_>]) -> Result<(), Flaw> {
    let Some(first) = chain.first() else { return Ok(()) };
    let certificate =
        Certificate::from_der(first).map_err(|_| Flaw::new(file.display(), "its first certificate can't be read"))?;
    if valid_for(&certificate).is_zero() {
        let end = certificate.tbs_certificate.validity.not_after;
        return Err(Flaw::new(
            file.display(),
            format!("the certificate has expired: it was valid until {end}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
