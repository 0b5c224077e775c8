//! Requests that a service follows to their end: S3's access logs, which tell what went over the wire.
//!
//! Invariant: a request that no service follows costs nothing here; what is noted of one that is followed is durable before its
//! answer leaves. The note is made after the call's own commit, since it tells of the answer: a stop between the two loses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use wire::protocol::{self, Parts};
use wire::{Fault, Timestamp};

use super::admit::{Prepared, Refused};
use super::{ATTEMPTS_MAX, Gateway};
use crate::call::{Call, Look, RequestFacts};
use crate::front::{Answer, Body};
use crate::identity::Identity;
use crate::operation::Result;
use crate::signed::Signed;
use crate::telemetry::AtEnd;

/// A request with its answer, to the service that follows it.
pub struct Ended<'a> {
    /// What `Look::follow` was given.
    pub subject: &'a str,
    /// What `Look::follow_part` was given.
    pub parts: &'a [EndedPart],
    /// The model's name of the operation; empty of a request that names none.
    pub operation: &'static str,
    pub method: &'a str,
    /// As the client sent them.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// How it was signed, if that was verified.
    pub signed: Option<&'a Signed>,
    pub status: u16,
    /// The code of a refusal.
    pub code: Option<&'a str>,
    pub answer: &'a HeaderMap,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// The answer's body is still to be sent: what it takes is not known yet (`Call::measure_at_end`).
    pub streams: bool,
    /// From the request's arrival to its answer, in milliseconds.
    pub took: i64,
}

/// One thing of several that a request was for.
#[derive(Clone)]
pub struct EndedPart {
    /// What it is called among its likes.
    pub name: String,
    pub version: Option<String>,
    pub status: u16,
    /// The code of a refusal.
    pub code: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// The tags that it had, where the request took it away.
    pub tags: BTreeMap<String, String>,
}

/// A request that its service follows, as far as the call itself knows it.
pub(super) struct Followed {
    pub(super) subject: String,
    pub(super) parts: Vec<EndedPart>,
    pub(super) identity: Arc<Identity>,
    pub(super) region: String,
}

impl Followed {
    pub(super) fn of(look: &mut Look<'_>, prepared: &Prepared) -> Option<Self> {
        let subject = look.followed.take()?;
        let (identity, region) = (Arc::clone(&prepared.identity), prepared.region.clone());
        Some(Self {
            parts: std::mem::take(&mut look.followed_parts),
            subject,
            identity,
            region,
        })
    }
}

/// The status, the headers and the bytes of an answer, and whether they are still to be sent.
pub(crate) type Told<'a> = (u16, &'a HeaderMap, (u64, bool));

/// Makes a note of such a request, in a transaction of its own.
pub type Follower = fn(&mut Call<'_>, &Ended<'_>) -> Result<()>;

/// A refused request that its service follows all the same.
pub(super) struct Unheard {
    follower: Follower,
    followed: Followed,
    operation: &'static str,
    code: String,
}

impl Gateway {
    /// A request that was refused before its operation ran, if its service follows it.
    pub(super) fn unheard(&self, refused: &Refused, parts: &Parts<'_>) -> Option<Unheard> {
        let service = refused.service?;
        let follower = self.trail(service.name).follower?;
        let located = self.placed(service.name, parts.path, parts.headers)?;
        let stranger = || Arc::new(Identity::anonymous(&self.environment.management_account));
        Some(Unheard {
            follower,
            followed: Followed {
                subject: located.followed?,
                parts: Vec::new(),
                identity: refused.requester.clone().unwrap_or_else(stranger),
                region: located.owned.region,
            },
            operation: refused.route.map_or("", |route| route.operation.name),
            code: protocol::spell(Some(service), refused.protocol, &refused.fault)
                .code
                .to_string(),
        })
    }

    /// Lets the service note it, once it is answered.
    pub(super) async fn follow_refused(
        &self,
        unheard: Unheard,
        parts: &Parts<'_>,
        facts: &RequestFacts,
        told: Told<'_>,
        began: Timestamp,
    ) {
        let Unheard {
            follower,
            followed,
            operation,
            code,
        } = unheard;
        self.ended(
            (followed, follower),
            operation,
            parts,
            facts,
            (told, Some(&code)),
            began,
        )
        .await;
    }

    /// Lets a service note what a stranger asked it that is none of its operations, of what the path names in path style.
    pub(crate) async fn tell_question(
        &self,
        (service, question, path): (&'static str, &'static str, &str),
        parts: &Parts<'_>,
        facts: &RequestFacts,
        (told, code): (Told<'_>, Option<&str>),
        began: Timestamp,
    ) {
        let Some(located) = self.placed(service, path, parts.headers) else {
            return;
        };
        let Some((subject, follower)) = located.followed.zip(self.trail(service).follower) else {
            return;
        };
        let followed = Followed {
            subject,
            parts: Vec::new(),
            identity: Arc::new(Identity::anonymous(&self.environment.management_account)),
            region: located.owned.region,
        };
        self.ended((followed, follower), question, parts, facts, (told, code), began)
            .await;
    }

    /// Lets the service note how a request of this operation was answered, and follow the answer to its end.
    pub(super) async fn tell_end(
        &self,
        answer: &mut Answer,
        followed: (Followed, Follower),
        (operation, parts, facts): (&'static str, &Parts<'_>, &RequestFacts),
        code: Option<&str>,
        began: Timestamp,
    ) {
        let streams = matches!(answer.body, Body::Stream(_));
        let told = (answer.status, &answer.headers, (answer.size(), streams));
        let ended = self.ended(followed, operation, parts, facts, (told, code), began);
        let measures = ended.await;
        let body = std::mem::replace(&mut answer.body, Body::Whole(Bytes::new()));
        answer.body = self.to_its_end(body, measures, began);
    }

    /// Lets the service note a request of this operation that was answered so, with this code of a refusal.
    pub(super) async fn ended(
        &self,
        (followed, follower): (Followed, Follower),
        operation: &'static str,
        parts: &Parts<'_>,
        facts: &RequestFacts,
        ((status, headers, (sent, streams)), code): (Told<'_>, Option<&str>),
        began: Timestamp,
    ) -> Vec<AtEnd> {
        let ended = Ended {
            subject: &followed.subject,
            parts: &followed.parts,
            operation,
            method: parts.method,
            path: parts.path,
            query: parts.query,
            headers: parts.headers,
            signed: facts.signed.as_ref(),
            status,
            code,
            answer: headers,
            sent,
            streams,
            took: self.environment.clock.wall().0 - began.0,
        };
        self.follow(follower, &followed, facts, &ended).await
    }

    /// Lets a service note how a request that it follows ended. A note that cannot be made is told to the operator: the call itself
    /// has happened already. Tells what is to be measured at the answer's end.
    pub(super) async fn follow(
        &self,
        follower: Follower,
        followed: &Followed,
        facts: &RequestFacts,
        ended: &Ended<'_>,
    ) -> Vec<AtEnd> {
        let noted = self.note_ended(follower, followed, facts, ended).await;
        noted.unwrap_or_else(|fault| {
            super::report(&fault, &facts.id);
            Vec::new()
        })
    }

    async fn note_ended(
        &self,
        follower: Follower,
        followed: &Followed,
        facts: &RequestFacts,
        ended: &Ended<'_>,
    ) -> Result<Vec<AtEnd>> {
        let identity = followed.identity.as_ref();
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let account = Arc::clone(&identity.account);
            let now = self.environment.clock.now();
            let (noted, conflict, planned, measured) = {
                let look = Look::new(&mut tx, &self.environment, now, &followed.region, account);
                let mut call = Call::new(look, identity, facts, "");
                let noted = follower(&mut call, ended);
                let measured = (
                    std::mem::take(&mut call.measured),
                    std::mem::take(&mut call.measured_at_end),
                );
                (noted, call.look.conflict, !call.pending.is_empty(), measured)
            };
            if conflict {
                continue;
            }
            noted?;
            match self.store.commit(tx, Vec::new()).await {
                Ok(_) => {
                    if planned {
                        self.replanned.notify_one();
                    }
                    let (now, at_end) = measured;
                    self.measured(now);
                    return Ok(at_end);
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::internal("the note of a request lost every race"))
    }
}
