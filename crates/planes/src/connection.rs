//! One connection: tells TLS from plaintext by the first byte, and speaks HTTP until the peer, a limit or a stop ends it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use pipeline::TlsFacts;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use crate::admission::Holder;
use crate::body::Room;
use crate::exchange::Exchange;
use crate::front::Front;
use crate::gauge::{Gauge, Gauged};
use crate::limits::Limits;
use crate::tls;

/// The first byte of a TLS record that holds a handshake (RFC 8446, section 5.1). No HTTP method begins with it.
const TLS_HANDSHAKE: u8 = 0x16;
/// The codec's own bound on header fields, which costs it no allocation.
const CODEC_HEADERS_MAX: usize = 100;
/// The least that the codec accepts as the size of a head.
const CODEC_HEAD_BYTES_MIN: usize = 8 << 10;

const PLAINTEXT_REFUSED: &str = "HTTP/1.1 403 Forbidden\r\nServer: Ringwork\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 142\r\nConnection: close\r\n\r\n\
    Plaintext is served to loopback only, since credentials and data would cross the network in clear.\n\
    Use https: `ringwork env --tls` shows how.\n";

/// What all connections of a listener share.
pub(crate) struct Ground<F> {
    pub(crate) front: Arc<F>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) room: Arc<Room>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) http: auto::Builder<TokioExecutor>,
}

/// Configures the codec. Times are not left to it: its head timer also runs between requests and is made anew for each.
pub(crate) fn codec(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head_bytes = limits.head_bytes_max.max(CODEC_HEAD_BYTES_MIN);
    let mut http1 = builder.http1();
    // A client may close its sending side after a request and still read the answer.
    http1
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(head_bytes);
    if limits.headers_max > CODEC_HEADERS_MAX {
        http1.max_headers(limits.headers_max);
    }
    builder
        .http2()
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(limits.pending_resets_max)
        .max_local_error_reset_streams(limits.error_resets_max)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX));
    builder
}

impl<F: Front> Ground<F> {
    /// Serves one connection to its end, which may be in plaintext or not; returns the number of requests seen on it.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        (peer, plain): (SocketAddr, bool),
        holder: &Arc<Holder>,
        mut stop: watch::Receiver<bool>,
    ) -> u64 {
        // Answers are written whole; waiting for more would only add a delay.
        let _ = stream.set_nodelay(true);
        let opening = async {
            let first = timeout(self.limits.first_byte_time, first_byte(&stream))
                .await
                .ok()?
                .ok()??;
            Some(if first == TLS_HANDSHAKE {
                Opened::Tls
            } else {
                Opened::Plain
            })
        };
        let opened = tokio::select! {
            opened = opening => opened,
            _ = stop.wait_for(|stopping| *stopping) => None,
        };
        match opened {
            None => 0,
            Some(Opened::Plain) if plain => self.speak(stream, peer, holder, None, stop).await,
            Some(Opened::Plain) => {
                self.refuse_plaintext(stream).await;
                0
            }
            Some(Opened::Tls) => self.serve_tls(stream, peer, holder, stop).await,
        }
    }

    async fn serve_tls(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        holder: &Arc<Holder>,
        mut stop: watch::Receiver<bool>,
    ) -> u64 {
        let Some(acceptor) = &self.tls else { return 0 };
        let handshake = timeout(self.limits.handshake_time, acceptor.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            _ = stop.wait_for(|stopping| *stopping) => return 0,
        };
        let Ok(Ok(stream)) = shaken else { return 0 };
        let facts = tls::facts(stream.get_ref().1);
        self.speak(stream, peer, holder, facts, stop).await
    }

    /// Says why, without having read a byte of what came in clear.
    async fn refuse_plaintext(&self, mut stream: TcpStream) {
        let farewell = async {
            stream.write_all(PLAINTEXT_REFUSED.as_bytes()).await?;
            stream.shutdown().await?;
            let mut scratch = [0_u8; 4096];
            while stream.read(&mut scratch).await? > 0 {}
            io::Result::Ok(())
        };
        // A peer that keeps sending, or never reads, gets no more than the linger time.
        let _ = timeout(self.limits.linger_time, farewell).await;
    }

    async fn speak<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        holder: &Arc<Holder>,
        tls: Option<TlsFacts>,
        mut stop: watch::Receiver<bool>,
    ) -> u64
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let gauge = Gauge::new(Arc::clone(&self.limits));
        holder.speaks(&gauge);
        let exchange = Arc::new(Exchange {
            front: Arc::clone(&self.front),
            limits: Arc::clone(&self.limits),
            room: Arc::clone(&self.room),
            gauge: Arc::clone(&gauge),
            peer,
            tls,
            standing: holder.standing.clone(),
        });
        let service = service_fn(move |request| {
            let exchange = Arc::clone(&exchange);
            async move { Ok::<_, Infallible>(exchange.answer(request).await) }
        });
        let io = TokioIo::new(Gauged::new(stream, Arc::clone(&gauge)));
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut stopped = pin!(stop.wait_for(|stopping| *stopping));
        let mut stopping = false;
        let mut armed = Instant::now() + self.limits.head_time;
        let mut timer = pin!(sleep_until(armed));
        std::future::poll_fn(|cx| {
            if !stopping && stopped.as_mut().poll(cx).is_ready() {
                stopping = true;
                gauge.stop();
                connection.as_mut().graceful_shutdown();
            }
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            loop {
                // The timer is set anew only when the deadline comes nearer; when it moves away, as it does with every
                // request, the timer is left to fire and look again.
                let deadline = gauge.deadline();
                if let Some(due) = deadline.filter(|due| *due < armed) {
                    armed = due;
                    timer.as_mut().reset(armed);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                match deadline {
                    Some(due) if due <= Instant::now() => return Poll::Ready(()),
                    Some(due) => armed = due,
                    None => armed = Instant::now() + self.limits.idle_time.max(Duration::from_millis(1)),
                }
                timer.as_mut().reset(armed);
            }
        })
        .await;
        gauge.requests()
    }
}

enum Opened {
    Plain,
    Tls,
}

/// The first byte, left in the socket; `None` when the peer closed without one.
async fn first_byte(stream: &TcpStream) -> io::Result<Option<u8>> {
    let mut bytes = [0_u8; 1];
    let read = stream.peek(&mut bytes).await?;
    Ok(bytes.first().copied().filter(|_| read > 0))
}
