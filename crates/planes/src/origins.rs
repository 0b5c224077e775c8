//! On whose behalf this process speaks to its own listener: instances' connections come from here, and are theirs.
//!
//! Invariant: only this process says whose a connection is; nothing that a peer sends has a say in it. Nothing is sent on a connection
//! before the listener knows whose it is: one that is closed at once is nobody's, and says nothing.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;

/// The connections that are somebody else's, by this end of them.
#[derive(Clone, Default)]
pub struct Origins(Arc<RwLock<HashMap<SocketAddr, Origin>>>);

/// Whose a connection is, and what the listener notes that it was told.
type Origin = (IpAddr, Arc<Notify>);

/// A connection that is somebody else's, until this is dropped.
pub(crate) struct Lent {
    origins: Origins,
    own: SocketAddr,
}

impl Origins {
    /// Connects to a listener of this process on behalf of `origin`, and waits until it has accepted.
    pub(crate) async fn connect(
        &self,
        listener: SocketAddr,
        origin: IpAddr,
    ) -> io::Result<(TcpStream, Lent)> {
        let socket = match listener {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.bind(SocketAddr::new(listener.ip(), 0))?;
        let own = socket.local_addr()?;
        // Before the listener can see it.
        let told = Arc::new(Notify::new());
        self.0.write().insert(own, (origin, Arc::clone(&told)));
        let lent = Lent {
            origins: self.clone(),
            own,
        };
        let stream = socket.connect(listener).await?;
        told.notified().await;
        Ok((stream, lent))
    }

    /// Whose a connection is: its peer's, unless it is somebody else's.
    pub(crate) fn of(&self, peer: SocketAddr) -> SocketAddr {
        let canonical = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        match self.0.read().get(&canonical) {
            Some((origin, told)) => {
                told.notify_one();
                SocketAddr::new(*origin, peer.port())
            }
            None => peer,
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.origins.0.write().remove(&self.own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_is_somebody_elses_while_it_lasts() {
        let origins = Origins::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = "172.31.0.5".parse().unwrap();
        let connect = tokio::spawn({
            let origins = origins.clone();
            async move { origins.connect(address, origin).await }
        });
        let (_, peer) = listener.accept().await.unwrap();
        tokio::task::yield_now().await;
        assert!(!connect.is_finished(), "nothing can be sent yet");
        assert_eq!(origins.of(peer), SocketAddr::new(origin, peer.port()));
        let (stream, lent) = connect.await.unwrap().unwrap();
        let own = TcpStream::connect(address).await.unwrap();
        let (_, other) = listener.accept().await.unwrap();
        assert_eq!(origins.of(other), own.local_addr().unwrap());
        drop((stream, lent));
        assert_eq!(origins.of(peer), peer);
    }
}
