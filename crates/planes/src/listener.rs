//! The AWS endpoint's listener: accepts on all its addresses, and stops gracefully.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::admission::Admission;
use crate::body::Room;
use crate::connection::{Ground, codec};
use crate::error::{Error, Result};
use crate::front::Front;
use crate::limits::Limits;
use crate::origins::Origins;
use crate::tls::{self, TlsMaterial};

/// The pause after the system has no descriptor or memory for another connection. Without it the loop would spin, since
/// the connection stays in the queue.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How a listener behaves.
#[derive(Default)]
pub struct ListenerConfig {
    pub limits: Limits,
    /// The certificate for every name; without one there is no TLS, and hence nothing for peers beyond loopback.
    pub tls: Option<TlsMaterial>,
    /// Certificates for single server names (`kms.example.org`, `*.s3.example.org`).
    pub named_tls: Vec<(String, TlsMaterial)>,
    pub plaintext: PeerPolicy,
    /// Whose connections are that this process itself makes. Their peer is then not who may speak plaintext or not.
    pub origins: Origins,
}

/// Which peers may speak plaintext.
#[derive(Clone, Copy)]
pub struct PeerPolicy(fn(SocketAddr) -> bool);

impl PeerPolicy {
    /// Peers for which `admits` says yes.
    #[must_use]
    pub const fn new(admits: fn(SocketAddr) -> bool) -> Self {
        Self(admits)
    }

    pub(crate) fn admits(self, peer: SocketAddr) -> bool {
        (self.0)(peer)
    }
}

impl Default for PeerPolicy {
    /// Loopback only: 127.0.0.0/8 and `::1`, also where a dual-stack socket writes the former as IPv6.
    fn default() -> Self {
        Self(|peer| peer.ip().to_canonical().is_loopback())
    }
}

/// What a listener did until it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub connections: u64,
    /// Connections closed unanswered because there were too many.
    pub turned_away: u64,
    /// Connections that lost their place to a newcomer: nobody had proven on them who they are.
    pub displaced: u64,
    pub requests: u64,
    /// Connections cut off because the stop ran out of patience. Their requests are not counted.
    pub cut_off: u64,
}

/// A bound listener that does not accept yet.
pub struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    config: ListenerConfig,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds all of `addresses`; port 0 takes a free one.
    ///
    /// # Errors
    /// When there is no address, when one cannot be bound, or when a certificate cannot be used.
    pub async fn bind(addresses: &[SocketAddr], mut config: ListenerConfig) -> Result<Self> {
        if addresses.is_empty() {
            return Err(Error::NoAddress);
        }
        let named = std::mem::take(&mut config.named_tls);
        let tls = match config.tls.take() {
            Some(standard) => Some(TlsAcceptor::from(tls::server_config(standard, named)?)),
            None => None,
        };
        let mut sockets = Vec::with_capacity(addresses.len());
        let mut bound = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let failed = |source| Error::Bind { address, source };
            let socket = TcpListener::bind(address).await.map_err(failed)?;
            bound.push(socket.local_addr().map_err(failed)?);
            sockets.push(socket);
        }
        Ok(Self {
            sockets,
            addresses: bound,
            config,
            tls,
        })
    }

    /// The addresses that are bound, with their real ports, in the order given.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown` is done; then accepts no more, closes idle connections, finishes what runs, and returns.
    pub async fn serve<F: Front>(self, front: Arc<F>, shutdown: impl Future<Output = ()>) -> Served {
        let limits = Arc::new(self.config.limits);
        let admission = Admission::new(&limits);
        let ground = Arc::new(Ground {
            front,
            room: Arc::new(Room::new(&limits)),
            tls: self.tls,
            http: codec(&limits),
            limits: Arc::clone(&limits),
        });
        let (stop, stopping) = watch::channel(false);
        let mut served = Served::default();
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let mut turn = 0;
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    served.tally(&ended);
                    continue;
                }
                accepted = accept(&self.sockets, &mut turn) => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    served.connections += 1;
                    let plain = self.config.plaintext.admits(peer);
                    let peer = self.config.origins.of(peer);
                    let Some(slot) = admission.admit(peer) else {
                        served.turned_away += 1;
                        continue;
                    };
                    let (ground, stopping) = (Arc::clone(&ground), stopping.clone());
                    tasks.spawn(async move {
                        let holder = slot.holder();
                        tokio::select! {
                            requests = ground.serve(stream, (peer, plain), holder, stopping) => requests,
                            () = holder.displaced() => holder.requests(),
                        }
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_exhausted) => sleep(EXHAUSTED_PAUSE).await,
            }
        }
        drop(self.sockets);
        let _ = stop.send(true);
        served.drain(tasks, limits.drain_time).await;
        served.displaced = admission.displaced();
        served
    }
}

impl Served {
    fn tally(&mut self, ended: &std::result::Result<u64, JoinError>) {
        match ended {
            Ok(requests) => self.requests += requests,
            Err(_cancelled) => self.cut_off += 1,
        }
    }

    async fn drain(&mut self, mut tasks: JoinSet<u64>, patience: Duration) {
        let finishing = async {
            while let Some(ended) = tasks.join_next().await {
                self.tally(&ended);
            }
        };
        if timeout(patience, finishing).await.is_err() {
            tasks.abort_all();
            while let Some(ended) = tasks.join_next().await {
                self.tally(&ended);
            }
        }
    }
}

/// The next connection on any of the sockets, which take turns so that a busy one cannot starve the others.
async fn accept(sockets: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    std::future::poll_fn(|cx| {
        *turn = turn.wrapping_add(1);
        let (late, early) = sockets.split_at(*turn % sockets.len().max(1));
        for socket in early.iter().chain(late) {
            if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether only the connection that was to be accepted failed, and the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_may_speak_plaintext() {
        let admits = |ip: &str| PeerPolicy::default().admits(SocketAddr::new(ip.parse().unwrap(), 1));
        for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(admits(ip), "{ip}");
        }
        for ip in [
            "192.168.1.2",
            "10.0.0.1",
            "0.0.0.0",
            "::",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!admits(ip), "{ip}");
        }
    }
}
