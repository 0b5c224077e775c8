//! Requests that a service follows to their end: S3's access logs, which tell what went over the wire.
//!
//! Invariant: a request that no service follows costs nothing here; what is noted of one that is followed is durable before its
//! answer leaves. The note is made after the call's own commit, since it tells of the answer: a stop between the two loses it.

use std::sync::Arc;

use http::HeaderMap;
use wire::Fault;

use super::admit::Prepared;
use super::{ATTEMPTS_MAX, Gateway};
use crate::call::{Call, Look, RequestFacts, Signed};
use crate::identity::Identity;
use crate::operation::Result;

/// A request with its answer, to the service that follows it.
pub struct Ended<'a> {
    /// What `Look::follow` was given.
    pub subject: &'a str,
    /// The model's name of the operation.
    pub operation: &'static str,
    pub method: &'a str,
    /// As the client sent them.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// How it was signed, if that was verified.
    pub signed: Option<Signed>,
    pub status: u16,
    /// The code of a refusal.
    pub code: Option<&'a str>,
    pub answer: &'a HeaderMap,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// From the request's arrival to its answer, in milliseconds.
    pub took: i64,
}

/// A request that its service follows, as far as the call itself knows it.
pub(super) struct Followed {
    pub(super) subject: String,
    pub(super) identity: Arc<Identity>,
    pub(super) region: String,
}

impl Followed {
    pub(super) fn of(look: &mut Look<'_>, prepared: &Prepared) -> Option<Self> {
        let subject = look.followed.take()?;
        let (identity, region) = (Arc::clone(&prepared.identity), prepared.region.clone());
        Some(Self {
            subject,
            identity,
            region,
        })
    }
}

/// Makes a note of such a request, in a transaction of its own.
pub type Follower = fn(&mut Call<'_>, &Ended<'_>) -> Result<()>;

impl Gateway {
    /// Lets a service note how a request that it follows ended. A note that cannot be made is told to the operator: the call itself
    /// has happened already.
    pub(super) async fn follow(
        &self,
        follower: Follower,
        followed: &Followed,
        facts: &RequestFacts,
        ended: &Ended<'_>,
    ) {
        if let Err(fault) = self.note_ended(follower, followed, facts, ended).await {
            super::report(&fault, &facts.id);
        }
    }

    async fn note_ended(
        &self,
        follower: Follower,
        followed: &Followed,
        facts: &RequestFacts,
        ended: &Ended<'_>,
    ) -> Result<()> {
        let identity = followed.identity.as_ref();
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let account = Arc::clone(&identity.account);
            let now = self.environment.clock.now();
            let (noted, conflict, planned) = {
                let look = Look::new(&mut tx, &self.environment, now, &followed.region, account);
                let mut call = Call::new(look, identity, facts, "");
                let noted = follower(&mut call, ended);
                (noted, call.look.conflict, !call.pending.is_empty())
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
                    return Ok(());
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::internal("the note of a request lost every race"))
    }
}
