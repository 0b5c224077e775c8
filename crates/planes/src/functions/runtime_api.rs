//! The Runtime API, as one sandbox sees it: the next event, the answer, the errors.
//!
//! Every sandbox has a listener of its own on a loopback port, and a connection is served only if the system says that its other end
//! belongs to a process of the sandbox.
//!
//! Invariant: an answer counts only for the event that the sandbox has, once.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API".

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustix::process::Pid;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::jail::family;

const API: &str = "/2018-06-01/runtime/";
/// Bytes of an answer: 6 MB and what AWS allows around it.
pub(super) const ANSWER_MAX: usize = 6_291_556;
/// Bytes of an error.
const ERROR_MAX: usize = 1 << 20;
/// Connections of a sandbox at a time.
const CONNECTIONS_MAX: usize = 16;

/// What a sandbox is to do.
pub(super) struct Event {
    pub(super) request_id: String,
    /// By this machine's clock, in milliseconds since the epoch: functions compare it with that.
    pub(super) deadline_ms: u128,
    pub(super) invoked_arn: String,
    pub(super) trace_id: Option<String>,
    pub(super) client_context: Option<String>,
    pub(super) payload: Bytes,
}

/// What a sandbox says.
pub(super) enum Said {
    /// It asks for the next event.
    Ready,
    InitError(Bytes),
    Answer(Bytes),
    Error(Bytes, Option<String>),
    /// Its answer was longer than `ANSWER_MAX`.
    TooLong,
}

struct Api {
    port: u16,
    user: Option<u32>,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    said: mpsc::UnboundedSender<Said>,
    /// The id of the event that the sandbox has not answered yet.
    current: Mutex<Option<String>>,
}

/// Serves one sandbox until it is dropped. `process` is set once the sandbox's first process is there; `user` is its own, if it has one.
pub(super) async fn serve(
    listener: TcpListener,
    (process, user): (Arc<OnceLock<Pid>>, Option<u32>),
    events: mpsc::Receiver<Event>,
    said: mpsc::UnboundedSender<Said>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let api = Arc::new(Api {
        port: address.port(),
        user,
        events: tokio::sync::Mutex::new(events),
        said,
        current: Mutex::default(),
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else { continue };
                let ours = process.get().is_some_and(|process| api.is_of(*process, peer));
                if ours && connections.len() < CONNECTIONS_MAX {
                    connections.spawn(Arc::clone(&api).converse(stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Api {
    /// Whether a peer is a process of the sandbox. Where the system does not tell who holds a connection, the port alone protects it.
    fn is_of(&self, process: Pid, peer: SocketAddr) -> bool {
        family::holds_connection(process, self.user, peer.port(), self.port).unwrap_or(true)
    }

    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let api = Arc::clone(&self);
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let Some(path) = path.strip_prefix(API) else {
            return refused(StatusCode::NOT_FOUND, "NotFound", "There is no such path.");
        };
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.respond(id, request).await,
            (&Method::POST, ["invocation", id, "error"]) => self.fail(id, request).await,
            (&Method::POST, ["init", "error"]) => match read(request, ERROR_MAX).await {
                Ok(body) => {
                    let _ = self.said.send(Said::InitError(body));
                    accepted()
                }
                Err(refusal) => refusal,
            },
            _ => refused(StatusCode::NOT_FOUND, "NotFound", "There is no such path."),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let mut events = self.events.lock().await;
        let _ = self.said.send(Said::Ready);
        let Some(event) = events.recv().await else {
            return refused(StatusCode::GONE, "Stopped", "The sandbox is stopped.");
        };
        *self.current.lock() = Some(event.request_id.clone());
        let mut response = Response::new(Full::new(event.payload));
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("content-type", "application/json");
        set("lambda-runtime-aws-request-id", &event.request_id);
        set("lambda-runtime-deadline-ms", &event.deadline_ms.to_string());
        set("lambda-runtime-invoked-function-arn", &event.invoked_arn);
        if let Some(trace) = &event.trace_id {
            set("lambda-runtime-trace-id", trace);
        }
        if let Some(context) = &event.client_context {
            set("lambda-runtime-client-context", &ascii(context));
        }
        response
    }

    /// Takes the event away from the sandbox, if it is the one that it has.
    fn take(&self, id: &str) -> bool {
        self.current.lock().take_if(|current| current == id).is_some()
    }

    async fn respond(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let failed =
            header(&request, "lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
        if failed {
            let words = "Streamed responses are not supported.";
            return refused(StatusCode::BAD_REQUEST, "InvalidResponseMode", words);
        }
        let body = read(request, ANSWER_MAX).await;
        if !self.take(id) {
            return unknown_id();
        }
        match body {
            Ok(body) => {
                let _ = self.said.send(Said::Answer(body));
                accepted()
            }
            Err(refusal) => {
                let _ = self.said.send(Said::TooLong);
                refusal
            }
        }
    }

    async fn fail(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = header(&request, "lambda-runtime-function-error-type");
        let body = match read(request, ERROR_MAX).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        if !self.take(id) {
            return unknown_id();
        }
        let _ = self.said.send(Said::Error(body, kind));
        accepted()
    }
}

fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    let value = request.headers().get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

async fn read(request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, Response<Full<Bytes>>> {
    match Limited::new(request.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let words = format!("Exceeded maximum allowed payload size ({bytes_max} bytes).");
            Err(refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &words,
            ))
        }
        Err(_) => Err(refused(
            StatusCode::BAD_REQUEST,
            "InvalidRequest",
            "The body broke off.",
        )),
    }
}

/// JSON that fits into a header.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        if character.is_ascii() {
            text.push(if character.is_ascii_control() {
                ' '
            } else {
                character
            });
        } else {
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, &serde_json::json!({"status": "OK"}))
}

fn unknown_id() -> Response<Full<Bytes>> {
    refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn refused(status: StatusCode, kind: &str, words: &str) -> Response<Full<Bytes>> {
    json(
        status,
        &serde_json::json!({"errorMessage": words, "errorType": kind}),
    )
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_fit_into_headers() {
        assert_eq!(ascii("{\"a\": \"ü😀\n\"}"), "{\"a\": \"\\u00fc\\ud83d\\ude00 \"}");
    }
}
