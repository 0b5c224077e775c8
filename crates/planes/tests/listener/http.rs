//! HTTP as clients speak it: bodies of every framing, raw targets, health, and what is no HTTP at all.

use planes::{ListenerConfig, PeerPolicy};

use crate::rig::{Server, answer, head, rest, send};

#[tokio::test]
async fn answers_carry_date_and_server() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let head = answer(&mut stream).await.head.to_ascii_lowercase();
    assert!(head.contains("\r\nserver: ringwork\r\n"), "{head}");
    assert!(head.contains("\r\ndate: "), "{head}");
}

#[tokio::test]
async fn the_front_sees_the_clients_bytes_of_path_and_query() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "GET /a%2Fb//c/../d?x=%20+&y HTTP/1.1\r\nHost: h\r\n\r\n",
    )
    .await;
    assert_eq!(answer(&mut stream).await.body, "GET /a%2Fb//c/../d x=%20+&y");
    send(&mut stream, "GET http://other/p HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "GET /p ");
    send(&mut stream, "GET ftp://other/p HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.status, 400);
}

#[tokio::test]
async fn two_hosts_are_refused() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.status, 400);
}

#[tokio::test]
async fn a_chunked_body_needs_no_length() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
    )
    .await;
    send(&mut stream, "5\r\n five\r\n0\r\nx-trailer: t\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "four five");
}

#[tokio::test]
async fn wrong_chunks_are_malformed() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nfour\r\n",
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 400);
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_send() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    assert_eq!(head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut stream, "body").await;
    assert_eq!(answer(&mut stream).await.body, "body");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfirst\
         GET /second HTTP/1.1\r\nHost: h\r\n\r\nGET /third HTTP/1.1\r\nHost: h\r\n\r\n",
    )
    .await;
    assert_eq!(answer(&mut stream).await.body, "first");
    assert_eq!(answer(&mut stream).await.body, "GET /second ");
    assert_eq!(answer(&mut stream).await.body, "GET /third ");
    drop(stream);
    assert_eq!(server.stop().await.requests, 3);
}

#[tokio::test]
async fn a_client_may_close_its_sending_side_and_still_be_answered() {
    use tokio::io::AsyncWriteExt;
    let mut server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n").await;
    stream.shutdown().await.unwrap();
    server.entered.recv().await.unwrap();
    server.probe.release.add_permits(1);
    assert_eq!(answer(&mut stream).await.body, "held");
}

#[tokio::test]
async fn a_panic_costs_a_500_and_the_connection_lives_on() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let seen = answer(&mut stream).await;
    assert_eq!((seen.status, seen.body.as_str()), (500, "InternalFailure\n"));
    send(&mut stream, "GET /after HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "GET /after ");
}

#[tokio::test]
async fn health_is_answered_without_credentials_and_to_head_without_a_body() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    for path in ["live", "ready", "health"] {
        send(
            &mut stream,
            format!("GET /_ringwork/{path} HTTP/1.1\r\nHost: h\r\n\r\n"),
        )
        .await;
        let seen = answer(&mut stream).await;
        assert_eq!(seen.status, 200, "{path}");
        let report: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(report["status"], "ok");
        assert_eq!(report["services"]["kms"] == "available", path == "health");
        send(
            &mut stream,
            format!("HEAD /_ringwork/{path} HTTP/1.1\r\nHost: h\r\n\r\n"),
        )
        .await;
        let head = head(&mut stream).await.to_ascii_lowercase();
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", seen.body.len())),
            "{head}"
        );
    }
}

/// S13.17: nothing is served in clear beyond the machine.
#[tokio::test]
async fn plaintext_from_beyond_loopback_is_refused_with_the_way_out() {
    let plaintext = PeerPolicy::new(|_| false);
    let server = Server::start(ListenerConfig {
        plaintext,
        ..ListenerConfig::default()
    })
    .await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nsecret",
    )
    .await;
    let seen = answer(&mut stream).await;
    assert_eq!(seen.status, 403);
    assert!(seen.body.contains("ringwork env --tls"), "{}", seen.body);
    assert_eq!(rest(&mut stream).await, b"");
    drop(stream);
    assert_eq!(server.stop().await.requests, 0);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let server = Server::start(ListenerConfig::default()).await;
    for garbage in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        b"GET\r\n\r\n",
        b"\xff\xfe\xfd\n\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        send(&mut stream, garbage).await;
        let seen = rest(&mut stream).await;
        assert!(
            seen.is_empty() || seen.starts_with(b"HTTP/1.1 400 "),
            "{:?}",
            String::from_utf8_lossy(&seen)
        );
    }
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn every_address_is_served() {
    let server = Server::start_on(&["127.0.0.1:0", "127.0.0.2:0"], ListenerConfig::default()).await;
    assert_eq!(server.addresses.len(), 2);
    for address in &server.addresses {
        assert_ne!(address.port(), 0);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        send(&mut stream, "GET /here HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(answer(&mut stream).await.body, "GET /here ");
    }
}
