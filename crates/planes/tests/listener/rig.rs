//! A server with a front whose behaviour is chosen by the path, and a client that sees the bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use pipeline::{Answer, Body, Damaged, Departing, Incoming};
use planes::{Front, Head, Health, Limits, Listener, ListenerConfig, Served};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for any machine; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Limits of which none ends a connection within a test.
pub(crate) fn long() -> Limits {
    let hour = Duration::from_secs(3600);
    Limits {
        first_byte_time: hour,
        handshake_time: hour,
        head_time: hour,
        body_grace: hour,
        body_time_max: hour,
        idle_time: hour,
        answer_time: hour,
        linger_time: hour,
        drain_time: hour,
        ..Limits::default()
    }
}

pub(crate) struct Probe {
    entered: mpsc::UnboundedSender<()>,
    dropped: mpsc::UnboundedSender<()>,
    pub(crate) release: Semaphore,
}

/// Bytes that tell when the server lets go of them.
struct Watched(Vec<u8>, mpsc::UnboundedSender<()>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.1.send(());
    }
}

pub(crate) const HUGE: usize = 64 << 20;

fn text(body: impl Into<Bytes>) -> Answer {
    Answer {
        status: 200,
        headers: HeaderMap::new(),
        body: body.into().into(),
    }
}

/// An answer that comes in pieces, of which it tells as they are taken.
struct Flowing {
    left: usize,
    damaged: bool,
    taken: mpsc::UnboundedSender<()>,
    _watched: Watched,
}

impl Departing for Flowing {
    fn size(&self) -> u64 {
        HUGE as u64
    }

    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Damaged>>> {
        const PIECE: usize = 64 << 10;
        if self.damaged && self.left < HUGE / 2 {
            return Poll::Ready(Some(Err(Damaged)));
        }
        let piece = self.left.min(PIECE);
        self.left -= piece;
        let _ = self.taken.send(());
        Poll::Ready((piece > 0).then(|| Ok(Bytes::from(vec![b'x'; piece]))))
    }
}

impl Front for Probe {
    async fn serve(&self, request: Incoming) -> Answer {
        match request.path.as_str() {
            "/prove" => {
                request.standing.prove();
                text("proven")
            }
            "/echo" => text(request.body.at_hand().to_vec()),
            "/host" => text(request.headers[http::header::HOST].as_bytes().to_vec()),
            "/tls" => text(request.tls.map_or("none".to_owned(), |tls| {
                format!("{} {}", tls.version, tls.cipher_suite)
            })),
            "/panic" => panic!("as the test asked"),
            "/hold" => {
                self.entered.send(()).unwrap();
                self.release.acquire().await.unwrap().forget();
                text("held")
            }
            "/huge" => text(Bytes::from_owner(Watched(vec![b'x'; HUGE], self.dropped.clone()))),
            "/stream/count" => {
                self.entered.send(()).unwrap();
                let _watched = Watched(Vec::new(), self.dropped.clone());
                let mut received = 0;
                let Body::Stream(mut body) = request.body else {
                    return text("whole");
                };
                loop {
                    match body.next().await {
                        Ok(Some(bytes)) => received += bytes.len(),
                        Ok(None) => return text(received.to_string()),
                        Err(interrupted) => return text(format!("{interrupted:?}")),
                    }
                }
            }
            "/stream/refuse" => Answer {
                status: 403,
                ..text("no")
            },
            "/flow/whole" | "/flow/damaged" => Answer {
                body: Body::Stream(Box::new(Flowing {
                    left: HUGE,
                    damaged: request.path.ends_with("damaged"),
                    taken: self.entered.clone(),
                    _watched: Watched(Vec::new(), self.dropped.clone()),
                })),
                ..text("")
            },
            _ => text(format!("{} {} {}", request.method, request.path, request.query)),
        }
    }

    fn streams(&self, head: &Head<'_>) -> bool {
        head.path.starts_with("/stream/")
    }

    fn health(&self) -> Health {
        Health {
            version: "0.1.0",
            store_open: true,
            seal_open: true,
            services: [("kms", "available")].into(),
        }
    }
}

pub(crate) struct Server {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) entered: mpsc::UnboundedReceiver<()>,
    pub(crate) dropped: mpsc::UnboundedReceiver<()>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Served>,
}

impl Server {
    pub(crate) async fn start(config: ListenerConfig) -> Self {
        Self::start_on(&["127.0.0.1:0"], config).await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::start(ListenerConfig {
            limits,
            ..ListenerConfig::default()
        })
        .await
    }

    pub(crate) async fn start_on(addresses: &[&str], config: ListenerConfig) -> Self {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let listener = Listener::bind(&addresses, config).await.unwrap();
        let addresses = listener.addresses().to_vec();
        let (enter, entered) = mpsc::unbounded_channel();
        let (drop, dropped) = mpsc::unbounded_channel();
        let probe = Arc::new(Probe {
            entered: enter,
            dropped: drop,
            release: Semaphore::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let front = Arc::clone(&probe);
        let done = tokio::spawn(async move {
            listener
                .serve(front, async {
                    let _ = stopped.await;
                })
                .await
        });
        Self {
            addresses,
            probe,
            entered,
            dropped,
            stop,
            done,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.unwrap()
    }

    /// Whether a plain request on a new connection is answered.
    pub(crate) async fn is_alive(&self) -> bool {
        let mut stream = self.connect().await;
        send(&mut stream, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n").await;
        answer(&mut stream).await.body == "GET /alive "
    }

    pub(crate) fn begin_stop(self) -> JoinHandle<Served> {
        self.stop.send(()).unwrap();
        self.done
    }

    pub(crate) async fn stop(self) -> Served {
        within(self.begin_stop()).await.unwrap()
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes far too long")
}

pub(crate) async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: impl AsRef<[u8]>) {
    within(stream.write_all(bytes.as_ref())).await.unwrap();
    within(stream.flush()).await.unwrap();
}

pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One answer, by its length.
pub(crate) async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Seen {
    let head = head(stream).await;
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        })
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    within(stream.read_exact(&mut body)).await.unwrap();
    Seen {
        status: head[9..12].parse().unwrap(),
        head,
        body: String::from_utf8(body).unwrap(),
    }
}

/// Everything up to the empty line.
pub(crate) async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = within(stream.read_u8()).await;
        head.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head).unwrap()
}

/// Everything up to the end of the connection; a reset is an end too.
pub(crate) async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = within(stream.read_to_end(&mut bytes)).await;
    bytes
}
