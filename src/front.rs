//! What stands behind the listener: the pipeline for AWS's calls, the control plane for Ringwork's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use console::Console;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use identity::iam::outbound;
use pipeline::{Answer, Call, Gateway, Incoming};
use planes::{Head, Health};
use platform::lambda::code;

use crate::control::Control;
use crate::services;

/// Ringwork's own paths; AWS has none like it.
const CONTROL: &str = "/_ringwork/";

pub(crate) struct Front {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) control: Control,
    /// `None` where it is turned off.
    pub(crate) console: Option<Console>,
}

/// How something public is answered.
struct Public {
    content_type: &'static str,
    cache_control: &'static str,
    /// The answer where there is nothing.
    absent: StatusCode,
    /// Its body, and the one of a failure.
    nothing: &'static str,
}

impl Front {
    /// The public pages of the accounts' issuers, by which anybody verifies the tokens that STS made: they hold no secret and tell
    /// of nothing else.
    fn issuer(&self, request: &Incoming, page: &str) -> Answer {
        const PAGE: Public = Public {
            content_type: "application/json",
            cache_control: "max-age=300",
            absent: StatusCode::NOT_FOUND,
            nothing: "{}",
        };
        self.public(request, &PAGE, |call| {
            Ok(outbound::page(call, page)?.map(Bytes::from))
        })
    }

    /// The zip of a function's version, for whoever has the address that `GetFunction` gave.
    fn code(&self, request: &Incoming, token: &str) -> Answer {
        const ZIP: Public = Public {
            content_type: "application/zip",
            cache_control: "no-store",
            absent: StatusCode::FORBIDDEN,
            nothing: "",
        };
        self.public(request, &ZIP, |call| {
            let now = call.now;
            code::located(call, token, now)
        })
    }

    /// What `find` finds, to whoever gets it.
    fn public(
        &self,
        request: &Incoming,
        public: &Public,
        find: impl FnMut(&mut Call<'_>) -> pipeline::Result<Option<Bytes>>,
    ) -> Answer {
        let found = match request.method {
            Method::GET => self.gateway.system("us-east-1", find),
            _ => Ok(None),
        };
        let nothing = Bytes::from_static(public.nothing.as_bytes());
        let (status, body) = match found {
            Ok(Some(body)) => (StatusCode::OK, body),
            Ok(None) => (public.absent, nothing),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, nothing),
        };
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(public.content_type),
        );
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(public.cache_control),
        );
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
        } else if let Some(console) = self.console.as_ref().filter(|_| Console::owns(&request.path)) {
            // What is rare lies elsewhere, so that no call of AWS's makes room for it.
            Box::pin(console.serve(request)).await
        } else if request.path.starts_with(CONTROL) {
            Box::pin(self.control.serve(request)).await
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
