//! A certificate authority for tests: those of this crate, and those against real servers.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::UnixTime;

#[cfg(test)]
pub(crate) use self::files::TestFiles;

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// The subject of a certificate, and how long the certificate is valid.
#[derive(Debug, Clone, Default)]
pub struct CertificateSubject<'a> {
    /// DNS names and IP addresses among the alternative names.
    pub hosts: Vec<&'a str>,
    /// URIs among the alternative names.
    pub uris: Vec<&'a str>,
    /// Common names.
    pub common: Vec<&'a str>,
    /// The organization.
    pub organization: Option<&'a str>,
    /// From now; zero for a certificate that expired years ago. Default: until 2099.
    pub valid_for: Option<Duration>,
}

impl<'a> CertificateSubject<'a> {
    /// A server under these DNS names and IP addresses.
    pub fn server(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// This common name and no alternative name, as `openssl req -subj /CN=name` makes it.
    pub fn named(common: &'a str) -> Self {
        Self {
            common: vec![common],
            ..Self::default()
        }
    }
}

/// A certificate authority.
pub struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

impl TestAuthority {
    /// An authority with a new key.
    pub fn new(common: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// The certificate of the authority itself, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate, good for a server and for a client, with a new key.
    pub fn issue(&self, subject: &CertificateSubject<'_>) -> Result<IssuedCertificate, Error> {
        let hosts: Vec<String> = subject.hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = DistinguishedName::new();
        for name in &subject.common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        if let Some(organization) = subject.organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        for uri in &subject.uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into()?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match subject.valid_for {
            None => date_time_ymd(2099, 1, 1),
            Some(Duration::ZERO) => date_time_ymd(2021, 1, 1),
            Some(time) => date_time_ymd(1970, 1, 1) + Duration::from_secs(UnixTime::now().as_secs()) + time,
        };
        let key = KeyPair::generate()?;
        Ok(IssuedCertificate {
            certificate: params.signed_by(&key, &self.0)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

#[cfg(test)]
mod files {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A directory with files, removed after the test.
    pub(crate) struct TestFiles(tempfile::TempDir);

    impl TestFiles {
        pub(crate) fn new() -> Self {
            // A test without a directory fails.
            Self(tempfile::tempdir().unwrap())
        }

        pub(crate) fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        pub(crate) fn directory(&self) -> &Path {
            self.0.path()
        }

        pub(crate) fn write(&self, name: &str, contents: &str) -> PathBuf {
            let path = self.path(name);
            // A test without its file fails.
            fs::write(&path, contents).unwrap();
            path
        }
    }
}
