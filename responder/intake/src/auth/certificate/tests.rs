use responder_core::alert::SenderName;
use responder_core::object::Name;
use rstest::rstest;
use rustls::pki_types::pem::PemObject as _;

use super::*;
use crate::auth::ClientNodes;
use crate::testing::{CertificateSubject, TestAuthority};

fn read(subject: &CertificateSubject<'_>, allowed: &[&str]) -> ClientCertificate {
    let issued = TestAuthority::new("clients").unwrap().issue(subject).unwrap();
    let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let allowed: Vec<_> = allowed
        .iter()
        .map(|name| SenderName::new(name).unwrap().into())
        .collect();
    ClientCertificate::read(&der, &allowed).unwrap()
}

#[rstest]
#[case::dns(&["falco.falco.svc"], &[], &[], &["falco.falco.svc"], Some("falco.falco.svc"))]
#[case::dns_of_any_case(&["Falco.falco.SVC"], &[], &[], &["falco.falco.svc"], Some("falco.falco.svc"))]
#[case::uri(&[], &["spiffe://prod/falco"], &[], &["x", "spiffe://prod/falco"], Some("spiffe://prod/falco"))]
#[case::common_name(&[], &[], &["falco"], &["falco"], Some("falco"))]
#[case::the_second_of_several(&["a", "b"], &[], &[], &["b"], Some("b"))]
#[case::common_name_beside_others(&["a"], &[], &["falco"], &["falco"], None)]
#[case::another_common_name(&[], &[], &["falco2"], &["falco"], None)]
#[case::two_common_names(&[], &[], &["falco", "other"], &["falco"], None)]
#[case::another(&["falco.other.svc"], &[], &[], &["falco.falco.svc"], None)]
#[case::a_wildcard_is_a_literal_name(&["*.falco.svc"], &[], &[], &["a.falco.svc"], None)]
#[case::part_of_one(&["falco.falco.svc"], &[], &[], &["falco", "falco.falco.svc.cluster.local"], None)]
#[case::uri_of_another_case(&[], &["spiffe://prod/Falco"], &[], &["spiffe://prod/falco"], None)]
#[case::no_name(&[], &[], &[], &["falco"], None)]
fn a_certificate_names_a_sender_by_its_whole_name(
    #[case] dns: &[&str],
    #[case] uris: &[&str],
    #[case] common: &[&str],
    #[case] allowed: &[&str],
    #[case] name: Option<&str>,
) {
    let subject = CertificateSubject {
        hosts: dns.to_vec(),
        uris: uris.to_vec(),
        common: common.to_vec(),
        ..CertificateSubject::default()
    };
    let sender = read(&subject, allowed).sender;
    let expected = name.map(|name| Sender::Certificate(SenderName::new(name).unwrap()));
    assert_eq!(sender, expected);
}

#[test]
fn a_certificate_is_valid_until_its_end() {
    let ends_in = |time| {
        let subject = CertificateSubject {
            valid_for: Some(time),
            ..CertificateSubject::default()
        };
        read(&subject, &[]).valid_for
    };
    assert!(ends_in(Duration::ZERO).is_zero());
    let left = ends_in(Duration::from_hours(1)).as_secs();
    assert!((3590..=3600).contains(&left), "{left}");
}

/// The nodes that the sender of a certificate may report on.
fn nodes(subject: &CertificateSubject<'_>, nodes: ClientNodes) -> Option<Vec<String>> {
    let issued = TestAuthority::new("clients").unwrap().issue(subject).unwrap();
    let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let client = AllowedClient {
        name: SenderName::new("falco").unwrap(),
        nodes,
        namespaces: None,
    };
    let sender = ClientCertificate::read(&der, &[client]).unwrap().sender.unwrap();
    assert_eq!(sender.to_string(), "certificate falco");
    let nodes = sender.confinement()?.nodes.as_ref()?;
    Some(nodes.iter().map(ToString::to_string).collect())
}

#[rstest]
#[case::all(ClientNodes::All, &["falco", "worker-1"], None)]
#[case::listed(ClientNodes::Listed([Name::new("worker-2").unwrap()].into()), &["falco"], Some(&["worker-2"][..]))]
#[case::its_own(ClientNodes::FromCertificate, &["falco", "Worker-1.example"], Some(&["worker-1.example"][..]))]
#[case::none_named(ClientNodes::FromCertificate, &["falco"], Some(&[][..]))]
fn a_certificate_confines_its_sender_to_nodes(
    #[case] written: ClientNodes,
    #[case] hosts: &[&str],
    #[case] expected: Option<&[&str]>,
) {
    let found = nodes(&CertificateSubject::server(hosts.iter().copied()), written);
    assert_eq!(
        found.as_deref(),
        expected
            .map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
            .as_deref()
    );
}
