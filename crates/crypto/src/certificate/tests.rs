//! Certificates, judged by the verifier of the TLS library that serves them.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
};

use super::*;

/// 2026-11-22.
const NOW: i64 = 1_795_305_600;

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.certificate_der().to_vec()))
        .unwrap();
    Arc::new(roots)
}

fn verify(
    authority: &Authority,
    server: &ServerCertificate,
    name: &str,
    at: i64,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(authority), provider)
        .build()
        .unwrap();
    let certificate = CertificateDer::from(server.chain_der()[0].clone());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.try_into().unwrap()));
    verifier
        .verify_server_cert(&certificate, &[], &name, &[], at)
        .map(|_| ())
}

#[test]
fn a_server_is_trusted_under_its_names_only() {
    let authority = Authority::create(NOW).unwrap();
    let names = [
        "*.s3.us-east-1.amazonaws.com",
        "*.s3.localhost",
        "KMS.us-east-1.amazonaws.com",
        "10.0.0.7",
        "localhost",
    ];
    let server = authority.issue(&names.map(str::to_owned), NOW).unwrap();
    let right = [
        "localhost",
        "bucket.s3.localhost",
        "127.0.0.1",
        "::1",
        "10.0.0.7",
        "kms.us-east-1.amazonaws.com",
        "bucket.s3.us-east-1.amazonaws.com",
    ];
    for name in right {
        assert_eq!(verify(&authority, &server, name, NOW), Ok(()), "{name}");
    }
    for name in [
        "example.com",
        "a.b.localhost",
        "10.0.0.8",
        "s3.us-east-1.amazonaws.com",
    ] {
        assert!(verify(&authority, &server, name, NOW).is_err(), "{name}");
    }
    // This verifier ignores a wildcard directly below a top-level name; others accept it.
    assert!(
        server.chain_der()[0]
            .windows(11)
            .any(|window| window == b"*.localhost")
    );
}

#[test]
fn certificates_begin_a_day_early_and_end() {
    let authority = Authority::create(NOW).unwrap();
    let server = authority.issue(&[], NOW).unwrap();
    let at = |time| verify(&authority, &server, "localhost", time);
    assert_eq!(at(NOW - DAY), Ok(()));
    let early = at(NOW - DAY - 1).err().unwrap();
    assert!(
        matches!(
            early,
            rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { .. })
        ),
        "{early}"
    );
    assert_eq!(at(NOW + 396 * DAY), Ok(()));
    let late = at(NOW + 396 * DAY + 1).err().unwrap();
    assert!(
        matches!(
            late,
            rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
        ),
        "{late}"
    );
}

#[test]
fn an_authority_signs_on_after_it_was_reloaded() {
    let authority = Authority::create(NOW).unwrap();
    let again = Authority::from_pem(&authority.certificate_pem(), &authority.key_pem()).unwrap();
    assert_eq!(again.certificate_pem(), authority.certificate_pem());
    let later = NOW + 9 * 365 * DAY;
    let server = again.issue(&[], later).unwrap();
    assert_eq!(verify(&authority, &server, "localhost", later), Ok(()));
}

#[test]
fn another_authority_is_not_trusted_and_its_key_does_not_fit() {
    let (first, second) = (Authority::create(NOW).unwrap(), Authority::create(NOW).unwrap());
    let server = second.issue(&[], NOW).unwrap();
    assert!(verify(&first, &server, "localhost", NOW).is_err());
    let mixed = Authority::from_pem(&first.certificate_pem(), &second.key_pem())
        .err()
        .unwrap();
    assert!(matches!(mixed, Error::CertificateKeyMismatch), "{mixed}");
    let leaf = Authority::from_pem(&server.chain_pem(), &first.key_pem())
        .err()
        .unwrap();
    assert!(matches!(leaf, Error::CertificateKeyMismatch), "{leaf}");
    let no_key = Authority::from_pem(&first.certificate_pem(), &Secret::from("nothing"))
        .err()
        .unwrap();
    assert!(
        matches!(
            no_key,
            Error::Pem {
                expected: "PRIVATE KEY"
            }
        ),
        "{no_key}"
    );
}

#[test]
fn a_server_certificate_cannot_sign_others() {
    let authority = Authority::create(NOW).unwrap();
    let server = authority.issue(&[], NOW).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.certificate_der().to_vec()))
        .unwrap();
    let key = KeyPair::try_from(server.key_der().expose()).unwrap();
    let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = validity(NOW, 10).unwrap();
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = Default::default();
    issuer.distinguished_name.push(DnType::CommonName, "Ringwork");
    let forged = params
        .signed_by(&new_key().unwrap(), &Issuer::new(issuer, key))
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(NOW.try_into().unwrap()));
    let between = CertificateDer::from(server.chain_der()[0].clone());
    let name = ServerName::try_from("evil.example").unwrap();
    assert!(
        verifier
            .verify_server_cert(forged.der(), &[between], &name, &[], at)
            .is_err()
    );
}

#[test]
fn names_that_are_no_names_are_refused() {
    let authority = Authority::create(NOW).unwrap();
    let long = format!("{}.example", "a".repeat(64));
    for name in [
        "",
        "*",
        "*.",
        "a..b",
        "-a.example",
        "a*.example",
        "a.*.example",
        "a b",
        "é.example",
        "a/b",
        &long,
        "a:1",
    ] {
        let refused = authority.issue(&[name.to_owned()], NOW).err().unwrap();
        assert!(
            matches!(refused, Error::CertificateName { .. }),
            "{name}: {refused}"
        );
    }
}

#[test]
fn times_beyond_the_years_of_certificates_are_refused() {
    for now in [i64::MAX, i64::MIN, 253_402_300_800, -1_000_000_000_000] {
        assert!(
            matches!(Authority::create(now), Err(Error::CertificateTime { .. })),
            "{now}"
        );
    }
}

/// A handshake through memory, with the certificate as it comes back from PEM.
#[test]
fn a_client_that_trusts_the_authority_shakes_hands() {
    let authority = Authority::create(NOW).unwrap();
    let issued = authority.issue(&[], NOW).unwrap();
    let key_pem = Secret::from(pem::encode(pem::PRIVATE_KEY, issued.key_der().expose()));
    let server = ServerCertificate::from_pem(&issued.chain_pem(), &key_pem).unwrap();
    assert_eq!(
        (server.chain_der(), server.key_der()),
        (issued.chain_der(), issued.key_der())
    );
    assert!(matches!(
        ServerCertificate::from_pem("", &key_pem),
        Err(Error::Pem { .. })
    ));

    #[derive(Debug)]
    struct Fixed;
    impl rustls::time_provider::TimeProvider for Fixed {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(
                NOW.try_into().unwrap(),
            )))
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = server
        .chain_der()
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let key = PrivateKeyDer::try_from(server.key_der().expose().to_vec()).unwrap();
    let server_config = ServerConfig::builder_with_details(provider.clone(), Arc::new(Fixed))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let client_config = ClientConfig::builder_with_details(provider, Arc::new(Fixed))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&authority))
        .with_no_client_auth();
    let mut client = ClientConnection::new(
        Arc::new(client_config),
        ServerName::try_from("localhost").unwrap(),
    )
    .unwrap();
    let mut server = ServerConnection::new(Arc::new(server_config)).unwrap();
    for _ in 0..4 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
}
