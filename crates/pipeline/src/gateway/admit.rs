//! Who asks for what: the route, the verified caller, the decoded and checked input; or a recorded refusal.
//!
//! Invariant: a request that ends here has changed nothing but the ledger.

use std::sync::Arc;

use bytes::Bytes;
use crypto::signature::SigningKey;
use http::HeaderMap;
use wire::fault::Common;
use wire::model::{Protocol, Service};
use wire::protocol::{self, Parts};
use wire::route::{self, Route};
use wire::signature::Claim;
use wire::{Document, Fault, Timestamp};

use super::{ATTEMPTS_MAX, Gateway, answer, report};
use crate::authenticate::{self, Proven};
use crate::call::{Look, RequestFacts};
use crate::front::{Answer, Incoming, Standing};
use crate::identity::Identity;
use crate::integrity;
use crate::ledger::record::Caller;
use crate::operation::{Endpoint, Result};
use crate::origin::Owned;
use crate::payload::{self, Payload};
use crate::recorder::{self, Moment};
use crate::signed::Signed;
use crate::trail::Located;

/// Where requests go that name no region.
const FIRST_REGION: &str = "us-east-1";

/// A request whose sender and meaning are known.
pub(super) struct Prepared {
    pub(super) route: Route,
    pub(super) endpoint: &'static Endpoint,
    pub(super) identity: Arc<Identity>,
    pub(super) region: String,
    pub(super) input: Document,
    /// What a payload has to prove that is still arriving.
    pub(super) payload: Option<Payload>,
    /// What a payload in chunks carries that was at hand, with its trailing headers.
    pub(super) unchunked: Option<Unchunked>,
    /// The headers with which the input is decoded, where they are not the request's own.
    pub(super) headers: Option<HeaderMap>,
    /// How the request was signed; `None` of strangers.
    pub(super) signed: Option<Signed>,
}

/// What a payload in chunks carries, and its trailing headers.
type Unchunked = (Bytes, Vec<(String, String)>);

/// A request that ends before a handler.
pub(super) struct Refused {
    /// Who asked, if that was verified.
    pub(super) requester: Option<Arc<Identity>>,
    pub(super) fault: Fault,
    pub(super) route: Option<Route>,
    pub(super) protocol: Protocol,
    pub(super) service: Option<&'static Service>,
    pub(super) region: String,
    pub(super) caller: Caller,
    pub(super) input: Option<Document>,
    /// A signature was verified before it.
    pub(super) proven: bool,
}

impl Refused {
    /// Of a request whose operation is known.
    fn of_route(fault: Fault, route: Route, region: &str, caller: Caller) -> Box<Self> {
        Box::new(Self {
            requester: None,
            fault,
            route: Some(route),
            protocol: route.protocol,
            service: Some(route.service),
            region: region.to_owned(),
            caller,
            input: None,
            proven: false,
        })
    }
}

impl Prepared {
    /// Whether a signature was verified, which gives the connection its standing.
    pub(super) fn is_proven(&self, standing: &Standing) -> bool {
        let proven = !self.identity.access_key_id.is_empty();
        if proven {
            standing.prove();
        }
        proven
    }
}

impl Gateway {
    /// Routes, authenticates and decodes. The payload may be still `arriving`; if not, `body` is its whole.
    pub(super) fn prepare(
        &self,
        parts: &Parts<'_>,
        wall: Timestamp,
        body: Option<&Bytes>,
    ) -> std::result::Result<Prepared, Box<Refused>> {
        let claim = wire::signature::parse(parts);
        let signed = claim.as_ref().ok().and_then(Option::as_ref);
        let lifted = signed.map_or(Ok(None), |claim| wire::signature::lifted(claim, parts));
        let (headers, unliftable) = match lifted {
            Ok(headers) => (headers, None),
            Err(fault) => (None, Some(fault)),
        };
        let effective = Parts {
            headers: headers.as_ref().unwrap_or(parts.headers),
            ..*parts
        };
        let region = self.region_of(&effective, signed);
        let routed = route::route(&effective, signed.map(Claim::service), &api::models::Embedded);
        let route = match routed {
            Ok(route) => route,
            Err(refusal) => return Err(Box::new(self.unrouted(parts, claim, refusal, region, wall))),
        };
        let unsigned = |fault| Refused::of_route(fault, route, &region, Caller::unknown(""));
        let claim = claim.map_err(unsigned)?;
        if let Some(fault) = unliftable {
            return Err(unsigned(fault));
        }
        let proven = self.prove(parts, claim.as_ref(), route, (&region, wall), body.is_none())?;
        let (mut prepared, key) = proven;
        let refused = |fault: Fault, input: Option<Document>, identity: &Arc<Identity>, proven: bool| {
            let mut refused = Refused::of_route(fault, route, &region, Caller::of(identity));
            refused.requester = Some(Arc::clone(identity));
            refused.proven = proven;
            refused.input = input;
            refused
        };
        let (identity, proven) = (Arc::clone(&prepared.identity), prepared.signed.is_some());
        let key = claim.as_ref().and_then(Claim::v4).zip(key);
        let received = receive(parts, key, body).map_err(|fault| refused(fault, None, &identity, proven))?;
        let parts = &Parts {
            body: received.bytes(effective.body),
            ..effective
        };
        let whole = integrity::check(route.service, route.operation, parts.headers, parts.body);
        let input = whole
            .and_then(|()| protocol::decode(route.service, route.operation, route.protocol, parts))
            .map_err(|fault| refused(fault, None, &identity, proven))?;
        if let Some(shape) = route.operation.input
            && let Err(fault) = wire::constraints::check(route.service, shape, &input)
        {
            return Err(refused(fault, Some(input), &identity, proven));
        }
        prepared.input = input;
        (prepared.payload, prepared.unchunked) = received.split();
        prepared.headers = headers;
        Ok(prepared)
    }

    /// Finds out who sent a request whose operation is known. What it carries is still to come.
    fn prove(
        &self,
        parts: &Parts<'_>,
        claim: Option<&Claim<'_>>,
        route: Route,
        (region, wall): (&str, Timestamp),
        arriving: bool,
    ) -> std::result::Result<(Prepared, Option<Arc<SigningKey>>), Box<Refused>> {
        let endpoint = self.endpoint(route.service.name, route.operation.name);
        // S3 serves strangers too: what the policies say of them decides.
        let stranger = claim.is_none() && route.service.bare_errors && endpoint.is_some();
        let (identity, key, signed) = if stranger || endpoint.is_some_and(Endpoint::is_bearer) {
            let stranger = Identity::anonymous(&self.environment.management_account);
            (Arc::new(stranger), None, None)
        } else {
            let asked = (claim, Some(route), region);
            match self.verify(parts, asked, wall, arriving) {
                Ok(proven) => {
                    let signed = claim.map(|claim| Signed::of(claim, parts.headers));
                    (proven.identity, proven.key, signed)
                }
                Err(denied) => {
                    let key_id = claim.map(Claim::access_key_id).unwrap_or_default();
                    let caller = denied
                        .identity
                        .as_deref()
                        .map_or_else(|| Caller::unknown(key_id), Caller::of);
                    return Err(Refused::of_route(denied.fault, route, region, caller));
                }
            }
        };
        let Some(endpoint) = endpoint else {
            let mut refused =
                Refused::of_route(not_implemented(&route), route, region, Caller::of(&identity));
            refused.proven = signed.is_some();
            refused.requester = Some(identity);
            return Err(refused);
        };
        let region = if route.service.global {
            FIRST_REGION
        } else {
            region
        };
        let prepared = Prepared {
            route,
            endpoint,
            identity,
            region: region.to_owned(),
            input: Document::empty(),
            payload: None,
            unchunked: None,
            headers: None,
            signed,
        };
        Ok((prepared, key))
    }

    /// The region that a request is for: the one that it was signed for, or, of a signature that names none, where the resource is.
    fn region_of(&self, parts: &Parts<'_>, claim: Option<&Claim<'_>>) -> String {
        match claim {
            None => FIRST_REGION.to_owned(),
            Some(Claim::V4(claim)) => claim.scope.region.to_string(),
            Some(Claim::V2(_)) => {
                let found = self.placed("s3", parts.path, parts.headers);
                found.map_or_else(|| FIRST_REGION.to_owned(), |found| found.owned.region)
            }
        }
    }

    /// The resource of a service that a path names.
    pub(super) fn placed(&self, service: &str, path: &str, headers: &HeaderMap) -> Option<Located> {
        let placed = self.trail(service).placed?;
        let path = route::path_style(path, headers);
        let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let account = &self.environment.management_account;
        let mut tx = self.store.begin();
        for _ in 0..ATTEMPTS_MAX {
            let now = self.environment.clock.now();
            let mut look = Look::new(&mut tx, &self.environment, now, FIRST_REGION, Arc::clone(account));
            let located = placed(&mut look, name);
            if !look.conflict {
                // A store that does not read fails the call itself.
                return located.ok().flatten();
            }
            tx = self.store.begin_eager().ok()?;
        }
        None
    }

    /// A request that names no operation. It is named as unknown only to callers who proved who they are.
    fn unrouted(
        &self,
        parts: &Parts<'_>,
        claim: Result<Option<Claim<'_>>>,
        refusal: route::Refusal,
        region: String,
        wall: Timestamp,
    ) -> Refused {
        // S3 serves strangers too, so what it does not know it refuses to them as it does to others.
        let stranger =
            matches!(claim, Ok(None)) && refusal.service.is_some_and(|service| service.bare_errors);
        let verified = claim.and_then(|claim| {
            self.verify(parts, (claim.as_ref(), None, &region), wall, false)
                .map_err(|refused| refused.fault)
        });
        let proven = verified.is_ok();
        let (fault, caller, requester) = match verified {
            Ok(proven) => (refusal.fault, Caller::of(&proven.identity), Some(proven.identity)),
            Err(_) if stranger => (refusal.fault, Caller::unknown(""), None),
            Err(fault) => (fault, Caller::unknown(""), None),
        };
        Refused {
            requester,
            fault,
            route: None,
            protocol: refusal.protocol,
            service: refusal.service,
            region,
            caller,
            input: None,
            proven,
        }
    }

    fn verify(
        &self,
        parts: &Parts<'_>,
        (claim, route, region): (Option<&Claim<'_>>, Option<Route>, &str),
        wall: Timestamp,
        arriving: bool,
    ) -> std::result::Result<Proven, authenticate::Refused> {
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
            let mut look = Look::new(&mut tx, &self.environment, now, region, Arc::clone(&account));
            let verified = match claim {
                Claim::V4(claim) => authenticate::verify(&mut look, parts, claim, route, wall, arriving),
                Claim::V2(_) if route.is_some_and(|route| !route.service.bare_errors) => {
                    Err(wire::sigv2::unsupported().into())
                }
                Claim::V2(claim) => authenticate::verify_old(&mut look, parts, claim, wall)
                    .map(|identity| Proven { identity, key: None }),
            };
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
            body: incoming.body.at_hand(),
        };
        let claim = wire::sigv4::parse(&parts)?;
        if let Some(claim) = &claim {
            wire::sigv4::check_scope(claim, &["ringwork"], &[])?;
            authenticate::check_payload(claim, &parts)?;
        }
        let region = claim.as_ref().map(|claim| claim.scope.region.to_string());
        let claim = claim.map(Claim::V4);
        let asked = (claim.as_ref(), None, region.as_deref().unwrap_or_default());
        let proven = self.verify(&parts, asked, self.environment.clock.wall(), false);
        let proven = proven.map_err(|refused| refused.fault)?;
        incoming.standing.prove();
        Ok(proven.identity)
    }

    /// Records and answers a request that no handler saw.
    pub(super) async fn refuse(&self, refused: Refused, facts: &RequestFacts) -> Answer {
        let (service, protocol) = (refused.service, refused.protocol);
        let fault = self.record_refusal(refused, facts).await;
        report(&fault, &facts.id);
        answer(protocol::encode_fault(service, protocol, &fault, &facts.id), None)
    }

    /// Records a data event that is no operation of the service's model, of a caller who shows nothing: what a browser asks in advance.
    pub(crate) async fn record_event(
        &self,
        service: Option<&'static Service>,
        event: &'static str,
        owned: Owned,
        fault: Option<&Fault>,
        facts: &RequestFacts,
    ) -> Result<()> {
        let wall = self.environment.clock.wall();
        let moment = Moment {
            now: self.environment.clock.now(),
            wall,
            event: self.environment.draw_id(wall.0),
        };
        let record = recorder::asked_in_advance(service, event, owned, fault, facts, moment);
        let appends = vec![recorder::append(&record)];
        let committed = self.store.commit(self.store.begin(), appends).await;
        committed.map(drop).map_err(Fault::internal)
    }

    /// Makes a refusal durable. Its fault, or the one of the record that could not be written.
    pub(super) async fn record_refusal(&self, refused: Refused, facts: &RequestFacts) -> Fault {
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
}

/// What became of a request's payload before its operation runs.
enum Received {
    AsItIs,
    /// It is verified while it arrives.
    Arriving(Payload),
    /// It came in chunks, whose signatures and trailing headers were verified.
    Unchunked(Unchunked),
}

impl Received {
    fn split(self) -> (Option<Payload>, Option<Unchunked>) {
        match self {
            Self::AsItIs => (None, None),
            Self::Arriving(payload) => (Some(payload), None),
            Self::Unchunked(unchunked) => (None, Some(unchunked)),
        }
    }

    fn bytes<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Unchunked((bytes, _)) => bytes,
            Self::AsItIs | Self::Arriving(_) => body,
        }
    }
}

fn receive(
    parts: &Parts<'_>,
    proven: Option<(&wire::sigv4::Claim<'_>, Arc<SigningKey>)>,
    body: Option<&Bytes>,
) -> Result<Received> {
    // A presigned request says it in its query: what was signed decides.
    let chunked = match &proven {
        Some((claim, _)) => matches!(claim.payload, wire::sigv4::PayloadHash::Streaming(_)),
        None => payload::is_chunked(parts.headers),
    };
    match body {
        None => Payload::of(parts.headers, proven).map(Received::Arriving),
        Some(body) if chunked => {
            let unchunked = Payload::of(parts.headers, proven)?.decode(body.clone())?;
            Ok(Received::Unchunked(unchunked))
        }
        Some(_) => Ok(Received::AsItIs),
    }
}

pub(super) fn not_implemented(route: &Route) -> Fault {
    let Route {
        service, operation, ..
    } = route;
    let message = format!(
        "{} of {} is not implemented by this version of Ringwork.",
        operation.name, service.service_id
    );
    Fault::common(Common::NotImplemented, message)
}
