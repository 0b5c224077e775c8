//! Long bodies on their way in and out: nothing is asked of a client that is refused, and a slow or broken one costs nobody else.

use http_body_util::BodyExt as _;
use planes::{Limits, ListenerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{HUGE, Server, answer, head, rest, send, within};

const LONG: usize = 3 << 20;

fn put(path: &str, more: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {LONG}\r\n{more}\r\n")
}

#[tokio::test]
async fn a_long_body_is_handed_on_as_it_arrives() {
    let mut server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/count", "")).await;
    server.entered.recv().await.unwrap();
    send(&mut stream, vec![b'x'; LONG]).await;
    assert_eq!(answer(&mut stream).await.body, LONG.to_string());
    // The connection goes on.
    send(&mut stream, "GET /after HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "GET /after ");
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_only_when_its_body_is_asked_for() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/count", "Expect: 100-continue\r\n")).await;
    assert_eq!(head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut stream, vec![b'x'; LONG]).await;
    assert_eq!(answer(&mut stream).await.body, LONG.to_string());
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/refuse", "Expect: 100-continue\r\n")).await;
    let seen = answer(&mut stream).await;
    assert_eq!((seen.status, seen.body.as_str()), (403, "no"), "{}", seen.head);
    assert!(rest(&mut stream).await.is_empty(), "and the connection ends");
}

#[tokio::test]
async fn a_refused_client_that_sends_on_sees_why() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/refuse", "")).await;
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        // The server may end the connection before all of it is sent.
        let _ = writer.write_all(&vec![b'x'; LONG]).await;
    };
    let (seen, ()) = tokio::join!(answer(&mut reader), sending);
    assert_eq!((seen.status, seen.body.as_str()), (403, "no"));
    assert!(server.is_alive().await);
}

/// The front's work goes on though the connection is gone, so that it can record what it admitted.
#[tokio::test]
async fn a_front_hears_that_its_client_broke_off_and_comes_to_its_end() {
    let mut server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/count", "")).await;
    server.entered.recv().await.unwrap();
    send(&mut stream, vec![b'x'; 100_000]).await;
    drop(stream);
    within(server.dropped.recv()).await.unwrap();
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_too_slow() {
    let limits = Limits {
        body_grace: std::time::Duration::from_millis(20),
        ..Limits::default()
    };
    let mut server = Server::limited(limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, put("/stream/count", "")).await;
    send(&mut stream, "a few bytes").await;
    within(server.dropped.recv()).await.unwrap();
    assert_eq!(answer(&mut stream).await.body, "TooSlow");
}

#[tokio::test]
async fn an_answer_streams_with_its_length() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /flow/whole HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let seen = answer(&mut stream).await;
    assert_eq!((seen.status, seen.body.len()), (200, HUGE));
    send(&mut stream, "HEAD /flow/whole HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(
        head(&mut stream)
            .await
            .to_ascii_lowercase()
            .contains(&format!("content-length: {HUGE}\r\n"))
    );
    send(&mut stream, "GET /after HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.body, "GET /after ");
}

#[tokio::test]
async fn a_damaged_answer_is_broken_off_before_its_length() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /flow/damaged HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert!(rest(&mut stream).await.len() < HUGE);
    assert!(server.is_alive().await);
}

/// Only what the connection can hold is taken from the front while a client does not read.
#[tokio::test]
async fn a_client_that_reads_nothing_is_not_read_ahead_for() {
    let mut server = Server::start(ListenerConfig::default()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /flow/whole HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let mut first = [0; 1];
    within(stream.read_exact(&mut first)).await.unwrap();
    let mut pieces = 0;
    while server.entered.try_recv().is_ok() {
        pieces += 1;
    }
    assert!(pieces * (64 << 10) < HUGE / 2, "{pieces} pieces were taken");
    drop(stream);
    within(server.dropped.recv()).await.unwrap();
}

#[tokio::test]
async fn http2_streams_both_ways() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let server = Server::start(ListenerConfig::default()).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = |path: &str, body: Vec<u8>| {
        http::Request::builder()
            .uri(format!("http://h{path}"))
            .method("PUT")
            .body(http_body_util::Full::new(bytes::Bytes::from(body)))
            .unwrap()
    };
    let answered = within(sender.send_request(ask("/stream/count", vec![1; LONG])))
        .await
        .unwrap();
    let body = within(answered.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body, LONG.to_string());
    let answered = within(sender.send_request(ask("/flow/whole", Vec::new())))
        .await
        .unwrap();
    assert_eq!(
        within(answered.into_body().collect())
            .await
            .unwrap()
            .to_bytes()
            .len(),
        HUGE
    );
    let answered = within(sender.send_request(ask("/flow/damaged", Vec::new())))
        .await
        .unwrap();
    assert!(within(answered.into_body().collect()).await.is_err());
}
