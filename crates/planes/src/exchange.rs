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
use pipeline::{Answer, Incoming, TlsFacts};

use crate::body::{self, Room, Share, Shortfall};
use crate::front::{Front, plain};
use crate::gauge::{Gauge, Reply, Running};
use crate::health;
use crate::limits::Limits;
use crate::target::{self, Refusal};

/// What the exchanges of one connection share.
pub(crate) struct Exchange<F> {
    pub(crate) front: Arc<F>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) room: Arc<Room>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<TlsFacts>,
}

impl<F: Front> Exchange<F> {
    /// Answers a request, always.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Arriving>) -> Response<Reply> {
        let running = Running::begin(&self.gauge, request.version() == Version::HTTP_2);
        let without_body = request.method() == Method::HEAD;
        let answer = caught(self.dispatch(request))
            .await
            .unwrap_or_else(|Panicked| plain(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure\n"));
        respond(answer, without_body, running)
    }

    async fn dispatch(&self, request: Request<Arriving>) -> Answer {
        let (mut parts, body) = request.into_parts();
        if let Some(answer) = health::answer(&parts.method, parts.uri.path(), || self.front.health()) {
            return answer;
        }
        let mut share = self.room.share();
        match self.receive(&mut parts, body, &mut share).await {
            Ok((path, query, body)) => {
                let incoming = Incoming {
                    method: parts.method,
                    path,
                    query,
                    headers: parts.headers,
                    body,
                    peer: self.peer,
                    tls: self.tls,
                };
                self.front.serve(incoming).await
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    async fn receive(
        &self,
        parts: &mut http::request::Parts,
        body: Arriving,
        share: &mut Share<'_>,
    ) -> Result<(String, String, Bytes), Refusal> {
        if parts.headers.len() > self.limits.headers_max {
            return Err(Refusal {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                reason: "The request has too many headers.\n",
                close: true,
            });
        }
        let (path, query) = target::path_and_query(parts)?;
        target::settle_host(parts)?;
        if body.is_end_stream() {
            return Ok((path, query, Bytes::new()));
        }
        let awaits_continue = parts
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let body = body::receive(body, &self.limits, share, awaits_continue)
            .await
            .map_err(refusal)?;
        Ok((path, query, body))
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

fn respond(answer: Answer, without_body: bool, running: Running) -> Response<Reply> {
    let Answer {
        status,
        mut headers,
        mut body,
    } = answer;
    headers
        .entry(header::SERVER)
        .or_insert(HeaderValue::from_static("Ringwork"));
    if without_body && !body.is_empty() {
        // The length that GET would have had (RFC 9110, section 9.3.2).
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(body.len()));
        body = Bytes::new();
    }
    let mut response = Response::new(running.answered(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

struct Panicked;

/// Runs a future to its end; a panic inside becomes an error. What it leaves behind is not seen again: the future is
/// not polled afterwards, and a front guards its own state.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(
        move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_panic) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}
