//! What tests share: an authority with certificates of any name and time, and files to put them in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::UnixTime;

/// A certificate with its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn server(&self) -> Issued {
        self.issue(&CertificateSubject {
            dns: &["localhost"],
            ..CertificateSubject::default()
        })
    }

    pub(crate) fn issue(&self, subject: &CertificateSubject<'_>) -> Issued {
        let mut params =
            CertificateParams::new(subject.dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in subject.common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        for uri in subject.uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match subject.holds_for {
            None => date_time_ymd(2099, 1, 1),
            Some(Duration::ZERO) => date_time_ymd(2021, 1, 1),
            Some(time) => date_time_ymd(1970, 1, 1) + Duration::from_secs(UnixTime::now().as_secs()) + time,
        };
        let key = KeyPair::generate().unwrap();
        Issued {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// Whom a certificate names.
#[derive(Default)]
pub(crate) struct CertificateSubject<'a> {
    pub(crate) dns: &'a [&'a str],
    pub(crate) uris: &'a [&'a str],
    pub(crate) common: &'a [&'a str],
    /// From now; no time has expired years ago. Without, it holds for long.
    pub(crate) holds_for: Option<Duration>,
}

/// A directory with files.
pub(crate) struct TestFiles(tempfile::TempDir);

impl TestFiles {
    pub(crate) fn new() -> Self {
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
        fs::write(&path, contents).unwrap();
        path
    }
}
