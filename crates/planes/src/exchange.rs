//! One request and its answer: from the protocol library's request to the front's, and back.
//!
//! Invariant: whatever comes in, an answer goes out; a front that panics costs its caller a 500 and nobody else anything.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming as Arriving;
use pipeline::blobs::{STREAM_MEMORY_BYTES, STREAMED_FROM_BYTES};
use pipeline::front::Standing;
use pipeline::{Answer, Incoming, TlsFacts};
use tokio::time::Instant;

use crate::body::{self, Place, Room, Share, Shortfall, Tier};
use crate::front::{Front, Head, plain};
use crate::gauge::{Gauge, Reply, Running};
use crate::health;
use crate::limits::Limits;
use crate::target::{self, Refusal};
use crate::upload::{self, Upload};

/// What the exchanges of one connection share.
pub(crate) struct Exchange<F> {
    pub(crate) front: Arc<F>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) room: Arc<Room>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<TlsFacts>,
    pub(crate) standing: Standing,
}

impl<F: Front> Exchange<F> {
    /// Answers a request, always.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Arriving>) -> Response<Reply> {
        let running = Running::begin(&self.gauge, request.version() == Version::HTTP_2);
        let without_body = request.method() == Method::HEAD;
        let claims = claims_signature(request.headers(), request.uri());
        let unasked = request.version() != Version::HTTP_2
            && awaits_continue(request.headers())
            && request.body().is_end_stream();
        let mut answer = caught(|| self.dispatch(request))
            .await
            .unwrap_or_else(|Panicked| plain(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure\n"));
        if unasked {
            // Nobody is told to go on with a body that is empty, and clients that got no `100 Continue` may take the next answer of the
            // connection for the rest of this one.
            answer
                .headers
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let place = match &answer.body {
            pipeline::Body::Stream(_) if !without_body => {
                Some(Place::take(&self.room, STREAM_MEMORY_BYTES, self.tier(claims)))
            }
            _ => None,
        };
        match place {
            None => respond(answer, without_body, running, None),
            Some(Some(place)) => respond(answer, without_body, running, Some(place)),
            // What was asked for is not begun, so that the client may ask again.
            Some(None) => respond(
                self.refuse(refusal(Shortfall::NoRoom)),
                without_body,
                running,
                None,
            ),
        }
    }

    /// Whose memory a request takes now.
    fn tier(&self, claims: bool) -> Tier {
        match (self.standing.is_proven(), claims) {
            (true, _) => Tier::Proven,
            (false, true) => Tier::Claimed,
            (false, false) => Tier::Unsigned,
        }
    }

    async fn dispatch(&self, request: Request<Arriving>) -> Answer {
        let (mut parts, body) = request.into_parts();
        if let Some(answer) = health::answer(&parts.method, parts.uri.path(), || self.front.health()) {
            return answer;
        }
        let mut share = self
            .room
            .share(self.tier(claims_signature(&parts.headers, &parts.uri)));
        let (path, query) = match self.head(&mut parts) {
            Ok(target) => target,
            Err(refusal) => return self.refuse(refusal),
        };
        if self.streams(&parts, &path, &query, &body) {
            return self.stream(parts, (path, query), body, &mut share).await;
        }
        match self.receive(&parts, body, &mut share).await {
            Ok(body) => {
                let incoming = self.incoming(parts, (path, query), body.into());
                self.front.serve(incoming).await
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn incoming(
        &self,
        parts: http::request::Parts,
        (path, query): (String, String),
        body: pipeline::Body<Box<dyn pipeline::Arriving>>,
    ) -> Incoming {
        Incoming {
            method: parts.method,
            path,
            query,
            headers: parts.headers,
            body,
            peer: self.peer,
            tls: self.tls,
            standing: self.standing.clone(),
        }
    }

    /// Path and query, once the head is found in order.
    fn head(&self, parts: &mut http::request::Parts) -> Result<(String, String), Refusal> {
        if parts.headers.len() > self.limits.headers_max {
            return Err(Refusal {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                reason: "The request has too many headers.\n",
                close: true,
            });
        }
        let target = target::path_and_query(parts)?;
        target::settle_host(parts)?;
        Ok(target)
    }

    /// Whether the body is long, or may be, and the front takes it as it arrives.
    fn streams(&self, parts: &http::request::Parts, path: &str, query: &str, body: &Arriving) -> bool {
        let short = body
            .size_hint()
            .upper()
            .is_some_and(|most| most < STREAMED_FROM_BYTES);
        let head = Head {
            method: parts.method.as_str(),
            path,
            query,
            headers: &parts.headers,
        };
        !body.is_end_stream() && !short && self.front.streams(&head)
    }

    /// Hands the request on while its body arrives. It runs to its end even if the client breaks off, so that what the front admitted
    /// is recorded.
    async fn stream(
        &self,
        parts: http::request::Parts,
        target: (String, String),
        body: Arriving,
        share: &mut Share<'_>,
    ) -> Answer {
        if let Err(shortfall) = share.grow(STREAM_MEMORY_BYTES) {
            return self.refuse(refusal(shortfall));
        }
        let (begun, awaits_continue) = (Instant::now(), awaits_continue(&parts.headers));
        let (upload, leavings) = Upload::new(body, Arc::clone(&self.limits));
        let incoming = self.incoming(parts, target, pipeline::Body::Stream(Box::new(upload)));
        let front = Arc::clone(&self.front);
        let served = tokio::spawn(async move { front.serve(incoming).await }).await;
        let mut answer = match served {
            Ok(answer) => answer,
            Err(_panicked) => plain(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure\n"),
        };
        if let Some(mut unread) = upload::left(&leavings) {
            // A client that still waits sends nothing; another sends on, and sees the answer only when it has.
            let waits = awaits_continue && !unread.asked;
            let all = !waits && body::discard(&mut unread.body, &self.limits, begun, unread.received).await;
            if !all {
                self.gauge.leave_unread();
                answer
                    .headers
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        answer
    }

    async fn receive(
        &self,
        parts: &http::request::Parts,
        body: Arriving,
        share: &mut Share<'_>,
    ) -> Result<Bytes, Refusal> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let awaits_continue = awaits_continue(&parts.headers);
        body::receive(body, &self.limits, share, awaits_continue)
            .await
            .map_err(refusal)
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        let mut answer = self.front.refuse(refusal.status, refusal.reason);
        if refusal.close {
            self.gauge.leave_unread();
            answer
                .headers
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// Whether a request shows a signature, true or not.
fn claims_signature(headers: &http::HeaderMap, uri: &http::Uri) -> bool {
    headers.contains_key(header::AUTHORIZATION)
        || uri.query().is_some_and(|query| query.contains("Signature="))
}

/// Whether the client waits for leave to send its body.
fn awaits_continue(headers: &http::HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn refusal(shortfall: Shortfall) -> Refusal {
    let (status, reason) = match shortfall {
        Shortfall::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request's body is too large.\n",
        ),
        Shortfall::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "The request's body came too slowly.\n",
        ),
        Shortfall::NoRoom => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server holds too many bodies. Try again.\n",
        ),
        Shortfall::Broken => (StatusCode::BAD_REQUEST, "The request's body is malformed.\n"),
    };
    Refusal {
        status,
        reason,
        close: true,
    }
}

fn respond(answer: Answer, without_body: bool, running: Running, place: Option<Place>) -> Response<Reply> {
    let Answer {
        status,
        mut headers,
        mut body,
    } = answer;
    headers
        .entry(header::SERVER)
        .or_insert(HeaderValue::from_static("Ringwork"));
    let size = match &body {
        pipeline::Body::Whole(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        pipeline::Body::Stream(stream) => stream.size(),
    };
    if without_body && size > 0 {
        // The length that GET would have had (RFC 9110, section 9.3.2).
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(size));
        body = Bytes::new().into();
    }
    let mut response = Response::new(running.answered(body, place));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

struct Panicked;

/// Runs a future to its end; a panic inside becomes an error. What it leaves behind is not seen again: the future is
/// not polled afterwards, and a front guards its own state. It is made here, in its place: as an argument it would be held twice, and
/// copied, for every request.
async fn caught<T, F: Future<Output = T>>(future: impl FnOnce() -> F) -> Result<T, Panicked> {
    let mut future = pin!(future());
    std::future::poll_fn(
        move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_panic) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}
