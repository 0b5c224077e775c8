//! How an instance is spoken to: sockets in a folder that its view shows. They cross its network's border, and nothing else does.
//!
//! Invariant: a socket belongs to one instance, so whoever speaks on it is that instance.

use std::convert::Infallible;
use std::fs::{File, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::metadata::Service;
use crate::origins::Origins;

/// Names of the sockets.
pub(super) const CONTROL: &str = "control";
pub(super) const METADATA: &str = "metadata";
pub(super) const ENDPOINT: &str = "endpoint";
/// Connections at a time of one instance to its metadata service, and to the server.
const METADATA_CONNECTIONS_MAX: usize = 64;
const ENDPOINT_CONNECTIONS_MAX: usize = 256;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEAD_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// The sockets of one run of an instance.
pub(super) struct Links {
    pub(super) control: UnixListener,
    pub(super) metadata: UnixListener,
    pub(super) endpoint: UnixListener,
}

impl Links {
    /// Binds them in `folder`, in place of older ones.
    pub(super) fn bind(folder: &Path) -> io::Result<Self> {
        // The folder's path may be longer than a socket's may be.
        let opened = File::open(folder)?;
        let short = Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string());
        let bind = |name: &str| {
            let path = folder.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(short.join(name))?;
            // The instance's user is not the server's. Nobody else passes through the folders above.
            std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
            Ok(listener)
        };
        Ok(Self {
            control: bind(CONTROL)?,
            metadata: bind(METADATA)?,
            endpoint: bind(ENDPOINT)?,
        })
    }
}

/// Answers an instance's requests to its metadata service, until it is dropped.
pub(super) async fn serve_metadata(listener: UnixListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(METADATA_CONNECTIONS_MAX));
    loop {
        let Some((stream, place)) = accept(&listener, &places).await else {
            return;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let ended = service.ended();
            let serve = http1::Builder::new()
                .max_buf_size(HEAD_BYTES_MAX)
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(|request: http::Request<hyper::body::Incoming>| {
                        let service = Arc::clone(&service);
                        async move { Ok::<_, Infallible>(service.answer(&request.into_parts().0).await) }
                    }),
                );
            tokio::select! {
                _ = serve => {}
                () = ended => {}
            }
            drop(place);
        });
    }
}

/// Passes an instance's connections on to the server, until it is dropped.
pub(super) async fn serve_endpoint(
    listener: UnixListener,
    server: SocketAddr,
    (origins, origin): (Origins, IpAddr),
    service: Arc<Service>,
) {
    let places = Arc::new(Semaphore::new(ENDPOINT_CONNECTIONS_MAX));
    loop {
        let Some((mut stream, place)) = accept(&listener, &places).await else {
            return;
        };
        let ended = service.ended();
        let origins = origins.clone();
        tokio::spawn(async move {
            let pass = async {
                let (mut server, _lent) = origins.connect(server, origin).await?;
                server.set_nodelay(true)?;
                copy_bidirectional(&mut stream, &mut server).await
            };
            tokio::select! {
                _ = pass => {}
                () = ended => {}
            }
            drop(place);
        });
    }
}

async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            // Too many open files: somebody will close one.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}
