//! `/_ringwork/live`, `/ready` and `/health`: answered without credentials, so they tell nothing about any account.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pipeline::Answer;
use serde::Serialize;

use crate::front::{Health, plain};

#[derive(Serialize)]
struct Report<'a> {
    status: &'static str,
    #[serde(flatten)]
    health: Option<&'a Health>,
}

/// Answers the three paths; `None` for every other one. `live`: the process runs. `ready`: store and seal are open, else
/// 503. `health`: as `ready`, with the details.
pub(crate) fn answer(method: &Method, path: &str, health: impl FnOnce() -> Health) -> Option<Answer> {
    let name = path.strip_prefix("/_ringwork/")?;
    if !matches!(name, "live" | "ready" | "health") {
        return None;
    }
    if method != Method::GET && method != Method::HEAD {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD.\n");
        answer
            .headers
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(answer);
    }
    if name == "live" {
        return Some(json(
            StatusCode::OK,
            &Report {
                status: "ok",
                health: None,
            },
        ));
    }
    let health = health();
    let (status, word) = if health.ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    Some(json(
        status,
        &Report {
            status: word,
            health: (name == "health").then_some(&health),
        },
    ))
}

fn json(status: StatusCode, report: &Report<'_>) -> Answer {
    let Ok(body) = serde_json::to_vec(report) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure\n");
    };
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Answer {
        status: status.as_u16(),
        headers,
        body: Bytes::from(body).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(store_open: bool, seal_open: bool) -> Health {
        Health {
            version: "1.2.3",
            store_open,
            seal_open,
            services: [("kms", "available")].into(),
        }
    }

    #[test]
    fn a_closed_seal_is_alive_but_not_ready() {
        let status = |path: &str| answer(&Method::GET, path, || health(true, false)).unwrap().status;
        assert_eq!(status("/_ringwork/live"), 200);
        assert_eq!(status("/_ringwork/ready"), 503);
        assert_eq!(status("/_ringwork/health"), 503);
    }

    #[test]
    fn health_names_version_and_services() {
        let answer = answer(&Method::GET, "/_ringwork/health", || health(true, true)).unwrap();
        assert_eq!(answer.status, 200);
        let body: serde_json::Value = serde_json::from_slice(answer.body.at_hand()).unwrap();
        assert_eq!(body["status"], "ok");
        assert_eq!(body["version"], "1.2.3");
        assert_eq!(body["services"]["kms"], "available");
    }

    #[test]
    fn other_paths_are_left_to_the_front_and_other_methods_refused() {
        assert!(answer(&Method::POST, "/_ringwork/reset", || health(true, true)).is_none());
        assert!(answer(&Method::GET, "/_ringwork/healthy", || health(true, true)).is_none());
        let refused = answer(&Method::POST, "/_ringwork/health", || health(true, true)).unwrap();
        assert_eq!(refused.status, 405);
        assert_eq!(refused.headers[header::ALLOW], "GET, HEAD");
    }
}
