//! A graceful stop: idle connections close, running requests finish, and patience has an end.

use std::time::Duration;

use planes::{Limits, ListenerConfig, Served};
use tokio::net::TcpStream;

use crate::rig::{Server, answer, long, rest, send, within};

#[tokio::test]
async fn a_stop_closes_what_is_idle_and_finishes_what_runs() {
    let mut server = Server::start(ListenerConfig::default()).await;
    let mut idle = server.connect().await;
    send(&mut idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    answer(&mut idle).await;
    let mut running = server.connect().await;
    send(&mut running, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n").await;
    server.entered.recv().await.unwrap();

    let (address, probe) = (server.addresses[0], server.probe.clone());
    let done = server.begin_stop();
    assert_eq!(rest(&mut idle).await, b"", "the idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "and nobody is let in");
    assert!(!done.is_finished());

    probe.release.add_permits(1);
    let seen = answer(&mut running).await;
    assert_eq!(seen.body, "held");
    assert!(
        seen.head
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n")
    );
    let served = within(done).await.unwrap();
    assert_eq!(
        served,
        Served {
            connections: 2,
            turned_away: 0,
            displaced: 0,
            requests: 2,
            cut_off: 0
        }
    );
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_is_told() {
    let limits = Limits {
        drain_time: Duration::from_millis(50),
        ..long()
    };
    let mut server = Server::limited(limits).await;
    let mut running = server.connect().await;
    send(&mut running, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n").await;
    server.entered.recv().await.unwrap();
    assert_eq!(server.stop().await.cut_off, 1);
}

#[tokio::test]
async fn a_connection_that_has_said_nothing_does_not_hold_a_stop_up() {
    let server = Server::start(ListenerConfig::default()).await;
    let mut silent = server.connect().await;
    assert!(
        server.is_alive().await,
        "so the silent one, older, is accepted too"
    );
    let served = server.stop().await;
    assert_eq!((served.connections, served.cut_off), (2, 0));
    assert_eq!(rest(&mut silent).await, b"");
}
