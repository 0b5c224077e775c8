//! The way itself: one request in, one decided, recorded, durable answer out.
//!
//! Invariant: an answer leaves only after its record is durable. A refused call keeps nothing but its record.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use crypto::{Randomness, Seal};
use store::{Append, Store, Tx};
use tokio::sync::Notify;
use wire::fault::{Code, Common};
use wire::model::Protocol;
use wire::protocol::{self, Parts};
use wire::route::{self, Catalog, Route};
use wire::{Document, Fault, Timestamp};

use crate::call::{Call, Look, RequestFacts};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::front::{Answer, Incoming};
use crate::identity::{Directory, Identity};
use crate::jobs::JobKind;
use crate::kept::Unkept;
use crate::ledger::record::{Caller, Record};
use crate::operation::{Endpoint, Result};
use crate::recorder::{self, Moment, Outcome};
use crate::trail::{self, TrailRules};
use crate::{authenticate, authorize};

/// How often a call is run again before it is told to come back later. Each run after the first sees a fresh snapshot,
/// so some call always makes progress.
const ATTEMPTS_MAX: usize = 64;
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
}

/// The pipeline of one Ringwork. Cheap to share behind an `Arc`.
pub struct Gateway {
    pub(crate) store: Store,
    pub(crate) environment: Environment,
    pub(crate) jobs: Vec<&'static JobKind>,
    pub(crate) replanned: Notify,
    /// Held by the one call that runs again after it lost often.
    turn: tokio::sync::Mutex<()>,
    endpoints: HashMap<&'static str, HashMap<&'static str, &'static Endpoint>>,
    trails: HashMap<&'static str, &'static TrailRules>,
}

/// A request whose sender and meaning are known.
struct Prepared {
    route: Route,
    endpoint: &'static Endpoint,
    identity: Arc<Identity>,
    region: String,
    input: Document,
}

/// A request that ends before a handler.
struct Refused {
    fault: Fault,
    route: Option<Route>,
    protocol: Protocol,
    service: Option<&'static wire::model::Service>,
    region: String,
    caller: Caller,
    input: Option<Document>,
}

/// What one run of a call came to.
struct Ran {
    outcome: Result<Document>,
    appends: Vec<Append>,
    unkept: Unkept,
    /// The earliest job that the run planned.
    planned: Option<i64>,
    denial: Option<String>,
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
        let environment = Environment::new(seal, random, clock, directory, management_account);
        let mut endpoints: HashMap<_, HashMap<_, _>> = HashMap::new();
        for endpoint in tables.operations.iter().flat_map(|table| table.iter()) {
            endpoints
                .entry(endpoint.service)
                .or_default()
                .insert(endpoint.name, endpoint);
        }
        let jobs = tables.jobs.iter().flat_map(|table| table.iter()).collect();
        let trails = tables
            .trails
            .iter()
            .map(|rules| (rules.service, *rules))
            .collect();
        Self {
            store,
            environment,
            jobs,
            replanned: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            endpoints,
            trails,
        }
    }

    /// The row of an operation, if it is built.
    pub fn endpoint(&self, service: &str, operation: &str) -> Option<&'static Endpoint> {
        self.endpoints
            .get(service)
            .and_then(|operations| operations.get(operation))
            .copied()
    }

    /// Every operation that is built.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static Endpoint> + '_ {
        self.endpoints
            .values()
            .flat_map(|operations| operations.values().copied())
    }

    /// How a service's calls look in the trail.
    fn trail(&self, service: &str) -> &'static TrailRules {
        self.trails.get(service).copied().unwrap_or(&trail::ORDINARY)
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
        self.environment.known_policies.clear();
        self.replanned.notify_one();
    }

    /// Serves one request.
    pub async fn serve(&self, incoming: Incoming) -> Answer {
        let wall = self.environment.clock.wall();
        let facts = request_facts(self.environment.draw_id(wall.0), &incoming);
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &incoming.body,
        };
        match self.prepare(&parts, wall) {
            Ok(prepared) => {
                let Route {
                    service,
                    operation,
                    protocol,
                } = prepared.route;
                let (result, denial) = self.execute(prepared, &facts, &parts).await;
                let encoded = result
                    .and_then(|output| protocol::encode(service, operation, protocol, &output, &facts.id))
                    .unwrap_or_else(|fault| {
                        report(&fault, &facts.id);
                        protocol::encode_fault(Some(service), protocol, &fault, &facts.id)
                    });
                answer(encoded, denial)
            }
            Err(refused) => self.refuse(*refused, &facts).await,
        }
    }

    /// Routes, authenticates and decodes.
    fn prepare(&self, parts: &Parts<'_>, wall: Timestamp) -> std::result::Result<Prepared, Box<Refused>> {
        let claim = wire::sigv4::parse(parts);
        let scope = claim
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|claim| &claim.scope);
        let region = scope.map_or_else(|| "us-east-1".to_owned(), |scope| scope.region.to_string());
        let routed = route::route(parts, scope.map(|scope| &*scope.service), &api::models::Embedded);
        let route = match routed {
            Ok(route) => route,
            Err(refusal) => {
                // An unknown operation is named only to callers who proved who they are.
                let verified = claim.and_then(|claim| {
                    self.verify(parts, claim.as_ref(), None, wall)
                        .map_err(|refused| refused.fault)
                });
                let (fault, caller) = match verified {
                    Ok(identity) => (refusal.fault, Caller::of(&identity)),
                    Err(fault) => (fault, Caller::unknown("")),
                };
                let (protocol, service) = (refusal.protocol, refusal.service);
                return Err(Box::new(Refused {
                    fault,
                    route: None,
                    protocol,
                    service,
                    region,
                    caller,
                    input: None,
                }));
            }
        };
        let refused = |fault: Fault, caller: Caller, input: Option<Document>| {
            let (protocol, service) = (route.protocol, Some(route.service));
            Box::new(Refused {
                fault,
                route: Some(route),
                protocol,
                service,
                region: region.clone(),
                caller,
                input,
            })
        };
        let claim = claim.map_err(|fault| refused(fault, Caller::unknown(""), None))?;
        let key_id = claim
            .as_ref()
            .map(|claim| claim.access_key_id.to_string())
            .unwrap_or_default();
        let identity = self
            .verify(parts, claim.as_ref(), Some(route), wall)
            .map_err(|denied| {
                let caller = denied
                    .identity
                    .as_deref()
                    .map_or_else(|| Caller::unknown(&key_id), Caller::of);
                refused(denied.fault, caller, None)
            })?;
        let Some(endpoint) = self.endpoint(route.service.name, route.operation.name) else {
            return Err(refused(not_implemented(&route), Caller::of(&identity), None));
        };
        let input = protocol::decode(route.service, route.operation, route.protocol, parts)
            .map_err(|fault| refused(fault, Caller::of(&identity), None))?;
        if let Some(shape) = route.operation.input
            && let Err(fault) = wire::constraints::check(route.service, shape, &input)
        {
            return Err(refused(fault, Caller::of(&identity), Some(input)));
        }
        let region = if route.service.global {
            "us-east-1".to_owned()
        } else {
            region
        };
        Ok(Prepared {
            route,
            endpoint,
            identity,
            region,
            input,
        })
    }

    fn verify(
        &self,
        parts: &Parts<'_>,
        claim: Option<&wire::sigv4::Claim<'_>>,
        route: Option<Route>,
        wall: Timestamp,
    ) -> std::result::Result<Arc<Identity>, authenticate::Refused> {
        let Some(claim) = claim else {
            return Err(Fault::common(
                Common::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            )
            .into());
        };
        let mut tx = self.store.begin();
        let account = Arc::clone(&self.environment.management_account);
        for _ in 0..ATTEMPTS_MAX {
            let now = self.environment.clock.now();
            let mut look = Look::new(
                &mut tx,
                &self.environment,
                now,
                &claim.scope.region,
                Arc::clone(&account),
            );
            let verified = authenticate::verify(&mut look, parts, claim, route, wall);
            if !look.conflict {
                return verified;
            }
            tx = self.store.begin_eager().map_err(Fault::internal)?;
        }
        Err(Fault::common(Common::Unavailable, "").into())
    }

    /// Verifies a request to Ringwork's own control paths: any service name in the scope but `ringwork` is refused.
    ///
    /// # Errors
    /// The fault of the failed check.
    pub fn authenticate_control(&self, incoming: &Incoming) -> Result<Arc<Identity>> {
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &incoming.body,
        };
        let claim = wire::sigv4::parse(&parts)?;
        if let Some(claim) = &claim {
            wire::sigv4::check_scope(claim, &["ringwork"], &[])?;
            authenticate::check_payload(claim, &parts)?;
        }
        self.verify(&parts, claim.as_ref(), None, self.environment.clock.wall())
            .map_err(|refused| refused.fault)
    }

    /// Runs a call until its transaction commits.
    async fn execute(
        &self,
        mut prepared: Prepared,
        facts: &RequestFacts,
        parts: &Parts<'_>,
    ) -> (Result<Document>, Option<String>) {
        let Route {
            service,
            operation,
            protocol,
        } = prepared.route;
        let mut input = Some(std::mem::replace(&mut prepared.input, Document::empty()));
        let mut turn = None;
        for attempt in 0..ATTEMPTS_MAX {
            if attempt == ATTEMPTS_AT_ONCE {
                turn = Some(self.turn.lock().await);
            }
            let tx = if attempt == 0 {
                Ok(self.store.begin())
            } else {
                self.store.begin_eager()
            };
            let mut tx = match tx {
                Ok(tx) => tx,
                Err(error) => return (Err(Fault::internal(error)), None),
            };
            let document = match input.take() {
                Some(document) => document,
                None => match protocol::decode(service, operation, protocol, parts) {
                    Ok(document) => document,
                    Err(fault) => return (Err(fault), None),
                },
            };
            let ran = if self.store.blocking() {
                tokio::task::block_in_place(|| self.run_once(&mut tx, &prepared, facts, document))
            } else {
                self.run_once(&mut tx, &prepared, facts, document)
            };
            let Some(ran) = ran else { continue };
            match self.finish(tx, ran).await {
                Ok(done) => return done,
                Err(error) if error.is_conflict() => {}
                Err(error) => return (Err(Fault::internal(error)), None),
            }
        }
        drop(turn);
        let fault = Fault::common(
            Common::Unavailable,
            "Too many calls change the same resources. Try again.",
        );
        let caller = Caller::of(&prepared.identity);
        let (route, region) = (Some(prepared.route), prepared.region);
        let refused = Refused {
            fault,
            route,
            protocol,
            service: Some(service),
            region,
            caller,
            input: None,
        };
        (Err(self.record_refusal(refused, facts).await), None)
    }

    /// One run: authorize, handle, and the record of it. `None` asks for another run.
    fn run_once(
        &self,
        tx: &mut Tx,
        prepared: &Prepared,
        facts: &RequestFacts,
        input: Document,
    ) -> Option<Ran> {
        let Route {
            service,
            operation,
            protocol,
        } = prepared.route;
        let endpoint = prepared.endpoint;
        let now = self.environment.clock.now();
        let identity = &*prepared.identity;
        let rules = self.trail(service.name);
        let shown = recorder::shown_input(rules, service, operation, &input);
        let account = Arc::clone(&identity.account);
        let look = Look::new(tx, &self.environment, now, &prepared.region, account);
        let mut call = Call::new(look, identity, facts, service.name);
        let outcome = catch_unwind(AssertUnwindSafe(|| endpoint.run(&mut call, input)));
        let outcome = outcome.unwrap_or_else(|_| Err(Fault::internal("a handler panicked")));
        if call.look.conflict {
            return None;
        }
        if outcome.is_ok() && !identity.access_key_id.is_empty() {
            let directory = call.look.directory();
            if directory.used(&mut call).is_err() {
                return None;
            }
        }
        let mut unkept = Unkept::default();
        let judged = unkept.judged(&self.environment.known_policies, &call.judgements);
        let denial = denial_token(&call, outcome.as_ref().err());
        let written = Outcome {
            rules,
            protocol,
            read_only: endpoint.read_only,
            request: shown,
            result: outcome.as_ref(),
            resources: std::mem::take(&mut call.resources),
            additional: std::mem::take(&mut call.additional),
            judged,
        };
        let wall = self.environment.clock.wall();
        let event = self.environment.draw_id(wall.0);
        let moment = Moment { now, wall, event };
        let record = recorder::record(
            service,
            operation,
            &prepared.region,
            identity,
            facts,
            moment,
            written,
        );
        let planned = call.pending.iter().map(|pending| pending.due).min();
        let shared = std::mem::take(&mut call.shared_with);
        let appends = self.appends(record, &shared);
        Some(Ran {
            outcome,
            appends,
            unkept,
            planned,
            denial,
        })
    }

    /// The record, and its copies for other accounts' trails.
    fn appends(&self, mut record: Record, shared_with: &[Arc<str>]) -> Vec<Append> {
        if !shared_with.is_empty() {
            record.shared = Some(self.environment.draw_id(record.wall));
        }
        let mut appends = vec![recorder::append(&record)];
        for account in shared_with {
            record.event = self.environment.draw_id(record.wall);
            record.account = account.to_string();
            appends.push(recorder::append(&record));
        }
        appends
    }

    /// Makes a run durable. A refused one keeps its record alone.
    async fn finish(&self, tx: Tx, ran: Ran) -> store::Result<(Result<Document>, Option<String>)> {
        let keeps = ran.outcome.is_ok() && tx.changed();
        let mut tx = if keeps { tx } else { self.store.begin() };
        ran.unkept.write(&mut tx)?;
        self.store.commit(tx, ran.appends).await?;
        ran.unkept.committed(&self.environment.known_policies);
        if keeps && ran.planned.is_some() {
            self.replanned.notify_one();
        }
        Ok((ran.outcome, ran.denial))
    }

    /// Records and answers a request that no handler saw.
    async fn refuse(&self, refused: Refused, facts: &RequestFacts) -> Answer {
        let (service, protocol) = (refused.service, refused.protocol);
        let fault = self.record_refusal(refused, facts).await;
        report(&fault, &facts.id);
        answer(protocol::encode_fault(service, protocol, &fault, &facts.id), None)
    }

    /// Makes a refusal durable. Its fault, or the one of the record that could not be written.
    async fn record_refusal(&self, refused: Refused, facts: &RequestFacts) -> Fault {
        let wall = self.environment.clock.wall();
        let event = self.environment.draw_id(wall.0);
        let moment = Moment {
            now: self.environment.clock.now(),
            wall,
            event,
        };
        let record = recorder::refusal(
            recorder::Refusal {
                rules: self.trail(refused.service.map_or("", |service| service.name)),
                read_only: refused.route.and_then(|route| {
                    self.endpoint(route.service.name, route.operation.name)
                        .map(|endpoint| endpoint.read_only)
                }),
                fault: &refused.fault,
                route: refused.route,
                protocol: refused.protocol,
                service: refused.service,
                region: &refused.region,
                caller: refused.caller,
                input: refused.input.as_ref(),
                management_account: &self.environment.management_account,
            },
            facts,
            moment,
        );
        let committed = self
            .store
            .commit(self.store.begin(), vec![recorder::append(&record)])
            .await;
        match committed {
            Ok(_) => refused.fault,
            Err(error) => Fault::internal(error),
        }
    }

    /// Runs one operation for a caller who is known already: the seed, jobs and tests come this way. The call is
    /// checked, judged and recorded like any other.
    ///
    /// # Errors
    /// The operation's fault.
    pub async fn call(
        &self,
        identity: &Arc<Identity>,
        region: &str,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let unknown = || {
            Fault::common(
                Common::UnknownOperation,
                format!("{service}:{operation} is not known"),
            )
        };
        let service = api::models::Embedded.service(service).ok_or_else(unknown)?;
        let operation = service.operation(operation).ok_or_else(unknown)?;
        let protocol = service.protocols.first().copied().unwrap_or(Protocol::AwsJson11);
        let route = Route {
            service,
            operation,
            protocol,
        };
        let endpoint = self
            .endpoint(service.name, operation.name)
            .ok_or_else(|| not_implemented(&route))?;
        if let Some(shape) = operation.input {
            wire::constraints::check(service, shape, &input)?;
        }
        let facts = RequestFacts {
            id: self.environment.draw_id(self.environment.clock.wall().0),
            source_ip: "127.0.0.1".to_owned(),
            secure: true,
            ..RequestFacts::default()
        };
        let region = if service.global { "us-east-1" } else { region };
        let mut _turn = None;
        for attempt in 0..ATTEMPTS_MAX {
            if attempt == ATTEMPTS_AT_ONCE {
                _turn = Some(self.turn.lock().await);
            }
            let tx = if attempt == 0 {
                Ok(self.store.begin())
            } else {
                self.store.begin_eager()
            };
            let mut tx = tx.map_err(Fault::internal)?;
            let prepared = Prepared {
                route,
                endpoint,
                identity: Arc::clone(identity),
                region: region.to_owned(),
                input: Document::empty(),
            };
            let Some(ran) = self.run_once(&mut tx, &prepared, &facts, input.clone()) else {
                continue;
            };
            match self.finish(tx, ran).await {
                Ok((result, _)) => return result,
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::common(
            Common::Unavailable,
            "Too many calls change the same resources. Try again.",
        ))
    }

    /// Runs `work` as the installation itself, in one transaction without a decision: the bootstrap and the control
    /// plane's reads. Blocks; not for handlers.
    ///
    /// # Errors
    /// What `work` answers, or the store's failure as a fault.
    pub fn system<T>(&self, region: &str, mut work: impl FnMut(&mut Call<'_>) -> Result<T>) -> Result<T> {
        let identity = Identity::installation(&self.environment.management_account);
        let facts = RequestFacts {
            source_ip: "127.0.0.1".to_owned(),
            secure: true,
            ..RequestFacts::default()
        };
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let account = Arc::clone(&self.environment.management_account);
            let look = Look::new(
                &mut tx,
                &self.environment,
                self.environment.clock.now(),
                region,
                account,
            );
            let mut call = Call::new(look, &identity, &facts, "ringwork");
            let worked = work(&mut call);
            if call.look.conflict {
                continue;
            }
            let worked = worked?;
            match self.store.commit(tx, Vec::new()).wait() {
                Ok(_) => return Ok(worked),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::common(Common::Unavailable, ""))
    }
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

fn not_implemented(route: &Route) -> Fault {
    let Route {
        service, operation, ..
    } = route;
    let message = format!(
        "{} of {} is not implemented by this version of Ringwork.",
        operation.name, service.service_id
    );
    Fault::common(Common::NotImplemented, message)
}

fn answer(encoded: protocol::Encoded, denial: Option<String>) -> Answer {
    let mut headers = encoded.headers;
    if let Some(value) = denial.and_then(|token| http::HeaderValue::from_str(&token).ok()) {
        headers.insert("x-ringwork-authorization-message", value);
    }
    Answer {
        status: encoded.status,
        headers,
        body: Bytes::from(encoded.body),
    }
}

/// The encoded authorization message of a denial, which `sts:DecodeAuthorizationMessage` reads.
fn denial_token(call: &Call<'_>, fault: Option<&Fault>) -> Option<String> {
    let denied = fault.is_some_and(|fault| fault.code == Code::Common(Common::AccessDenied));
    let judgement = call
        .judgements
        .last()
        .filter(|judgement| denied && !judgement.allowed)?;
    let message = authorize::decoded_message(call, judgement).to_string();
    call.issue_token(authorize::MESSAGE_PURPOSE, message.as_bytes())
        .ok()
}

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
    }
}
