//! Refusals for want of a place: strangers who find taken what strangers may take (`crate::strangers`).
//!
//! Invariant: such a refusal begins no transaction, and of the refusals of one second one is recorded.
//!
//! Source: S3 API Reference, "Error responses", `SlowDown`.

use std::net::IpAddr;

use wire::fault::Common;
use wire::model::{Protocol, Service};
use wire::protocol::{self, Parts};
use wire::route;
use wire::{Fault, Timestamp};

use super::admit::Refused;
use super::{Gateway, answer};
use crate::call::RequestFacts;
use crate::front::{Answer, Incoming};
use crate::ledger::record::Caller;
use crate::origin::Asking;
use crate::recorder::{self, Moment};
use crate::signin::Visitor;
use crate::strangers::Guest;

/// The code of these refusals at S3.
pub(super) const SLOW_DOWN: &str = "SlowDown";
/// CloudTrail's `additionalEventData` of the refusal that is recorded: how many before it were not.
const UNRECORDED: &str = "unrecordedRefusals";

/// Whether a request shows no signature: nobody stands behind it.
pub(super) fn is_unsigned(incoming: &Incoming) -> bool {
    !incoming.headers.contains_key(http::header::AUTHORIZATION)
        && !incoming.query.contains("X-Amz-Signature=")
        && !incoming.query.contains("AWSAccessKeyId=")
}

fn slow_down() -> Fault {
    Fault::plain(SLOW_DOWN, 503, "Please reduce your request rate.")
}

impl Gateway {
    /// Refuses a stranger's request, in the form that its service speaks.
    pub(super) async fn shed(&self, incoming: &Incoming, facts: &RequestFacts, wall: Timestamp) -> Answer {
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: incoming.body.at_hand(),
        };
        if route::website(parts.headers).is_some() {
            return self.shed_visit(facts, wall).await;
        }
        let (service, protocol) = match route::route(&parts, None, &api::models::Embedded) {
            Ok(route) => (Some(route.service), route.protocol),
            Err(refusal) => (refusal.service, refusal.protocol),
        };
        self.shed_as(service, protocol, facts, wall).await
    }

    /// A place for a step of signing in, to be held while it is taken; `None` where strangers have taken them all, which is noted as other
    /// refusals of strangers are.
    pub async fn place(&self, visitor: &Visitor) -> Option<Guest> {
        let guest = self.strangers.enter(visitor.peer.ip());
        if guest.is_none() {
            let wall = self.environment.clock.wall();
            let facts = visitor.facts(self.environment.draw_id(wall.0));
            self.shed_as(None, Protocol::AwsQuery, &facts, wall).await;
        }
        guest
    }

    /// Refuses what no handler saw. A signature that does not hold is worth no more than none: `claims` is the peer who showed one.
    pub(super) async fn turn_down(
        &self,
        refused: Refused,
        claims: Option<IpAddr>,
        asking: Option<Asking>,
        (facts, parts): (&RequestFacts, &Parts<'_>),
        wall: Timestamp,
    ) -> Answer {
        let guest = claims
            .filter(|_| !refused.proven)
            .map(|peer| self.strangers.enter(peer));
        if matches!(guest, Some(None)) {
            return self.shed_as(refused.service, refused.protocol, facts, wall).await;
        }
        let service = refused.service.map_or("", |service| service.name);
        let unheard = self.unheard(&refused, parts);
        let mut answer = self.refuse(refused, facts).await;
        self.share(service, asking, &mut answer);
        if let Some(unheard) = unheard {
            let told = (answer.status, &answer.headers, (answer.size(), false));
            self.follow_refused(unheard, parts, facts, told, wall).await;
        }
        answer
    }

    /// The same for a service that is known.
    pub(super) async fn shed_as(
        &self,
        service: Option<&'static Service>,
        protocol: Protocol,
        facts: &RequestFacts,
        wall: Timestamp,
    ) -> Answer {
        let fault = if service.is_some_and(|service| service.bare_errors) {
            slow_down()
        } else {
            Fault::common(Common::Unavailable, "Please reduce your request rate.")
        };
        let fault = self.note_shed(service, protocol, fault, facts, wall).await;
        answer(protocol::encode_fault(service, protocol, &fault, &facts.id), None)
    }

    /// The same as a web page.
    pub(super) async fn shed_visit(&self, facts: &RequestFacts, wall: Timestamp) -> Answer {
        let service = api::models::service("s3");
        let fault = self
            .note_shed(service, Protocol::RestXml, slow_down(), facts, wall)
            .await;
        answer(protocol::encode_page(service, &fault, None, &facts.id), None)
    }

    /// Records the first such refusal of a second. Its fault, or the one of the record that could not be written.
    async fn note_shed(
        &self,
        service: Option<&'static Service>,
        protocol: Protocol,
        fault: Fault,
        facts: &RequestFacts,
        wall: Timestamp,
    ) -> Fault {
        let Some(unrecorded) = self.strangers.refused(wall.0) else {
            return fault;
        };
        let moment = Moment {
            now: self.environment.clock.now(),
            wall,
            event: self.environment.draw_id(wall.0),
        };
        let mut record = recorder::refusal(
            recorder::Refusal {
                rules: self.trail(service.map_or("", |service| service.name)),
                read_only: None,
                fault: &fault,
                route: None,
                protocol,
                service,
                region: "us-east-1",
                caller: Caller::unknown(""),
                input: None,
                management_account: &self.environment.management_account,
            },
            facts,
            moment,
        );
        record.additional.insert(UNRECORDED.to_owned(), unrecorded.into());
        let appends = vec![recorder::append(&record)];
        match self.store.commit(self.store.begin(), appends).await {
            Ok(_) => fault,
            Err(error) => Fault::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use wire::typed::Empty;

    use super::*;
    use crate::call::{Call, Look};
    use crate::form::{FormAnswer, FormRules};
    use crate::front::{Body, Standing};
    use crate::gateway::Tables;
    use crate::ledger::scan::tests::Nobody;
    use crate::operation::{Access, Endpoint, Operation, Result};
    use crate::resource::{AccountScope, Authorized, Found};
    use crate::testing::Cloud;

    struct ListBuckets;

    impl Operation for ListBuckets {
        type Input = Empty;
        type Output = Empty;
        type Target = AccountScope;
        const ACCESS: Access = Access::list("s3:ListAllMyBuckets");

        fn target(_: &mut Look<'_>, _: &Empty) -> Result<Found<AccountScope>> {
            Err(Fault::access_denied("Access Denied"))
        }

        fn handle(_: &mut Call<'_>, _: Authorized<AccountScope>, _: Empty) -> Result<Empty> {
            Ok(Empty)
        }
    }

    static OPERATIONS: &[Endpoint] = &[Endpoint::of::<ListBuckets>("s3", "ListBuckets")];
    static FORMS: FormRules = FormRules {
        service: "s3",
        operation: "PutObject",
        read: |_, _, _, _| Err(Fault::access_denied("Access Denied")),
        answer: |_, _| FormAnswer {
            status: 204,
            location: String::new(),
            body: Vec::new(),
        },
    };

    fn incoming(
        method: Method,
        (path, query): (&str, &str),
        headers: &[(&'static str, &'static str)],
    ) -> Incoming {
        let mut all = HeaderMap::new();
        all.insert("host", HeaderValue::from_static("127.0.0.1"));
        for (name, value) in headers {
            all.insert(*name, HeaderValue::from_static(value));
        }
        Incoming {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all,
            body: Body::Whole(bytes::Bytes::new()),
            peer: ([192, 0, 2, 1], 50_000).into(),
            tls: None,
            standing: Standing::default(),
        }
    }

    /// S20.5: what only looks signed takes a stranger's place like anything else that nobody verifies.
    #[test]
    fn who_only_seems_to_sign_is_bounded_like_a_stranger() {
        let tables = Tables {
            operations: vec![OPERATIONS],
            forms: vec![&FORMS],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(Nobody), &tables);
        let form = ("content-type", "multipart/form-data; boundary=b");
        let (origin, header) = (("origin", "https://a.example.com"), ("authorization", "x"));
        let ask = || {
            [
                incoming(Method::GET, ("/", ""), &[]),
                incoming(Method::GET, ("/", "a=X-Amz-Signature="), &[]),
                incoming(Method::GET, ("/", "prefix=AWSAccessKeyId="), &[]),
                incoming(Method::POST, ("/bucket", "X-Amz-Signature=x"), &[form]),
                incoming(Method::OPTIONS, ("/bucket/key", ""), &[origin, header]),
            ]
            .map(|incoming| cloud.serve(incoming).status)
        };
        assert!(ask().iter().all(|status| *status < 500), "{:?}", ask());
        let strangers = &cloud.gateway.strangers;
        let peer = IpAddr::from([192, 0, 2, 1]);
        // A form sends a body, and takes a place of those that do.
        let mut all: Vec<_> = std::iter::from_fn(|| strangers.enter(peer)).collect();
        all.extend(std::iter::from_fn(|| strangers.enter_sending(peer)));
        assert_eq!(ask(), [503; 5]);
        drop(all);
        assert!(ask().iter().all(|status| *status < 500));
    }
}
