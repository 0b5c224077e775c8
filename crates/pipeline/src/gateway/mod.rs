//! The way itself: one request in, one decided, recorded, durable answer out.
//!
//! `admit` finds out who asks for what, `execute` runs it in a transaction until that commits, `system` is the way of the
//! installation itself.
//!
//! Invariant: an answer leaves only after its record is durable. A refused call keeps nothing but its record.

mod admit;
mod callback;
mod execute;
mod follow;
mod form;
mod itself;
mod shed;
mod system;
pub(crate) mod visit;

pub(crate) use execute::caught;
pub use follow::{Ended, EndedPart, Follower};

use std::sync::Arc;

use bytes::Bytes;
use crypto::{Randomness, Seal};
use store::Store;
use tokio::sync::Notify;
use wire::fault::{Code, Common};
use wire::model::{Kind, Protocol, Service};
use wire::protocol::{self, Parts};
use wire::route::{self, Route};
use wire::{Document, Fault, Timestamp};

use crate::blobs::{Contents, Yard};
use crate::call::RequestFacts;
use crate::callback::CallbackRules;
use crate::clock::Clock;
use crate::closure::Closure;
use crate::due::Underway;
use crate::environment::Environment;
use crate::form::FormRules;
use crate::front::{Answer, Body, Incoming};
use crate::functions::{Functions, LogLine};
use crate::identity::Directory;
use crate::instances::Instances;
use crate::inventory::{Inventory, Observer};
use crate::jobs::JobKind;
use crate::operation::{Endpoint, Result};
use crate::origin::{Asking, OriginRules};
use crate::outside::Outside;
use crate::quota::{Enforced, Quotas, Rates};
use crate::services::Readiness;
use crate::site::SiteRules;
use crate::strangers::{Bounds, Strangers};
use crate::telemetry::Sink;
use crate::trail::TrailRules;

/// How often a call is run again before it is told to come back later. Each run after the first sees a fresh snapshot,
/// so some call always makes progress.
pub(crate) const ATTEMPTS_MAX: usize = 64;
/// Runs after which a call waits for its turn: those that lost so often then run again one at a time, in the order in
/// which they came, so that many calls for one row cannot starve one of them.
const ATTEMPTS_AT_ONCE: usize = 4;

/// The tables that services hand to the pipeline.
#[derive(Default)]
pub struct Tables {
    pub operations: Vec<&'static [Endpoint]>,
    pub jobs: Vec<&'static [JobKind]>,
    /// How the calls of services look in the trail that differ from most.
    pub trails: Vec<&'static TrailRules>,
    /// Resources with policies of their own.
    pub inventories: Vec<&'static Inventory>,
    /// Who hears of changes.
    pub observers: Vec<&'static Observer>,
    /// What services let pages of other origins do.
    pub origins: Vec<&'static OriginRules>,
    /// What services make of forms that browsers send.
    pub forms: Vec<&'static FormRules>,
    /// Who gets callbacks.
    pub callbacks: Vec<&'static CallbackRules>,
    /// Who makes something ready before services' calls of theirs.
    pub readiness: Vec<&'static Readiness>,
    /// Who stops what runs for accounts that are closed.
    pub closures: Vec<&'static Closure>,
    /// The service that serves websites.
    pub sites: Option<&'static SiteRules>,
    /// The service that keeps what others measure.
    pub telemetry: Option<&'static Sink>,
}

/// The pipeline of one Ringwork. Cheap to share behind an `Arc`.
pub struct Gateway {
    pub(crate) store: Store,
    pub(crate) environment: Environment,
    pub(crate) jobs: Vec<&'static JobKind>,
    pub(crate) replanned: Arc<Notify>,
    pub(crate) underway: Underway,
    /// What callers have taken who show no signature.
    strangers: Arc<Strangers>,
    /// Held by the one call that runs again after it lost often.
    turn: tokio::sync::Mutex<()>,
    /// The server's own names: no bucket's website is found under them.
    names: Vec<String>,
}

impl Gateway {
    /// Puts the pipeline together. `management_account` is twelve digits.
    pub fn new(
        store: Store,
        seal: Seal,
        random: Arc<dyn Randomness>,
        clock: Clock,
        directory: Box<dyn Directory>,
        management_account: &str,
        tables: &Tables,
    ) -> Self {
        let mut environment = Environment::new(
            seal,
            random,
            clock,
            directory,
            management_account,
            tables,
            Yard::new(store.blobs()),
        );
        for endpoint in tables.operations.iter().flat_map(|table| table.iter()) {
            environment
                .actions
                .extend(endpoint.also.iter().map(|access| access.action));
            if !endpoint.access.open {
                environment.actions.insert(endpoint.access.action);
            }
        }
        let jobs = tables.jobs.iter().flat_map(|table| table.iter()).collect();
        Self {
            store,
            environment,
            jobs,
            replanned: Arc::new(Notify::new()),
            underway: Underway::default(),
            strangers: Strangers::new(Bounds::STANDARD),
            turn: tokio::sync::Mutex::default(),
            names: Vec::new(),
        }
    }

    /// Tells it the server's own names.
    #[must_use]
    pub fn with_names(mut self, names: &[String]) -> Self {
        self.names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        self
    }

    /// Gives operations a way out. Without one they reach nothing outside.
    #[must_use]
    pub fn with_outside(mut self, outside: Arc<dyn Outside>) -> Self {
        self.environment.outdoors.open(outside);
        self
    }

    /// Gives operations and jobs a runner of functions. Without one they run none.
    #[must_use]
    pub fn with_functions(mut self, functions: Arc<dyn Functions>) -> Self {
        self.environment.outdoors.errands.functions = Some(functions);
        self
    }

    /// Gives operations and jobs a runner of instances. Without one they run none.
    #[must_use]
    pub fn with_instances(mut self, instances: Arc<dyn Instances>) -> Self {
        self.environment.outdoors.errands.instances = Some(instances);
        self
    }

    /// The log of a function, without a version in its ARN, oldest line first, as far as the runner keeps it.
    pub fn function_log(&self, function_arn: &str) -> Vec<LogLine> {
        let functions = &self.environment.outdoors.errands.functions;
        functions
            .as_ref()
            .map(|functions| functions.log(function_arn))
            .unwrap_or_default()
    }

    /// Tells where it is reached from its own machine: `http://127.0.0.1:4566`. The first time counts.
    pub fn serve_at(&self, url: &str) {
        let _ = self.environment.own_url.set(url.to_owned());
    }

    /// Enforces request quotas, at the services' own rates unless others are set.
    #[must_use]
    pub fn with_quotas(mut self, tables: Vec<&'static Quotas>, rates: Rates) -> Self {
        self.environment.quotas = Some(Enforced::new(tables, rates));
        self
    }

    /// The row of an operation, if it is built.
    pub fn endpoint(&self, service: &str, operation: &str) -> Option<&'static Endpoint> {
        self.environment.services.endpoint(service, operation)
    }

    /// Every operation that is built.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static Endpoint> + '_ {
        self.environment.services.endpoints()
    }

    /// How a service's calls look in the trail.
    fn trail(&self, service: &str) -> &'static TrailRules {
        self.environment.services.trail(service)
    }

    /// The cloud's clock.
    pub const fn clock(&self) -> &Clock {
        &self.environment.clock
    }

    /// The store, for the control plane's snapshots, resets and figures.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The seal's header can be made anew with another opener.
    pub const fn seal(&self) -> &Seal {
        &self.environment.seal
    }

    /// Forgets what was remembered of the store's content, after it was replaced.
    pub fn forget(&self) {
        self.environment.directory.forget();
        self.environment.remembered.clear();
        self.replanned.notify_one();
    }

    /// Serves one request.
    ///
    /// What is rare is awaited in a box: each request holds as much memory as the largest of its ways, and that is what a core's cache
    /// has to hold for every connection.
    pub async fn serve(&self, incoming: Incoming) -> Answer {
        let wall = self.environment.clock.wall();
        let facts = request_facts(self.environment.draw_id(wall.0), &incoming);
        let site = self.site_of(&incoming);
        let head = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &[],
        };
        let form = self.form_of(&head);
        // Nobody verifies what such a request shows.
        let callback = self.callback_of(head.method, head.query);
        let unverified = site.is_some()
            || form.is_some()
            || callback.is_some()
            || incoming.method == http::Method::OPTIONS;
        let unsigned = unverified || shed::is_unsigned(&incoming);
        let peer = incoming.peer.ip();
        let sends = form.is_some() || callback.is_some() || matches!(incoming.body, Body::Stream(_));
        let guest = unsigned.then(|| match sends {
            true => self.strangers.enter_sending(peer),
            false => self.strangers.enter(peer),
        });
        if matches!(guest, Some(None)) {
            return Box::pin(self.shed(&incoming, &facts, wall)).await;
        }
        if incoming.method == http::Method::OPTIONS
            && let Some(answer) = Box::pin(self.preflight(&incoming, site.as_deref(), &facts, wall)).await
        {
            return answer;
        }
        if let Some(rules) = callback {
            return Box::pin(self.deliver(rules, incoming, &facts, wall)).await;
        }
        if let Some(bucket) = site {
            return Box::pin(self.visit(&bucket, incoming, &facts, wall)).await;
        }
        match form {
            Some(form) => {
                let served = self.serve_form(form, guest.flatten(), incoming, facts, wall);
                Box::pin(served).await
            }
            None => self.operate(incoming, facts, wall).await,
        }
    }

    /// Serves a request to an operation.
    async fn operate(&self, incoming: Incoming, mut facts: RequestFacts, wall: Timestamp) -> Answer {
        let claims = !shed::is_unsigned(&incoming);
        let asking = Asking::of(&incoming.method, &incoming.path, &incoming.headers);
        let (at_hand, arriving) = match incoming.body {
            Body::Whole(bytes) => (bytes, None),
            Body::Stream(body) => (Bytes::new(), Some(body)),
        };
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &at_hand,
        };
        let whole = arriving.is_none().then_some(&at_hand);
        let mut prepared = match self.prepare(&parts, wall, whole) {
            Ok(prepared) => prepared,
            Err(refused) => {
                if refused.proven {
                    incoming.standing.prove();
                }
                let claims = claims.then_some(incoming.peer.ip());
                let turned_down = self.turn_down(*refused, claims, asking, (&facts, &parts), wall);
                return Box::pin(turned_down).await;
            }
        };
        facts.signed = prepared.signed.take();
        let route = prepared.route;
        let (service, operation, protocol) = (route.service, route.operation, route.protocol);
        let stranger = (!prepared.is_proven(&incoming.standing)).then(|| incoming.peer.ip());
        // What only looked as if it were signed is served for nobody too.
        let guest = stranger.filter(|_| claims).map(|peer| self.strangers.enter(peer));
        if matches!(guest, Some(None)) {
            return Box::pin(self.shed_as(Some(service), protocol, &facts, wall)).await;
        }
        let headers = prepared.headers.take();
        let (bytes, trailers) = prepared.unchunked.take().unwrap_or((at_hand.clone(), Vec::new()));
        let contents = match arriving.zip(prepared.payload.take()) {
            Some((body, payload)) => Contents::arriving(body, payload),
            None => Contents::whole(bytes.clone(), trailers),
        };
        let parts = Parts {
            body: &bytes,
            headers: headers.as_ref().unwrap_or(parts.headers),
            ..parts
        };
        let again = || protocol::decode(service, operation, protocol, &parts);
        let mut answered = self.execute(prepared, &facts, contents, again).await;
        if protocol == Protocol::Ec2Query {
            told_as_ec2(&mut answered.outcome, answered.denial.as_deref());
        }
        let followed = answered.followed.zip(self.trail(service.name).follower);
        let mut code = code(service, protocol, &answered.outcome);
        let encoded = encoded(route, answered.outcome, &facts.id);
        let mut answer = answer(encoded, answered.denial);
        if let Some(delivery) = answered.delivery {
            match self.strangers.hold(stranger, delivery) {
                Some(delivery) => answer.body = delivery,
                None => {
                    answer = Box::pin(self.shed_as(Some(service), protocol, &facts, wall)).await;
                    code = Some(shed::SLOW_DOWN.to_owned());
                }
            }
        }
        self.share(service.name, asking, &mut answer);
        if let Some(followed) = followed {
            let parts = Parts {
                headers: &incoming.headers,
                ..parts
            };
            let of = (operation.name, &parts, &facts);
            Box::pin(self.tell_end(&mut answer, followed, of, code.as_deref(), wall)).await;
        }
        answer
    }

    /// Whether a request's body may be handed on as a stream: what its operation takes in is not looked at before. Believes nothing
    /// of the request; it only tells which way its body goes.
    pub fn streams(&self, method: &str, path: &str, query: &str, headers: &http::HeaderMap) -> bool {
        if route::website(headers).is_some() {
            // No visitor's body is read.
            return true;
        }
        let parts = Parts {
            method,
            path,
            query,
            headers,
            body: &[],
        };
        if self.form_of(&parts).is_some() || self.callback_of(method, query).is_some() {
            return true;
        }
        let claim = wire::signature::parse(&parts).ok().flatten();
        let lifted = claim.as_ref().map(|claim| wire::signature::lifted(claim, &parts));
        let lifted = lifted.transpose().ok().flatten().flatten();
        let parts = Parts {
            headers: lifted.as_ref().unwrap_or(headers),
            ..parts
        };
        let signed_for = claim.as_ref().map(wire::signature::Claim::service);
        route::route(&parts, signed_for, &api::models::Embedded).is_ok_and(|route| {
            takes_stream(&route) && self.endpoint(route.service.name, route.operation.name).is_some()
        })
    }
}

/// Whether the operation's input has a payload that streams. Only S3's clients say in a header how they sign it, so that everything
/// else is known before it comes.
fn takes_stream(route: &Route) -> bool {
    if route.service.signing_name != "s3" {
        return false;
    }
    let shape = route.operation.input.and_then(|id| route.service.shape(id));
    let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind) else {
        return false;
    };
    let payload = structure.payload.and_then(|index| structure.members.get(index));
    payload.is_some_and(|member| member.streaming)
}

/// Writes what is inside an internal fault to the log, which the caller never sees. Sources are errors of libraries,
/// whose texts hold no secret.
fn report(fault: &Fault, id: &str) {
    let mut source = fault
        .source
        .as_deref()
        .map(|source| source as &dyn std::error::Error);
    if source.is_some() {
        eprint!("ringwork: request {id}");
    }
    while let Some(error) = source {
        eprint!(": {error}");
        source = error.source();
        if source.is_none() {
            eprintln!();
        }
    }
}

/// What an operation came to, in the protocol that its client spoke.
fn encoded(route: Route, outcome: Result<Document>, id: &str) -> protocol::Encoded {
    let Route {
        service,
        operation,
        protocol,
    } = route;
    outcome
        .and_then(|output| protocol::encode(service, operation, protocol, &output, id))
        .unwrap_or_else(|fault| {
            report(&fault, id);
            protocol::encode_fault(Some(service), protocol, &fault, id)
        })
}

/// The code of a refusal, as clients see it.
fn code(service: &Service, protocol: Protocol, outcome: &Result<Document>) -> Option<String> {
    let fault = outcome.as_ref().err()?;
    Some(protocol::spell(Some(service), protocol, fault).code.to_string())
}

/// An encoded answer without anything beside it.
pub(crate) fn told(encoded: protocol::Encoded) -> Answer {
    answer(encoded, None)
}

/// EC2 tells a denial in a message of its own, with the encoded one in it (EC2 User Guide, "Troubleshoot access denied errors").
fn told_as_ec2(outcome: &mut Result<Document>, denial: Option<&str>) {
    let Err(fault) = outcome else {
        return;
    };
    if let (Code::Common(Common::AccessDenied), Some(encoded)) = (&fault.code, denial) {
        fault.message = format!(
            "You are not authorized to perform this operation. {}. Encoded authorization failure message: {encoded}",
            fault.message
        );
    }
}

fn answer(encoded: protocol::Encoded, denial: Option<String>) -> Answer {
    let mut headers = encoded.headers;
    if let Some(value) = denial.and_then(|token| http::HeaderValue::from_str(&token).ok()) {
        headers.insert("x-ringwork-authorization-message", value);
    }
    Answer {
        status: encoded.status,
        headers,
        body: Body::Whole(Bytes::from(encoded.body)),
    }
}

/// The chain of requests that a request belongs to (X-Ray Developer Guide, "Tracing header"), and as much of it as is kept.
const TRACE: http::HeaderName = http::HeaderName::from_static("x-amzn-trace-id");
const TRACE_BYTES_MAX: usize = 4096;

fn request_facts(id: String, incoming: &Incoming) -> RequestFacts {
    let text = |name: http::HeaderName| {
        incoming
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    RequestFacts {
        id,
        source_ip: incoming.peer.ip().to_canonical().to_string(),
        user_agent: text(http::header::USER_AGENT),
        secure: incoming.tls.is_some(),
        host: text(http::header::HOST),
        tls: incoming.tls,
        trace: text(TRACE).filter(|trace| trace.len() <= TRACE_BYTES_MAX),
        if_range: text(http::header::IF_RANGE),
        signed: None,
        posted: false,
    }
}
