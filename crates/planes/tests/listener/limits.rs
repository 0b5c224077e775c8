//! What one peer may cost. In each test the limit under test is the only short one.

use std::time::Duration;

use planes::Limits;

use crate::rig::{HUGE, Server, answer, long, rest, send, within};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let server = Server::limited(Limits {
        head_bytes_max: 16 << 10,
        ..long()
    })
    .await;
    let mut stream = server.connect().await;
    let large = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    send(&mut stream, large).await;
    assert_eq!(answer(&mut stream).await.status, 431);
    let mut stream = server.connect().await;
    send(
        &mut stream,
        format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(100)),
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 431, "101 fields");
    let mut stream = server.connect().await;
    send(
        &mut stream,
        format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(99)),
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 200, "100 fields");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_however_it_is_framed() {
    let server = Server::limited(Limits {
        body_bytes_max: 1000,
        ..long()
    })
    .await;
    let large = "x".repeat(500_000);
    let mut stream = server.connect().await;
    send(
        &mut stream,
        format!("PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n{large}"),
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 413);
    let mut stream = server.connect().await;
    let head = "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    send(&mut stream, format!("{head}7A120\r\n{large}\r\n0\r\n\r\n")).await;
    assert_eq!(answer(&mut stream).await.status, 413);
    let mut stream = server.connect().await;
    send(
        &mut stream,
        format!(
            "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{}",
            &large[..1000]
        ),
    )
    .await;
    assert_eq!(answer(&mut stream).await.body.len(), 1000);
}

#[tokio::test]
async fn an_oversized_body_is_not_asked_for() {
    let server = Server::limited(Limits {
        body_bytes_max: 3,
        ..long()
    })
    .await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 413, "and no 100 before it");
}

#[tokio::test]
async fn bodies_that_together_take_too_much_are_503() {
    let mut server = Server::limited(Limits {
        bodies_bytes_max: 5,
        ..long()
    })
    .await;
    let mut holder = server.connect().await;
    send(
        &mut holder,
        "PUT /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    )
    .await;
    server.entered.recv().await.unwrap();
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    )
    .await;
    assert_eq!(answer(&mut stream).await.status, 503);
    server.probe.release.add_permits(1);
    assert_eq!(answer(&mut holder).await.body, "held");
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    )
    .await;
    assert_eq!(answer(&mut stream).await.body, "body");
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Server::limited(Limits {
        first_byte_time: SHORT,
        ..long()
    })
    .await;
    assert_eq!(rest(&mut server.connect().await).await, b"");
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed_also_on_a_connection_that_was_good() {
    let server = Server::limited(Limits {
        head_time: SHORT,
        ..long()
    })
    .await;
    let mut fresh = server.connect().await;
    send(&mut fresh, "GET / HTTP/1.1\r\nHo").await;
    assert_eq!(rest(&mut fresh).await, b"");
    let mut preface = server.connect().await;
    send(&mut preface, "PRI * HT").await;
    assert_eq!(rest(&mut preface).await, b"");
    let mut kept = server.connect().await;
    send(&mut kept, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut kept).await.status, 200);
    send(&mut kept, "GET / HTTP/1.1\r\nHo").await;
    assert_eq!(rest(&mut kept).await, b"");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let server = Server::limited(Limits {
        body_grace: SHORT,
        ..long()
    })
    .await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx",
    )
    .await;
    let seen = answer(&mut stream).await;
    assert_eq!(seen.status, 408);
    assert!(
        seen.head
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n")
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_a_working_one_is_not() {
    let mut server = Server::limited(Limits {
        idle_time: SHORT,
        ..long()
    })
    .await;
    let mut working = server.connect().await;
    send(&mut working, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n").await;
    server.entered.recv().await.unwrap();
    let mut idle = server.connect().await;
    send(&mut idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut idle).await.status, 200);
    assert_eq!(rest(&mut idle).await, b"");
    server.probe.release.add_permits(1);
    assert_eq!(answer(&mut working).await.body, "held");
    assert_eq!(rest(&mut working).await, b"");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_let_go() {
    let limits = Limits {
        answer_time: SHORT,
        body_rate_min: u32::MAX,
        ..long()
    };
    let mut server = Server::limited(limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /huge HTTP/1.1\r\nHost: h\r\n\r\n").await;
    within(server.dropped.recv()).await.unwrap();
    assert!(rest(&mut stream).await.len() < HUGE);
}

#[tokio::test]
async fn a_peer_has_its_share_of_connections() {
    let server = Server::limited(Limits {
        connections_per_peer_max: 1,
        ..long()
    })
    .await;
    let mut first = server.connect().await;
    send(&mut first, "GET /prove HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut first).await.status, 200);
    assert_eq!(rest(&mut server.connect().await).await, b"");
    send(&mut first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut first).await.status, 200);
    drop(first);
    let served = server.stop().await;
    assert_eq!(
        (served.connections, served.turned_away, served.requests),
        (2, 1, 2)
    );
}

/// S20.5: idle strangers make room for whoever comes.
#[tokio::test]
async fn a_stranger_makes_room_for_a_newcomer() {
    let server = Server::limited(Limits {
        connections_per_peer_max: 2,
        ..long()
    })
    .await;
    let mut first = server.connect().await;
    send(&mut first, "GET /prove HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut first).await.status, 200);
    let mut stranger = server.connect().await;
    send(&mut stranger, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer(&mut stranger).await.status, 200);
    let mut newcomer = server.connect().await;
    assert_eq!(rest(&mut stranger).await, b"");
    for stream in [&mut newcomer, &mut first] {
        send(stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(answer(stream).await.status, 200);
    }
    drop((first, newcomer));
    let served = server.stop().await;
    assert_eq!((served.turned_away, served.displaced), (0, 1));
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn opening_and_cancelling_streams_in_a_row_ends_the_connection() {
    let server = Server::limited(long()).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for number in 0..500 {
        let stream = number * 2 + 1;
        // GET, http, "/", authority "h"; then a cancellation.
        bytes.extend(frame(1, 0x5, stream, &[0x82, 0x86, 0x84, 0x41, 1, b'h']));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut stream = server.connect().await;
    send(&mut stream, bytes).await;
    let seen = rest(&mut stream).await;
    let calm_down = seen
        .windows(17)
        .any(|w| w[..4] == [0, 0, w[2], 7] && w[13..17] == 11_u32.to_be_bytes());
    assert!(calm_down, "no GOAWAY with ENHANCE_YOUR_CALM in {seen:?}");
    assert!(server.is_alive().await);
}
