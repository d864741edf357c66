use super::*;
use crate::auth::reload::Reloadable;
use crate::secret::listed;
use crate::testing::{CertificateSubject, IssuedCertificate, TestAuthority, TestFiles};

fn authority() -> TestAuthority {
    TestAuthority::new("test").unwrap()
}

fn server(authority: &TestAuthority) -> IssuedCertificate {
    authority.issue(&CertificateSubject::server(["localhost"])).unwrap()
}

fn problems(certificate: &str, key: &str, authorities: &str) -> String {
    let files = TestFiles::new();
    let tls = TlsFiles {
        certificate: files.write("tls.crt", certificate),
        key: files.write("tls.key", key),
        clients: Some(ClientFiles {
            authorities: files.write("ca.crt", authorities),
            allowed: Vec::new(),
        }),
    };
    let said = Reloadable::load(tls)
        .err()
        .map_or_else(String::new, |flaws| listed(&flaws));
    assert!(!said.contains("BEGIN EC"), "{said}");
    said.replace(&format!("{}/", files.directory().display()), "")
}

#[test]
fn files_that_belong_together_are_accepted() {
    let authority = authority();
    let server = server(&authority);
    assert_eq!(problems(&server.certificate, &server.key, &authority.pem()), "");
}

#[test]
fn every_flaw_is_reported_with_its_file() {
    let said = problems(
        "no PEM",
        "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
        "",
    );
    for problem in [
        "tls.crt: there is no certificate in it",
        "tls.key: there is no private key in it",
        "ca.crt: there is no certificate in it",
    ] {
        assert!(said.contains(problem), "{said}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = authority();
    let said = problems(
        &server(&authority).certificate,
        &server(&authority).key,
        &authority.pem(),
    );
    assert!(
        said.contains("tls.key: it does not belong to the certificate tls.crt"),
        "{said}"
    );
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let authority = authority();
    let expired = authority.issue(&CertificateSubject {
        valid_for: Some(std::time::Duration::ZERO),
        ..CertificateSubject::default()
    });
    let expired = expired.unwrap();
    let said = problems(&expired.certificate, &expired.key, &authority.pem());
    assert!(said.contains("tls.crt: the certificate has expired"), "{said}");
}
