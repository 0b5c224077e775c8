//! What stands behind the listener: the pipeline for AWS's calls, the control plane for Ringwork's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use identity::iam::outbound;
use pipeline::{Answer, Gateway, Incoming};
use planes::{Head, Health};
use platform::lambda::code;

use crate::control::Control;
use crate::services;

/// Ringwork's own paths; AWS has none like it.
const CONTROL: &str = "/_ringwork/";

pub(crate) struct Front {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) control: Control,
}

impl Front {
    /// The public pages of the accounts' issuers, by which anybody verifies the tokens that STS made: they hold no secret and tell
    /// of nothing else.
    fn issuer(&self, request: &Incoming, page: &str) -> Answer {
        let found = match request.method {
            Method::GET => self
                .gateway
                .system("us-east-1", |call| outbound::page(call, page)),
            _ => Ok(None),
        };
        let (status, body) = match found {
            Ok(Some(page)) => (StatusCode::OK, page),
            Ok(None) => (StatusCode::NOT_FOUND, "{}".to_owned()),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
        };
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        Answer {
            status: status.as_u16(),
            headers,
            body: Bytes::from(body).into(),
        }
    }
}

impl Front {
    /// The zip of a function's version, for whoever has the address that `GetFunction` gave.
    fn code(&self, request: &Incoming, token: &str) -> Answer {
        let found = match request.method {
            Method::GET => self.gateway.system("us-east-1", |call| {
                let now = call.now;
                code::located(call, token, now)
            }),
            _ => Ok(None),
        };
        let (status, body) = match found {
            Ok(Some(zip)) => (StatusCode::OK, zip),
            Ok(None) => (StatusCode::FORBIDDEN, Bytes::new()),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
        };
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Answer {
            status: status.as_u16(),
            headers,
            body: body.into(),
        }
    }
}

impl planes::Front for Front {
    async fn serve(&self, request: Incoming) -> Answer {
        if let Some(page) = request.path.strip_prefix(outbound::PATH) {
            self.issuer(&request, page)
        } else if let Some(token) = request.path.strip_prefix(code::PATH) {
            self.code(&request, token)
        } else if request.path.starts_with(CONTROL) {
            self.control.serve(request).await
        } else {
            self.gateway.serve(request).await
        }
    }

    fn streams(&self, head: &Head<'_>) -> bool {
        !head.path.starts_with(CONTROL)
            && self
                .gateway
                .streams(head.method, head.path, head.query, head.headers)
    }

    fn health(&self) -> Health {
        // The listener is bound only after the store and the seal have been opened.
        Health {
            version: env!("CARGO_PKG_VERSION"),
            store_open: self.gateway.store().certain(),
            seal_open: true,
            services: services::NAMES
                .iter()
                .map(|name| (*name, "available"))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
