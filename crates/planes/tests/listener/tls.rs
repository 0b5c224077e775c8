//! TLS on the same port: versions, HTTP/2, names, and the command line's client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use planes::{Error, Limits, ListenerConfig, PeerPolicy, TlsMaterial, client};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rig::{Server, answer, long, rest, send, within};

struct Identity {
    der: Vec<u8>,
    pem: String,
    key: Vec<u8>,
}

fn identity(name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    Identity {
        der: made.cert.der().to_vec(),
        pem: made.cert.pem(),
        key: made.signing_key.serialize_der(),
    }
}

impl Identity {
    fn material(&self) -> TlsMaterial {
        TlsMaterial {
            certificate_chain_der: vec![self.der.clone()],
            private_key_der: self.key.clone().into(),
        }
    }
}

fn config(identity: &Identity) -> ListenerConfig {
    ListenerConfig {
        tls: Some(identity.material()),
        ..ListenerConfig::default()
    }
}

async fn connect(
    server: &Server,
    trusted: &[&Identity],
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for identity in trusted {
        roots.add(CertificateDer::from(identity.der.clone())).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    within(connector.connect(name, server.connect().await))
        .await
        .unwrap()
}

/// S13.17: HTTPS, and no TLS below 1.2.
#[tokio::test]
async fn one_port_speaks_plaintext_and_both_versions_of_tls() {
    let local = identity("localhost");
    let server = Server::start(config(&local)).await;
    let tls = [
        (&rustls::version::TLS13, "TLSv1.3 TLS_"),
        (&rustls::version::TLS12, "TLSv1.2 TLS_ECDHE_"),
    ];
    for (version, facts) in tls {
        let mut stream = connect(&server, &[&local], "localhost", &[version], &[b"http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        send(&mut stream, "GET /tls HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let seen = answer(&mut stream).await.body;
        assert!(seen.starts_with(facts), "{seen}");
    }
    let mut stream = server.connect().await;
    send(&mut stream, "GET /tls HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "none");
}

#[tokio::test]
async fn tls_is_served_to_peers_that_may_not_speak_plaintext() {
    let local = identity("localhost");
    let server = Server::start(ListenerConfig {
        plaintext: PeerPolicy::new(|_| false),
        ..config(&local)
    })
    .await;
    let mut stream = connect(&server, &[&local], "localhost", rustls::ALL_VERSIONS, &[]).await;
    send(&mut stream, "GET /far HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "GET /far ");
}

#[tokio::test]
async fn http2_is_chosen_by_alpn_and_its_authority_becomes_the_host() {
    let local = identity("localhost");
    let server = Server::start(config(&local)).await;
    let stream = connect(
        &server,
        &[&local],
        "localhost",
        rustls::ALL_VERSIONS,
        &[b"h2", b"http/1.1"],
    )
    .await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driver = tokio::spawn(connection);
    for (path, body, expected) in [("/host", "", "kms.example:4566"), ("/echo", "sent", "sent")] {
        let request = Request::post(format!("https://kms.example:4566{path}"))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(response.headers()["server"], "Ringwork");
        assert!(response.headers().contains_key("date"));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
    let request = Request::head("https://h/_ringwork/live")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(
        response.headers()["content-length"],
        r#"{"status":"ok"}"#.len().to_string()
    );
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
    let served = server.stop().await;
    assert_eq!(
        (served.requests, served.cut_off),
        (3, 0),
        "a stop ends HTTP/2 gracefully too"
    );
    within(driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn names_have_their_own_certificates() {
    let (local, named, wild) = (
        identity("localhost"),
        identity("kms.example"),
        identity("*.s3.example"),
    );
    let named_tls = vec![
        ("KMS.example".to_owned(), named.material()),
        ("*.s3.example".to_owned(), wild.material()),
    ];
    let server = Server::start(ListenerConfig {
        named_tls,
        ..config(&local)
    })
    .await;
    for (name, expected) in [
        ("localhost", &local),
        ("kms.example", &named),
        ("bucket.s3.example", &wild),
    ] {
        let trusted = [&local, &named, &wild];
        let stream = connect(&server, &trusted, name, rustls::ALL_VERSIONS, &[]).await;
        assert_eq!(
            stream.get_ref().1.peer_certificates().unwrap()[0].as_ref(),
            expected.der,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_closed() {
    let limits = Limits {
        handshake_time: Duration::from_millis(100),
        ..long()
    };
    let server = Server::start(ListenerConfig {
        limits,
        ..config(&identity("localhost"))
    })
    .await;
    let mut stream = server.connect().await;
    send(&mut stream, b"\x16\x03\x01").await;
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn a_broken_handshake_ends_its_own_connection_only() {
    let server = Server::start(config(&identity("localhost"))).await;
    let mut stream = server.connect().await;
    send(&mut stream, [&b"\x16\x03\x01\x00\x05"[..], b"wrong"].concat()).await;
    rest(&mut stream).await;
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn the_client_asks_over_both_and_trusts_only_the_authority_it_is_given() {
    let (local, stranger) = (identity("localhost"), identity("localhost"));
    let server = Server::start(config(&local)).await;
    let port = server.addresses[0].port();
    let ask = async |endpoint: String, pem: Option<&[u8]>| {
        client::request(
            &endpoint,
            pem,
            Method::POST,
            "/echo?q=%2F",
            HeaderMap::new(),
            Bytes::from("sent"),
        )
        .await
    };
    let (status, headers, body) = ask(format!("http://127.0.0.1:{port}"), None).await.unwrap();
    assert_eq!(
        (status, headers["server"].as_bytes(), body),
        (200, &b"Ringwork"[..], Bytes::from("sent"))
    );
    let https = format!("https://localhost:{port}");
    let (status, _, body) = ask(https.clone(), Some(local.pem.as_bytes())).await.unwrap();
    assert_eq!((status, body), (200, Bytes::from("sent")));
    let refused = ask(https.clone(), Some(stranger.pem.as_bytes())).await;
    assert!(matches!(refused, Err(Error::Connect { .. })));
    assert!(matches!(
        ask(https.clone(), None).await,
        Err(Error::AuthorityMissing)
    ));
    assert!(matches!(
        ask(https, Some(b"no certificate")).await,
        Err(Error::Authority(_))
    ));
}
