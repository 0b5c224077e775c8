//! What a connection is doing, and until when it may: one deadline, derived from a few atomics.
//!
//! Invariant: in every state in which the connection waits for its peer there is a deadline; only while a request is in
//! the front's hands there is none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pipeline::{Damaged, Departing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::body::Place;
use crate::limits::Limits;

/// Stands for "not happening" in the fields that hold a time.
const NEVER: u64 = u64::MAX;
/// Bytes that are read at most to let the peer see a refusal.
const LINGER_BYTES_MAX: usize = 1 << 20;

/// The state of one connection. Times are milliseconds since it was accepted.
pub(crate) struct Gauge {
    limits: Arc<Limits>,
    born: Instant,
    requests: AtomicU64,
    /// Requests being received or answered by the front.
    running: AtomicU32,
    /// Answers whose bytes the connection has not taken over yet.
    answering: AtomicU32,
    answers_due: AtomicU64,
    blocked_since: AtomicU64,
    quiet_since: AtomicU64,
    head_since: AtomicU64,
    closing_since: AtomicU64,
    stopping_since: AtomicU64,
    heard: AtomicBool,
    multiplexed: AtomicBool,
    unread: AtomicBool,
}

impl Gauge {
    pub(crate) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            born: Instant::now(),
            requests: AtomicU64::new(0),
            running: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            answers_due: AtomicU64::new(0),
            blocked_since: AtomicU64::new(NEVER),
            quiet_since: AtomicU64::new(0),
            // The first request is due as if its head had begun, so that opening a connection buys no idle time.
            head_since: AtomicU64::new(0),
            closing_since: AtomicU64::new(NEVER),
            stopping_since: AtomicU64::new(NEVER),
            heard: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
        })
    }

    /// Requests seen on the connection so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Whether no request is served and no answer is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.load(Relaxed) == 0 && self.answering.load(Relaxed) == 0
    }

    /// Notes that the server stops: an idle connection gets only the time to say goodbye.
    pub(crate) fn stop(&self) {
        self.stopping_since.store(self.now(), Relaxed);
    }

    /// Notes that the connection ends with bytes of the peer unread.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// The time at which the connection is to be dropped if nothing happens; `None` while a request runs.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limits = &self.limits;
        let closing = self.closing_since.load(Relaxed);
        if closing != NEVER {
            return Some(self.at(closing, limits.linger_time));
        }
        if self.running.load(Relaxed) > 0 {
            return None;
        }
        let blocked = self.blocked_since.load(Relaxed);
        if blocked != NEVER || self.answering.load(Relaxed) > 0 {
            let due = self.at(self.answers_due.load(Relaxed), Duration::ZERO);
            return Some(if blocked == NEVER {
                due
            } else {
                due.max(self.at(blocked, limits.answer_time))
            });
        }
        let head = self.head_since.load(Relaxed);
        let quiet = self.quiet_since.load(Relaxed);
        let waiting = if head == NEVER {
            self.at(quiet, limits.idle_time)
        } else {
            self.at(head, limits.head_time)
        };
        let stopping = self.stopping_since.load(Relaxed);
        if stopping == NEVER {
            return Some(waiting);
        }
        Some(waiting.min(self.at(stopping.max(quiet), limits.linger_time)))
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }

    fn at(&self, since: u64, time: Duration) -> Instant {
        self.born + Duration::from_millis(since) + time
    }

    fn heard(&self) {
        self.heard.store(true, Relaxed);
        // Streams of HTTP/2 interleave with frames that belong to no request, so only its first head is timed; later
        // ones fall under the idle time.
        if self.head_since.load(Relaxed) == NEVER
            && self.running.load(Relaxed) == 0
            && self.answering.load(Relaxed) == 0
            && !self.multiplexed.load(Relaxed)
        {
            self.head_since.store(self.now(), Relaxed);
        }
    }

    fn wrote<T>(&self, outcome: Poll<T>) -> Poll<T> {
        if outcome.is_ready() {
            if self.blocked_since.load(Relaxed) != NEVER {
                self.blocked_since.store(NEVER, Relaxed);
            }
        } else if self.blocked_since.load(Relaxed) == NEVER {
            self.blocked_since.store(self.now(), Relaxed);
        }
        outcome
    }

    /// Gives the client the time that it needs for so many more bytes.
    fn sends(&self, bytes: usize) {
        let due = self.now().saturating_add(millis(self.limits.answer_due(bytes)));
        self.answers_due.fetch_max(due, Relaxed);
    }

    fn must_linger(&self) -> bool {
        let amid_head = self.heard.load(Relaxed) && self.head_since.load(Relaxed) != NEVER;
        self.unread.load(Relaxed) || amid_head
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER - 1)
}

/// A request in the front's hands; dropped when it is answered or given up.
pub(crate) struct Running(Arc<Gauge>);

impl Running {
    pub(crate) fn begin(gauge: &Arc<Gauge>, multiplexed: bool) -> Self {
        gauge.requests.fetch_add(1, Relaxed);
        gauge.running.fetch_add(1, Relaxed);
        gauge.head_since.store(NEVER, Relaxed);
        if multiplexed {
            gauge.multiplexed.store(true, Relaxed);
        }
        Self(Arc::clone(gauge))
    }

    /// Turns the answer's bytes into a body that is watched until the connection has taken it over.
    pub(crate) fn answered(self, body: pipeline::Body<Box<dyn Departing>>, place: Option<Place>) -> Reply {
        let gauge = &self.0;
        gauge.answering.fetch_add(1, Relaxed);
        gauge.sends(body.at_hand().len());
        let left = match &body {
            pipeline::Body::Whole(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            pipeline::Body::Stream(stream) => stream.size(),
        };
        Reply {
            body,
            left,
            _place: place,
            gauge: Arc::clone(gauge),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.quiet_since.store(self.0.now(), Relaxed);
        self.0.running.fetch_sub(1, Relaxed);
    }
}

/// The body of an answer: one piece of bytes, or a stream of which each piece gives the client time for itself.
pub(crate) struct Reply {
    body: pipeline::Body<Box<dyn Departing>>,
    /// Bytes that the connection has not taken over yet.
    left: u64,
    /// The room that a stream's batches take.
    _place: Option<Place>,
    gauge: Arc<Gauge>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Damaged;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = match &mut self.body {
            pipeline::Body::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            pipeline::Body::Stream(stream) => match ready!(stream.poll_next(cx)) {
                None => None,
                Some(Ok(bytes)) => {
                    self.gauge.sends(bytes.len());
                    Some(bytes)
                }
                Some(Err(damaged)) => return Poll::Ready(Some(Err(damaged))),
            },
        };
        let taken = next.as_ref().map_or(0, Bytes::len);
        self.left = self.left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.gauge.quiet_since.store(self.gauge.now(), Relaxed);
        self.gauge.answering.fetch_sub(1, Relaxed);
    }
}

/// A stream that tells the gauge what passes through it.
pub(crate) struct Gauged<S> {
    stream: S,
    gauge: Arc<Gauge>,
    lingered: Option<usize>,
}

impl<S> Gauged<S> {
    pub(crate) fn new(stream: S, gauge: Arc<Gauge>) -> Self {
        Self {
            stream,
            gauge,
            lingered: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gauged<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.gauge.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gauged<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.gauge.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.gauge.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.gauge.wrote(outcome)
    }

    /// Ends the connection. When bytes of the peer are still under way, closing at once would answer them with a reset,
    /// which destroys the refusal that the peer has not read yet: then they are read and dropped first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingered.is_none() {
            if self.gauge.closing_since.load(Relaxed) == NEVER {
                self.gauge.closing_since.store(self.gauge.now(), Relaxed);
            }
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.gauge.must_linger() {
                return Poll::Ready(Ok(()));
            }
        }
        let mut lingered = self.lingered.unwrap_or(0);
        let mut scratch = [0_u8; 4096];
        while lingered < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            self.lingered = Some(lingered);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            lingered += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge() -> Arc<Gauge> {
        Gauge::new(Arc::new(Limits::default()))
    }

    fn due_in(gauge: &Gauge) -> Option<Duration> {
        gauge.deadline().map(|due| due.duration_since(gauge.born))
    }

    #[tokio::test]
    async fn the_first_head_is_timed_from_the_start_and_a_running_request_is_not() {
        let gauge = gauge();
        assert_eq!(due_in(&gauge), Some(Duration::from_secs(10)));
        let running = Running::begin(&gauge, false);
        assert_eq!(due_in(&gauge), None);
        let reply = running.answered(Bytes::from_static(b"x").into(), None);
        assert!(due_in(&gauge).unwrap() >= Duration::from_secs(60));
        drop(reply);
        let idle = due_in(&gauge).unwrap();
        assert!(
            idle >= Duration::from_secs(75) && idle < Duration::from_secs(80),
            "{idle:?}"
        );
        gauge.heard();
        assert!(
            due_in(&gauge).unwrap() < Duration::from_secs(20),
            "a head has begun"
        );
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_leaves_the_connection_idle_not_unwatched() {
        let gauge = gauge();
        drop(Running::begin(&gauge, true));
        assert!(gauge.deadline().is_some());
        gauge.heard();
        assert!(
            due_in(&gauge).unwrap() > Duration::from_secs(60),
            "frames of HTTP/2 are no head"
        );
    }

    #[tokio::test]
    async fn stopping_leaves_an_idle_connection_the_time_to_say_goodbye() {
        let gauge = gauge();
        drop(Running::begin(&gauge, false).answered(Bytes::new().into(), None));
        gauge.stop();
        assert!(due_in(&gauge).unwrap() <= Duration::from_secs(5));
    }

    #[tokio::test]
    async fn what_the_peer_still_sends_is_taken_so_that_it_can_read_the_refusal() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (near, mut far) = tokio::io::duplex(4);
        let gauge = gauge();
        gauge.leave_unread();
        let mut near = Gauged::new(near, Arc::clone(&gauge));
        let peer = async move {
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "the end is said first");
            far.write_all(b"more than fits into the pipe").await
        };
        let both = async { tokio::join!(near.shutdown(), peer) };
        let (ended, sent) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
        ended.unwrap();
        sent.unwrap();
        assert!(
            due_in(&gauge).unwrap() <= Duration::from_secs(5),
            "and the patience for it is bounded"
        );
    }
}
