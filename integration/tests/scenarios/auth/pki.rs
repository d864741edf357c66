//! Certificate authorities and certificates for senders.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};

/// A certificate with its key, as PEM.
pub(super) struct Client {
    pub(super) certificate: String,
    pub(super) key: String,
}

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate of a server on 127.0.0.1.
    pub(super) fn server(&self) -> Client {
        self.sign(&CertificateParams::new(["127.0.0.1".to_owned()]).unwrap())
    }

    /// A client certificate such as `openssl` makes with `-subj /CN=name`: valid, or expired years ago.
    pub(super) fn client(&self, name: &str, in_time: bool) -> Client {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !in_time {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Client {
        let key = KeyPair::generate().unwrap();
        Client {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}
