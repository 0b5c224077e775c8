//! Pages of other origins: what a browser asks before it lets a page call, and what it must read on the answer.
//!
//! Invariant: nothing is decided here that a policy decides; a browser is told what a resource's owner lets its pages do, and that alone.
//!
//! Source: Fetch Standard, "CORS protocol"; S3 API Reference, "OPTIONS object".

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method};
use wire::fault::Common;
use wire::protocol::Parts;
use wire::{Document, Fault, Timestamp, protocol};

use crate::call::{Look, RequestFacts};
use crate::front::{Answer, Incoming};
use crate::gateway::visit::within;
use crate::gateway::{ATTEMPTS_MAX, Gateway};
use crate::identity::Identity;
use crate::operation::Result;

/// CloudTrail's name for what a browser asks in advance.
const PREFLIGHT: &str = "PreflightRequest";
const UNSAID: &str = "CORSResponse: CORS is not enabled for this bucket.";
const REFUSED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / \
     Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";

const INSUFFICIENT: &str = "Insufficient information. Origin request header needed.";
const NO_METHOD: &str = "Invalid Access-Control-Request-Method: null";

/// The refusal of a question that leaves out what it is about.
fn insufficient(message: &str) -> Fault {
    Fault::plain("BadRequest", 400, message)
}

/// What a page would do.
pub struct CrossOrigin<'a> {
    /// The first segment of the path in path style, raw.
    pub bucket: &'a str,
    pub origin: &'a str,
    pub method: &'a str,
    /// Headers that it would send, of which a browser asks first.
    pub headers: Vec<String>,
}

/// What a resource's owner lets pages of other origins do.
pub enum Sharing {
    /// Nobody said anything.
    Unsaid,
    Refused,
    Granted(Vec<(HeaderName, String)>),
}

/// Whose resource a request names: in the trail of that account and region it is told what a page asks.
#[derive(Clone)]
pub struct Owned {
    pub account: String,
    pub region: String,
}

/// How a service tells whose resource a page would reach, if there is one, and what its owner lets pages do.
pub type Share = fn(&mut Look<'_>, &CrossOrigin<'_>) -> Result<(Option<Owned>, Sharing)>;

/// One service's rules for pages of other origins.
pub struct OriginRules {
    /// botocore's service name.
    pub service: &'static str,
    pub share: Share,
}

/// What is left of a request for its answer's headers.
pub(crate) struct Asking {
    path: String,
    origin: String,
    method: String,
    headers: Vec<String>,
    /// It is a question before the request, not the request.
    advance: bool,
}

impl Asking {
    /// Of a request that a browser sent for a page; `None` of all others.
    pub(crate) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = text(ORIGIN)?.to_owned();
        let preflight = (method == Method::OPTIONS)
            .then_some(())
            .and(text(ACCESS_CONTROL_REQUEST_METHOD));
        let asked = text(ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| preflight.is_some());
        let headers_asked = asked
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Some(Self {
            path: wire::route::path_style(path, headers).into_owned(),
            origin,
            method: preflight.unwrap_or(method.as_str()).to_owned(),
            headers: headers_asked.map(str::to_owned).collect(),
            advance: preflight.is_some(),
        })
    }

    fn refused(&self, message: &str) -> Fault {
        Fault::plain("AccessForbidden", 403, message)
            .with("Method", Document::String(self.method.clone()))
            .with("ResourceType", Document::String("BUCKET".to_owned()))
    }
}

impl Gateway {
    fn sharing(&self, rules: &OriginRules, asking: &Asking) -> Result<(Option<Owned>, Sharing)> {
        let bucket = asking
            .path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let account = &self.environment.management_account;
        let nobody = Identity::anonymous(account);
        let asked = CrossOrigin {
            bucket,
            origin: &asking.origin,
            method: &asking.method,
            headers: asking.headers.clone(),
        };
        let now = self.environment.clock.now();
        let mut tx = self.store.begin();
        for _ in 0..ATTEMPTS_MAX {
            let mut look = Look::new(&mut tx, &self.environment, now, "us-east-1", Arc::clone(account));
            look.caller = Some(&nobody);
            let said = (rules.share)(&mut look, &asked);
            if !look.conflict {
                return said;
            }
            tx = self.store.begin_eager().map_err(Fault::internal)?;
        }
        Err(Fault::common(Common::Unavailable, ""))
    }

    /// Adds to an answer what a browser must read on it before it hands it to a page.
    pub(crate) fn share(&self, service: &str, asking: Option<Asking>, answer: &mut Answer) {
        let rules = self.environment.services.origins(service);
        let (Some(rules), Some(asking)) = (rules, asking) else {
            return;
        };
        // A store that does not read has failed the call already.
        if let Ok((_, Sharing::Granted(headers))) = self.sharing(rules, &asking) {
            add(&mut answer.headers, headers);
        }
    }

    /// The answer to a browser that asks before it sends, at a website or not, recorded as what nobody in particular asked of the owner. `None` for what is
    /// no such question, or none of a service that is asked.
    pub(crate) async fn preflight(
        &self,
        incoming: &Incoming,
        site: Option<&str>,
        facts: &RequestFacts,
        began: Timestamp,
    ) -> Option<Answer> {
        let path = within(site, incoming);
        let asking = Asking::of(&incoming.method, &path, &incoming.headers);
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &[],
        };
        let claim = wire::signature::parse(&parts).ok().flatten();
        let signed_for = claim.as_ref().map(wire::signature::Claim::service);
        let service = wire::route::asks_in_advance(&parts, signed_for, &api::models::Embedded)?;
        let rules = self.environment.services.origins(service.name)?;
        let (owned, said) = match asking
            .as_ref()
            .map(|asking| (asking, self.sharing(rules, asking)))
        {
            None => (None, Err(insufficient(INSUFFICIENT))),
            Some((asking, shared)) => match shared {
                Ok((owned, _)) if !asking.advance => (owned, Err(insufficient(NO_METHOD))),
                Ok((owned, Sharing::Granted(headers))) => (owned, Ok(headers)),
                Ok((owned, Sharing::Unsaid)) => (owned, Err(asking.refused(UNSAID))),
                Ok((owned, Sharing::Refused)) => (owned, Err(asking.refused(REFUSED))),
                Err(fault) => (None, Err(fault)),
            },
        };
        let model = api::models::service(rules.service);
        let owned = owned.unwrap_or_else(|| Owned {
            account: self.environment.management_account.to_string(),
            region: "us-east-1".to_owned(),
        });
        let recorded = self
            .record_event(model, PREFLIGHT, owned, said.as_ref().err(), facts)
            .await;
        let (answer, code) = match (recorded, said) {
            (Ok(()), Ok(headers)) => {
                let mut all = HeaderMap::new();
                add(&mut all, headers);
                let answer = Answer {
                    status: 200,
                    headers: all,
                    body: crate::front::Body::Whole(bytes::Bytes::new()),
                };
                (answer, None)
            }
            (Ok(()), Err(fault)) | (Err(fault), _) => {
                let spoken = wire::model::Protocol::RestXml;
                let code = protocol::spell(model, spoken, &fault).code.into_owned();
                let encoded = protocol::encode_fault(model, spoken, &fault, &facts.id);
                (crate::gateway::told(encoded), Some(code))
            }
        };
        let sent = Parts {
            path: &incoming.path,
            ..parts
        };
        let asked = (service.name, PREFLIGHT, path.as_ref());
        let headers = answer.headers.clone();
        let told = (answer.status, &headers, (answer.size(), false));
        self.tell_question(asked, &sent, facts, (told, code.as_deref()), began)
            .await;
        Some(answer)
    }
}

fn add(all: &mut HeaderMap, headers: Vec<(HeaderName, String)>) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            all.insert(name, value);
        }
    }
    all.insert(
        VARY,
        HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    );
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderMap;
    use serde::{Deserialize, Serialize};
    use store::Table;

    use super::*;
    use crate::front::Body;
    use crate::gateway::Tables;
    use crate::ledger::scan::tests::Nobody;
    use crate::testing::Cloud;

    #[derive(Clone, Serialize, Deserialize)]
    struct Row(u64);
    store::record!(Row, 1);

    static ROWS: Table<String, Row> = Table::new(0x0f2e, "tests.sharing");
    static GATEWAY: OnceLock<Arc<Gateway>> = OnceLock::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);

    fn write(gateway: &Gateway, value: u64) {
        let mut tx = gateway.store().begin();
        tx.put(&ROWS, "a", Row(value)).unwrap();
        gateway.store().commit(tx, Vec::new()).wait().unwrap();
    }

    /// Somebody changes, between two reads of its first run, what it read.
    fn share(look: &mut Look<'_>, _: &CrossOrigin<'_>) -> Result<(Option<Owned>, Sharing)> {
        let before = look.get(&ROWS, "a")?.map_or(0, |row| row.0);
        if RUNS.fetch_add(1, Ordering::Relaxed) == 0 {
            write(GATEWAY.get().unwrap(), 1);
        }
        look.get(&ROWS, "b")?;
        let header = (http::header::ACCESS_CONTROL_MAX_AGE, before.to_string());
        Ok((None, Sharing::Granted(vec![header])))
    }

    static RULES: OriginRules = OriginRules { service: "s3", share };

    #[test]
    fn an_answer_is_of_one_state_of_the_store() {
        let tables = Tables {
            origins: vec![&RULES],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(Nobody), &tables);
        write(&cloud.gateway, 0);
        assert!(GATEWAY.set(Arc::clone(&cloud.gateway)).is_ok());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1"),
            ("origin", "https://a.example.com"),
            ("access-control-request-method", "GET"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let answer = cloud.serve(Incoming {
            method: Method::OPTIONS,
            path: "/bucket/key".to_owned(),
            query: String::new(),
            headers,
            body: Body::Whole(bytes::Bytes::new()),
            peer: ([127, 0, 0, 1], 50_000).into(),
            tls: None,
            standing: crate::front::Standing::default(),
        });
        let age = answer.headers.get(http::header::ACCESS_CONTROL_MAX_AGE);
        assert_eq!(
            (answer.status, age.and_then(|age| age.to_str().ok())),
            (200, Some("1"))
        );
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    }
}
