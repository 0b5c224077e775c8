//! Visits of websites, read by read: each read is a call for nobody, judged, recorded and answered like any other.
//!
//! Invariant: signatures, queries and AWS's own headers of a visitor count for nothing; a visit that reads nothing is recorded by itself.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderValue};
use wire::fault::Common;
use wire::model::{Protocol, Service};
use wire::protocol::{self, Encoded, Parts};
use wire::route::{self, Route};
use wire::{Document, Fault, Timestamp};

use super::admit::Prepared;
use super::follow::Followed;
use super::shed::{SLOW_DOWN, is_unsigned};
use super::{ATTEMPTS_MAX, Ended, Gateway, answer, report};
use crate::blobs::{Contents, Delivery};
use crate::call::{Look, RequestFacts};
use crate::front::{Answer, Body, Incoming};
use crate::identity::Identity;
use crate::operation::Result;
use crate::origin::{Asking, Owned};
use crate::site::{Course, Past, Purpose, SiteRules, Turn, Visit};
use crate::telemetry::AtEnd;

/// Reads of one visit: the page, its folder, and the page of the refusal.
const READS_MAX: usize = 3;
/// What is the server's own at every host.
const OWN_PATHS: &str = "/_ringwork/";
/// The names of visits for their followers.
const READ: &str = "WebsiteGetObject";

/// A visit as it goes on.
struct Going<'a> {
    rules: &'static SiteRules,
    service: &'static Service,
    visit: Visit<'a>,
    facts: &'a RequestFacts,
    stranger: Arc<Identity>,
    past: Vec<Past>,
    /// The answer that the last read would be.
    last: Option<(Encoded, Option<Delivery>)>,
    owned: Option<Owned>,
    subject: Option<String>,
}

/// How a visit ends.
struct Over {
    encoded: Encoded,
    delivery: Option<Delivery>,
    code: Option<String>,
}

impl Gateway {
    /// Serves a visitor of a website.
    pub(super) async fn visit(
        &self,
        bucket: &str,
        incoming: Incoming,
        facts: &RequestFacts,
        wall: Timestamp,
    ) -> Answer {
        let Some((rules, service)) = self.sites() else {
            let fault = Fault::common(Common::NotImplemented, "No service here serves websites.");
            return answer(protocol::encode_page(None, &fault, None, &facts.id), None);
        };
        let mut going = Going {
            rules,
            service,
            visit: Visit {
                bucket,
                method: incoming.method.as_str(),
                path: &incoming.path,
                query: &incoming.query,
                host: plain_host(facts.host.as_deref().unwrap_or_default()),
                secure: facts.secure,
                headers: &incoming.headers,
            },
            facts,
            stranger: Arc::new(Identity::anonymous(&self.environment.management_account)),
            past: Vec::new(),
            last: None,
            owned: None,
            subject: None,
        };
        let over = match self.go(&mut going).await {
            Ok(over) => over,
            Err(fault) => {
                report(&fault, &facts.id);
                going.refused(&fault, None)
            }
        };
        let mut answer = answer(over.encoded, None);
        let mut code = over.code;
        if let Some(delivery) = over.delivery {
            match self.strangers.hold(Some(incoming.peer.ip()), delivery) {
                Some(delivery) => answer.body = delivery,
                None => {
                    answer = self.shed_visit(facts, wall).await;
                    code = Some(SLOW_DOWN.to_owned());
                }
            }
        }
        let path = within(Some(bucket), &incoming);
        let asking = Asking::of(&incoming.method, &path, &incoming.headers);
        self.share(service.name, asking, &mut answer);
        let streams = matches!(answer.body, Body::Stream(_));
        let sent = (answer.status, (answer.size(), streams));
        let told = answer.headers.clone();
        let measures = self.end(&mut going, code.as_deref(), sent, &told, wall.0).await;
        answer.body = self.to_its_end(answer.body, measures, wall);
        answer
    }

    /// The website that a request is a visit of: of a website's host, or of a bucket that is named after the request's host, as a domain
    /// of one's own leads to it.
    ///
    /// Such a domain counts for requests to read that show nothing, and for what a browser asks before it sends them. No host decides over a call that is signed or that names an action,
    /// nor do buckets take the names of the server itself.
    pub(super) fn site_of(&self, incoming: &Incoming) -> Option<String> {
        if let Some(bucket) = route::website(&incoming.headers) {
            return Some(bucket);
        }
        let reads = matches!(incoming.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let calls = incoming.path.starts_with(OWN_PATHS)
            || incoming.query.split('&').any(|pair| pair.starts_with("Action="))
            || incoming
                .headers
                .keys()
                .any(|name| name.as_str().starts_with("x-amz"));
        if !reads || calls || !is_unsigned(incoming) {
            return None;
        }
        let domain = route::domain(&incoming.headers)?;
        if is_own(&self.names, &domain) {
            return None;
        }
        let (rules, _) = self.sites()?;
        let mut tx = self.store.begin();
        for _ in 0..ATTEMPTS_MAX {
            let now = self.environment.clock.now();
            let account = Arc::clone(&self.environment.management_account);
            let mut look = Look::new(&mut tx, &self.environment, now, "us-east-1", account);
            let found = (rules.is_site)(&mut look, &domain);
            if !look.conflict {
                return found.ok()?.then_some(domain);
            }
            tx = self.store.begin_eager().ok()?;
        }
        None
    }

    fn sites(&self) -> Option<(&'static SiteRules, &'static Service)> {
        let rules = self.environment.services.sites()?;
        Some((rules, api::models::service(rules.service)?))
    }

    /// Goes on until there is an answer, whose record is durable.
    async fn go(&self, going: &mut Going<'_>) -> Result<Over> {
        loop {
            let turn = self.turn(going)?;
            match turn {
                Turn::Read { key, purpose } if going.past.len() < READS_MAX => {
                    self.read(going, &key, purpose).await?;
                }
                Turn::Read { .. } => return Err(Fault::internal("a visit reads without end")),
                Turn::Serve { status } => return going.served(status),
                Turn::Fail => return going.failed(),
                Turn::Redirect { status, location } => {
                    self.note(going, None).await?;
                    return Ok(Over {
                        encoded: protocol::encode_redirect(status, &location, &going.facts.id),
                        delivery: None,
                        code: None,
                    });
                }
                Turn::Refuse(fault) => {
                    self.note(going, Some(&fault)).await?;
                    return Ok(going.refused(&fault, None));
                }
            }
        }
    }

    /// What the service says comes next.
    fn turn(&self, going: &mut Going<'_>) -> Result<Turn> {
        let mut tx = self.store.begin();
        for _ in 0..ATTEMPTS_MAX {
            let now = self.environment.clock.now();
            let account = Arc::clone(&self.environment.management_account);
            let mut look = Look::new(&mut tx, &self.environment, now, "us-east-1", account);
            look.caller = Some(&going.stranger);
            let course = (going.rules.turn)(&mut look, &going.visit, &going.past);
            if !look.conflict {
                let Course { owned, turn } = course?;
                let followed = look.followed.take();
                going.owned = going.owned.take().or(owned);
                going.subject = going.subject.take().or(followed);
                return Ok(turn);
            }
            tx = self.store.begin_eager().map_err(Fault::internal)?;
        }
        Err(Fault::common(Common::Unavailable, ""))
    }

    /// Has the service's own operation read an object, for nobody.
    async fn read(&self, going: &mut Going<'_>, key: &str, purpose: Purpose) -> Result<()> {
        let whole = going.visit.method == "GET" && purpose != Purpose::Probe;
        let (name, method) = if whole {
            (going.rules.read, "GET")
        } else {
            (going.rules.probe, "HEAD")
        };
        let unbuilt = || Fault::common(Common::NotImplemented, "The service does not read objects.");
        let service = going.service;
        let operation = service.operation(name).ok_or_else(unbuilt)?;
        let endpoint = self.endpoint(service.name, name).ok_or_else(unbuilt)?;
        let path = format!("/{}/{}", going.visit.bucket, encoded(key));
        let headers = match purpose {
            Purpose::Page => conditions(going.visit.headers),
            Purpose::Probe | Purpose::ErrorDocument => HeaderMap::new(),
        };
        let parts = Parts {
            method,
            path: &path,
            query: "",
            headers: &headers,
            body: &[],
        };
        let protocol = Protocol::RestXml;
        let again = || protocol::decode(service, operation, protocol, &parts);
        let region = going.owned.as_ref().map_or("us-east-1", |owned| &owned.region);
        let prepared = Prepared {
            route: Route {
                service,
                operation,
                protocol,
            },
            endpoint,
            identity: Arc::clone(&going.stranger),
            region: region.to_owned(),
            input: again()?,
            payload: None,
            unchunked: None,
            headers: None,
            signed: None,
        };
        // The id that the visitor is told is the one of the read that was asked for.
        let mut facts = going.facts.clone();
        if purpose != Purpose::Page {
            facts.id = self.environment.draw_id(self.environment.clock.wall().0);
        }
        let answered = self.execute(prepared, &facts, Contents::default(), again).await;
        let read = match answered.outcome {
            Ok(output) => {
                let redirect = output
                    .member("WebsiteRedirectLocation")
                    .and_then(Document::as_str);
                let redirect = redirect.map(str::to_owned);
                let encoded = protocol::encode(service, operation, protocol, &output, &going.facts.id)?;
                going.last = Some((encoded, answered.delivery));
                Ok(redirect)
            }
            Err(fault) => {
                report(&fault, &facts.id);
                Err(fault)
            }
        };
        let (status, code) = read.as_ref().err().map_or((200, String::new()), |fault| {
            let spelled = protocol::spell(Some(service), protocol, fault);
            (spelled.status, spelled.code.into_owned())
        });
        going.past.push(Past {
            purpose,
            read,
            status,
            code,
        });
        Ok(())
    }

    /// Records a visit for which nothing was read.
    async fn note(&self, going: &mut Going<'_>, fault: Option<&Fault>) -> Result<()> {
        if !going.past.is_empty() {
            return Ok(());
        }
        let owned = going.owned.as_ref().map_or_else(
            || Owned {
                account: self.environment.management_account.to_string(),
                region: "us-east-1".to_owned(),
            },
            |owned| Owned {
                account: owned.account.clone(),
                region: owned.region.clone(),
            },
        );
        let event = if going.visit.method == "HEAD" {
            going.rules.probe
        } else {
            going.rules.read
        };
        self.record_event(Some(going.service), event, owned, fault, going.facts)
            .await
    }

    /// Tells the service how the visit ended, if it follows it.
    async fn end(
        &self,
        going: &mut Going<'_>,
        code: Option<&str>,
        (status, (sent, streams)): (u16, (u64, bool)),
        headers: &HeaderMap,
        wall: i64,
    ) -> Vec<AtEnd> {
        let follower = self.trail(going.service.name).follower;
        let Some((subject, follower)) = going.subject.take().zip(follower) else {
            return Vec::new();
        };
        let region = going.owned.as_ref().map_or("us-east-1", |owned| &owned.region);
        let followed = Followed {
            subject,
            parts: Vec::new(),
            identity: Arc::clone(&going.stranger),
            region: region.to_owned(),
        };
        let ended = Ended {
            subject: &followed.subject,
            parts: &followed.parts,
            operation: READ,
            method: going.visit.method,
            path: going.visit.path,
            query: going.visit.query,
            headers: going.visit.headers,
            signed: None,
            status,
            code,
            answer: headers,
            sent,
            streams,
            took: self.environment.clock.wall().0 - wall,
        };
        self.follow(follower, &followed, going.facts, &ended).await
    }
}

/// A request's path, below the name of the bucket whose website it is at: a domain of one's own does not say it.
pub(crate) fn within<'a>(site: Option<&str>, incoming: &'a Incoming) -> Cow<'a, str> {
    match site {
        Some(bucket) if route::website(&incoming.headers).is_none() => {
            Cow::Owned(format!("/{bucket}{}", incoming.path))
        }
        _ => Cow::Borrowed(&incoming.path),
    }
}

impl Going<'_> {
    /// The last object that was read, under a status that is not its own if it tells of a refusal.
    fn served(&mut self, status: Option<u16>) -> Result<Over> {
        let (mut encoded, delivery) = self
            .last
            .take()
            .ok_or_else(|| Fault::internal("a visit serves what it did not read"))?;
        let mut code = None;
        if let Some(status) = status {
            encoded.status = status;
            let refused = self.past.first().filter(|past| past.read.is_err());
            code = refused.map(|past| past.code.clone());
            if let Some(Ok(value)) = code.as_deref().map(HeaderValue::from_str) {
                encoded.headers.insert("x-amz-error-code", value);
            }
        }
        Ok(Over {
            encoded,
            delivery,
            code,
        })
    }

    fn failed(&self) -> Result<Over> {
        let fault_of = |past: &Past| past.read.as_ref().err().is_some();
        let first = self.past.first().filter(|past| fault_of(past));
        let Some(Err(fault)) = first.map(|past| &past.read) else {
            return Err(Fault::internal("a visit fails without a refusal"));
        };
        let told = self
            .past
            .last()
            .filter(|past| past.purpose == Purpose::ErrorDocument);
        let beside = told.and_then(|past| past.read.as_ref().err());
        Ok(self.refused(fault, beside))
    }

    fn refused(&self, fault: &Fault, beside: Option<&Fault>) -> Over {
        let spelled = protocol::spell(Some(self.service), Protocol::RestXml, fault);
        let encoded = if spelled.status == 304 {
            protocol::encode_fault(Some(self.service), Protocol::RestXml, fault, &self.facts.id)
        } else {
            protocol::encode_page(Some(self.service), fault, beside, &self.facts.id)
        };
        Over {
            encoded,
            delivery: None,
            code: Some(spelled.code.into_owned()),
        }
    }
}

/// Whether a domain is one of these names, of which one may stand for all below it (`*.example.com`).
fn is_own(names: &[String], domain: &str) -> bool {
    names.iter().any(|name| match name.strip_prefix('*') {
        Some(below) => domain.ends_with(below),
        None => name == domain,
    })
}

/// A host as it may stand in a location: nothing but a name and the number of a port.
fn plain_host(host: &str) -> &str {
    match host.split_once(':') {
        Some((name, port)) if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A key as a path that decodes to it.
fn encoded(key: &str) -> String {
    let segments: Vec<String> = key.split('/').map(wire::sigv4::percent_encode).collect();
    segments.join("/")
}

/// What a visitor's request may say of the object that it asks for.
fn conditions(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [
        RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
    ] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde::{Deserialize, Serialize};
    use store::Table;

    use super::*;
    use crate::gateway::Tables;
    use crate::ledger::scan::tests::Nobody;
    use crate::testing::Cloud;

    #[derive(Clone, Serialize, Deserialize)]
    struct Row(u64);
    store::record!(Row, 1);

    static ROWS: Table<String, Row> = Table::new(0x0f2d, "tests.visits");
    static GATEWAY: OnceLock<Arc<Gateway>> = OnceLock::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);

    fn write(gateway: &Gateway, value: u64) {
        let mut tx = gateway.store().begin();
        tx.put(&ROWS, "a", Row(value)).unwrap();
        gateway.store().commit(tx, Vec::new()).wait().unwrap();
    }

    /// Somebody changes, between two reads of its first run, what it read.
    fn turn(look: &mut Look<'_>, _: &Visit<'_>, _: &[Past]) -> Result<Course> {
        let before = look.get(&ROWS, "a")?.map_or(0, |row| row.0);
        if RUNS.fetch_add(1, Ordering::Relaxed) == 0 {
            write(GATEWAY.get().unwrap(), 1);
        }
        look.get(&ROWS, "b")?;
        Ok(Course {
            owned: None,
            turn: Turn::Redirect {
                status: 301,
                location: format!("/{before}"),
            },
        })
    }

    static SITES: SiteRules = SiteRules {
        service: "s3",
        read: "GetObject",
        probe: "HeadObject",
        is_site: |_, _| Ok(false),
        turn,
    };

    #[test]
    fn a_turn_is_of_one_state_of_the_store() {
        let tables = Tables {
            sites: Some(&SITES),
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(Nobody), &tables);
        write(&cloud.gateway, 0);
        assert!(GATEWAY.set(Arc::clone(&cloud.gateway)).is_ok());
        let host = HeaderValue::from_static("b.s3-website.localhost");
        let answer = cloud.serve(Incoming {
            method: http::Method::GET,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::from_iter([(http::header::HOST, host)]),
            body: crate::front::Body::Whole(bytes::Bytes::new()),
            peer: ([127, 0, 0, 1], 50_000).into(),
            tls: None,
            standing: crate::front::Standing::default(),
        });
        let location = answer.headers.get(http::header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        assert_eq!((answer.status, location), (301, Some("/1")));
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_servers_own_names_are_no_websites() {
        let names = ["ring.example.com".to_owned(), "*.corp.example".to_owned()];
        for own in ["ring.example.com", "a.corp.example", "a.b.corp.example"] {
            assert!(is_own(&names, own), "{own}");
        }
        for other in [
            "example.com",
            "www.ring.example.com",
            "corp.example",
            "xcorp.example",
        ] {
            assert!(!is_own(&names, other), "{other}");
        }
    }

    #[test]
    fn nothing_but_a_port_follows_a_name() {
        assert_eq!(
            plain_host("b.s3-website.localhost:4566"),
            "b.s3-website.localhost:4566"
        );
        assert_eq!(plain_host("b.s3-website.localhost"), "b.s3-website.localhost");
        assert_eq!(
            plain_host("b.s3-website.localhost:1@example.com"),
            "b.s3-website.localhost"
        );
        assert_eq!(plain_host("b.s3-website.localhost:"), "b.s3-website.localhost");
    }

    #[test]
    fn a_key_stays_what_it_is_on_its_way() {
        for key in ["a/b", "a b/ä?#%2F", "/a//b/", "+"] {
            let path = encoded(key);
            assert_eq!(wire::sigv4::percent_decode(&path), key);
        }
    }
}
