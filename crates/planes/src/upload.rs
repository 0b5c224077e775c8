//! A request's body as a stream: bounded by the client's progress, not by its length.
//!
//! Invariant: nothing is read before it is asked for, so a client that waits for `100 Continue` sends nothing to a request that is
//! refused; what was not read is given back to the connection's side, which ends it in good order.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use pipeline::{Arriving, Interrupted};
use tokio::time::{Instant, timeout};

use crate::limits::Limits;

/// What is left of a body when the front is done with it.
pub(crate) struct Unread<B> {
    pub(crate) body: B,
    /// Bytes that were read.
    pub(crate) received: usize,
    /// Whether any were asked for: before that, no client was told to continue.
    pub(crate) asked: bool,
}

/// Where an upload leaves what was not read of it.
pub(crate) type Leavings<B> = Arc<Mutex<Option<Unread<B>>>>;

/// A body that the front reads as it arrives.
pub(crate) struct Upload<B> {
    /// `None` once it ended or broke off.
    body: Option<B>,
    limits: Arc<Limits>,
    received: usize,
    /// Time that was spent waiting for the client.
    waited: Duration,
    asked: bool,
    leavings: Leavings<B>,
}

impl<B> Upload<B> {
    pub(crate) fn new(body: B, limits: Arc<Limits>) -> (Self, Leavings<B>) {
        let leavings = Leavings::default();
        let upload = Self {
            body: Some(body),
            limits,
            received: 0,
            waited: Duration::ZERO,
            asked: false,
            leavings: Arc::clone(&leavings),
        };
        (upload, leavings)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    async fn next_piece(&mut self) -> Result<Option<Bytes>, Interrupted> {
        self.asked = true;
        let Some(mut body) = self.body.take() else {
            return Ok(None);
        };
        loop {
            // Beside its average, a client may not rest longer than the grace.
            let due = self.limits.stream_due(self.received).saturating_sub(self.waited);
            let begun = Instant::now();
            let framed = timeout(due.min(self.limits.body_grace), body.frame()).await;
            self.waited += begun.elapsed();
            match framed {
                Err(_elapsed) => return Err(Interrupted::TooSlow),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_broken))) => return Err(Interrupted::Broken),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.received = self.received.saturating_add(data.len());
                        self.body = Some(body);
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin + Send + Sync> Arriving for Upload<B>
where
    B::Error: Send,
{
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Option<Bytes>, Interrupted>> + Send + '_>> {
        Box::pin(self.next_piece())
    }
}

impl<B> Drop for Upload<B> {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        // Nothing can panic while it is held.
        let mut leavings = self.leavings.lock().unwrap_or_else(PoisonError::into_inner);
        *leavings = Some(Unread {
            body,
            received: self.received,
            asked: self.asked,
        });
    }
}

/// What an upload left, once it is gone.
pub(crate) fn left<B>(leavings: &Leavings<B>) -> Option<Unread<B>> {
    leavings.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// Sends a piece every so often, for ever.
    struct Dripping {
        every: Duration,
        bytes: usize,
        sleep: Pin<Box<tokio::time::Sleep>>,
    }

    impl Body for Dripping {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            std::task::ready!(self.sleep.as_mut().poll(cx));
            let next = Instant::now() + self.every;
            self.sleep.as_mut().reset(next);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; self.bytes])))))
        }
    }

    /// How long a client is borne with that drips so.
    async fn borne(every: Duration, bytes: usize, most: Duration) -> Duration {
        let sleep = Box::pin(tokio::time::sleep(every));
        let (mut upload, _) = Upload::new(Dripping { every, bytes, sleep }, Arc::new(Limits::default()));
        let begun = Instant::now();
        while begun.elapsed() < most && upload.next().await.is_ok() {}
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn progress_buys_time_and_dripping_does_not() {
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        assert!(
            borne(second, 16 << 10, day).await >= day,
            "above the least rate for ever"
        );
        assert!(
            borne(second, 1 << 10, day).await < Duration::from_secs(30),
            "below it"
        );
        assert!(
            borne(Duration::from_secs(3600), 1 << 30, day).await < Duration::from_secs(30),
            "no rests"
        );
    }

    #[tokio::test]
    async fn what_was_not_read_is_left() {
        let body = || http_body_util::Full::new(Bytes::from_static(b"abc"));
        let (upload, leavings) = Upload::new(body(), Arc::new(Limits::default()));
        drop(upload);
        let unread = left(&leavings).unwrap();
        assert!(!unread.asked && unread.received == 0);
        let (mut upload, leavings) = Upload::new(body(), Arc::new(Limits::default()));
        assert_eq!(upload.next().await.unwrap().unwrap(), "abc");
        assert_eq!(upload.next().await.unwrap(), None);
        drop(upload);
        assert!(left(&leavings).is_none());
    }
}
