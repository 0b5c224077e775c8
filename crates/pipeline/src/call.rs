//! What a running operation may see (`Look`) and do (`Call`).
//!
//! Invariant: time, ids, randomness and stored rows come from here and from nowhere else, so that a call can be run
//! again when its transaction conflicts.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;
use crypto::{IdPrefix, Secret};
use store::{AsKey, Direction, Key, Prefix, Record, StreamBatch, Table, Tx};
use wire::{Fault, Timestamp};

use crate::authorize::{self, Judgement};
use crate::blobs::{Delivery, Moves};
use crate::environment::Environment;
use crate::gateway::EndedPart;
use crate::identity::Identity;
use crate::invoke::Invoked;
use crate::jobs::{JobId, Pending};
use crate::kept::Unkept;
use crate::ledger::record::ResourceFacts;
use crate::operation::{Access, Result};
use crate::outside::{Brought, Wanted};
use crate::resource::{Authorized, Found, Resource};
use crate::telemetry::{AtEnd, Measurement};

/// What the wire told of a request, beside its input.
#[derive(Clone, Default)]
pub struct RequestFacts {
    /// The request id that the answer carries.
    pub id: String,
    /// The address of the peer, or the name of a service that calls.
    pub source_ip: String,
    pub user_agent: Option<String>,
    /// Came over TLS.
    pub secure: bool,
    pub host: Option<String>,
    /// How it was signed; `None` of strangers, bearers and services.
    pub signed: Option<crate::signed::Signed>,
    /// Came as a browser's form.
    pub posted: bool,
    pub tls: Option<crate::front::TlsFacts>,
    /// `X-Amzn-Trace-Id`, as the caller gave it: nothing in it is proven.
    pub trace: Option<String>,
    /// `If-Range`: on what a range is asked for, which no operation's input has.
    pub if_range: Option<String>,
}

/// A read-only view of the transaction: what targets and resources are resolved with.
pub struct Look<'a> {
    pub(crate) tx: &'a mut Tx,
    pub(crate) environment: &'a Environment,
    /// The cloud's time at which the call began; the same for every run of it.
    pub now: Timestamp,
    pub(crate) region: &'a str,
    account: Arc<str>,
    /// The verified caller, once there is one.
    pub(crate) caller: Option<&'a Identity>,
    /// Set when the store asks for another run, whatever the handler makes of the error.
    pub(crate) conflict: bool,
    /// What earlier runs of the call had brought; `None` where nothing can be brought.
    pub(crate) brought: Option<&'a Brought>,
    /// Set when the run cannot go on without something from outside, whatever the handler makes of the error.
    pub(crate) wanted: Option<Wanted>,
    /// What the request is followed for by its service.
    pub(crate) followed: Option<String>,
    pub(crate) followed_parts: Vec<EndedPart>,
}

impl<'a> Look<'a> {
    pub(crate) fn new(
        tx: &'a mut Tx,
        environment: &'a Environment,
        now: Timestamp,
        region: &'a str,
        account: Arc<str>,
    ) -> Self {
        Self {
            tx,
            environment,
            now,
            region,
            account,
            caller: None,
            conflict: false,
            brought: None,
            wanted: None,
            followed: None,
            followed_parts: Vec::new(),
        }
    }

    /// The account that the call runs in: twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The same, to keep.
    pub fn account_shared(&self) -> Arc<str> {
        Arc::clone(&self.account)
    }

    /// The verified caller, for names that default to the caller's own; `None` while a credential is being looked up.
    pub const fn caller(&self) -> Option<&'a Identity> {
        self.caller
    }

    /// The region that the request was signed for.
    pub fn region(&self) -> &'a str {
        self.region
    }

    /// The wall's time, for the freshness of what outside parties signed; they sign by theirs. All else goes by `now`.
    pub fn wall(&self) -> Timestamp {
        self.environment.clock.wall()
    }

    /// The partition of every ARN made here.
    pub const fn partition(&self) -> &'static str {
        "aws"
    }

    /// The account in whose name this Ringwork was started; an organization's management account.
    pub fn management_account(&self) -> &str {
        &self.environment.management_account
    }

    /// Has the end of this request told to its service's follower, whatever it is, under this name. The first of several counts.
    pub fn follow(&mut self, subject: &str) {
        self.followed.get_or_insert_with(|| subject.to_owned());
    }

    /// Tells the follower of one thing of several that the request was for.
    pub fn follow_part(&mut self, part: EndedPart) {
        self.followed_parts.push(part);
    }

    /// The directory of principals.
    pub fn directory(&self) -> &'a dyn crate::Directory {
        self.environment.directory.as_ref()
    }

    /// A row.
    pub fn get<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<Option<Arc<V>>> {
        let read = self.tx.get(table, key);
        self.stored(read)
    }

    /// Rows in key order below `prefix`, behind `after`, at most `limit`.
    pub fn range<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        prefix: &impl Prefix<K>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let read = self.tx.range(table, prefix, after, limit);
        self.stored(read)
    }

    /// The same downwards, below `before`.
    pub fn range_rev<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        prefix: &impl Prefix<K>,
        before: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let read = self.tx.range_rev(table, prefix, before, limit);
        self.stored(read)
    }

    /// Opens what `Call::seal` sealed for the same table and key.
    pub fn open(&self, table: &str, key: &[u8], sealed: &[u8]) -> Result<Secret> {
        self.environment
            .seal
            .open(table, key, sealed)
            .map_err(Fault::internal)
    }

    /// Writes an opaque token that only `open_token` with the same purpose reads: page markers, session tokens.
    pub fn issue_token(&self, purpose: &str, payload: &[u8]) -> Result<String> {
        let key = self.environment.token_key(purpose).map_err(Fault::internal)?;
        key.issue(payload).map_err(Fault::internal)
    }

    /// Reads a token that `issue_token` wrote; `None` if it is not one.
    pub fn open_token(&self, purpose: &str, token: &str) -> Option<Secret> {
        self.environment.token_key(purpose).ok()?.open(token).ok()
    }

    /// Batches of the ledger. See `crate::ledger`.
    pub(crate) fn batches(
        &mut self,
        stream: &[u8],
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StreamBatch>> {
        let read = self
            .tx
            .stream_batches(stream, before.unwrap_or(u64::MAX), Direction::Reverse, limit);
        self.stored(read)
    }

    /// Names of the ledger's streams, a page at a time.
    pub(crate) fn streams(&mut self, after: Option<&[u8]>) -> Result<Vec<Vec<u8>>> {
        let read = self.tx.streams(b"", after, 100);
        self.stored(read)
    }

    pub(crate) fn stored<T>(&mut self, result: std::result::Result<T, store::Error>) -> Result<T> {
        result.map_err(|error| {
            self.conflict |= error.is_conflict();
            Fault::internal(error)
        })
    }
}

/// A running operation.
pub struct Call<'a> {
    pub(crate) look: Look<'a>,
    /// Who calls, verified.
    pub identity: &'a Identity,
    /// What the wire told of the request.
    pub request: &'a RequestFacts,
    pub(crate) service: &'static str,
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) resources: Vec<ResourceFacts>,
    pub(crate) pending: Vec<Pending>,
    /// Accounts other than the caller's whose trail gets this call too (`sharedEventID`).
    pub(crate) shared_with: Vec<Arc<str>>,
    /// CloudTrail's `additionalEventData`.
    pub(crate) additional: serde_json::Map<String, serde_json::Value>,
    /// The service that makes the call for its own caller.
    pub(crate) via: Option<&'static str>,
    /// The service that makes the call, for whomever.
    pub(crate) made_by: Option<&'static str>,
    /// All services that the call came through for its caller, the first one first.
    pub(crate) chain: Vec<&'static str>,
    /// The resource for which a service calls by itself: its ARN and its account.
    pub(crate) cause: Option<(String, String)>,
    /// Calls that this one made at other services.
    pub(crate) invoked: Vec<Invoked>,
    /// Texts of policies that the records name and the store does not have yet.
    pub(crate) unkept: Unkept,
    /// What this run did to contents.
    pub(crate) moves: Moves,
    /// The answer's payload.
    pub(crate) delivery: Option<Delivery>,
    /// The body of a call that a service makes by itself, instead of a request's.
    pub(crate) payload: Option<Bytes>,
    /// How large the payload of an answer may be that a service takes whole; zero for a request's.
    pub(crate) whole_bytes: u64,
    /// The chain of requests that the call belongs to.
    pub(crate) trace: Option<String>,
    /// Condition keys that a service gives to the session that it asks for.
    pub(crate) session_context: Vec<(String, Vec<String>)>,
    /// What this run measured.
    pub(crate) measured: Vec<Measurement>,
    pub(crate) measured_at_end: Vec<AtEnd>,
}

impl<'a> Deref for Call<'a> {
    type Target = Look<'a>;

    fn deref(&self) -> &Look<'a> {
        &self.look
    }
}

impl DerefMut for Call<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.look
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        mut look: Look<'a>,
        identity: &'a Identity,
        request: &'a RequestFacts,
        service: &'static str,
    ) -> Self {
        look.caller = Some(identity);
        Self {
            look,
            identity,
            request,
            service,
            judgements: Vec::new(),
            resources: Vec::new(),
            pending: Vec::new(),
            shared_with: Vec::new(),
            additional: serde_json::Map::new(),
            via: None,
            made_by: None,
            chain: Vec::new(),
            cause: None,
            invoked: Vec::new(),
            unkept: Unkept::default(),
            moves: Moves::default(),
            delivery: None,
            payload: None,
            whole_bytes: 0,
            trace: request.trace.clone(),
            session_context: Vec::new(),
            measured: Vec::new(),
            measured_at_end: Vec::new(),
        }
    }

    /// The chain of requests that the call belongs to, as an `X-Amzn-Trace-Id` says it.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Makes what the call asks of other services from now on belong to a chain of requests.
    pub fn continue_trace(&mut self, trace: Option<String>) {
        self.trace = trace;
    }

    /// Condition keys that the session, which the call issues to the service that made it, bears for as long as it is good.
    pub fn session_context(&self) -> &[(String, Vec<String>)] {
        &self.session_context
    }

    /// Writes a row.
    pub fn put<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        value: V,
    ) -> Result<()> {
        let written = self.look.tx.put(table, key, value);
        self.look.stored(written)
    }

    /// Removes a row.
    pub fn delete<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<()> {
        let written = self.look.tx.delete(table, key);
        self.look.stored(written)
    }

    /// Encrypts what must not lie in clear, bound to the table and key of its row.
    pub fn seal(&self, table: &str, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        self.look
            .environment
            .seal
            .seal(table, key, plaintext)
            .map_err(Fault::internal)
    }

    /// The source of randomness, for the generators of `crypto`.
    pub fn random(&self) -> &'a dyn crypto::Randomness {
        self.look.environment.random.as_ref()
    }

    /// A new unique id such as `AIDA…` (S3.1).
    pub fn unique_id(&self, prefix: IdPrefix) -> Result<String> {
        crypto::random::unique_id(self.random(), prefix).map_err(Fault::internal)
    }

    /// A new random UUID.
    pub fn uuid(&self) -> Result<String> {
        crypto::random::uuid(self.random()).map_err(Fault::internal)
    }

    /// Asks for a second resource, declared in `Operation::ALSO`.
    pub fn authorize<T: Resource>(
        &mut self,
        access: Access,
        found: Found<T>,
        context: policy::Context,
    ) -> Result<Authorized<T>> {
        authorize::admit(self, access, found, context)
    }

    /// Asks for another action on what was granted already, declared in `Operation::ALSO` (`sts:TagSession`).
    pub fn also(&mut self, access: Access, arn: &str, owner: &str, context: policy::Context) -> Result<()> {
        authorize::judge(self, access, arn, owner, crate::ResourcePolicies::None, context)
    }

    /// Asks, without refusing: whether the caller may do `access` on `arn`.
    pub fn may(&mut self, access: Access, arn: &str, owner: &str) -> Result<bool> {
        authorize::would_allow(
            self,
            access,
            arn,
            owner,
            crate::ResourcePolicies::None,
            policy::Context::default(),
        )
    }

    /// What a principal of the resource's own account could do with `policies` in place: the lockout checks.
    pub fn would_allow(
        &mut self,
        access: Access,
        arn: &str,
        owner: &str,
        policies: crate::ResourcePolicies,
    ) -> Result<bool> {
        authorize::would_allow(self, access, arn, owner, policies, policy::Context::default())
    }

    /// Whether a policy denies the caller `access` on a resource, or on the way to it, outright, which says more than that none allows it.
    pub fn is_denied<T: Resource>(&mut self, access: Access, resource: &T) -> Result<bool> {
        authorize::is_denied(self, access, resource)
    }

    /// What `authorize` would say of a resource, neither kept nor turned into a fault: lockout checks, and whether a caller may learn more.
    pub fn would_admit<T: Resource>(&mut self, access: Access, resource: &T) -> Result<bool> {
        authorize::would_admit(self, access, resource)
    }

    /// Names a resource in the trail's `resources`, beside those that were authorized.
    pub fn mention(&mut self, arn: impl Into<String>, account: &str, kind: &'static str) {
        self.resources.push(ResourceFacts::new(arn.into(), account, kind));
    }

    /// Adds to the trail's `additionalEventData`: what neither the input nor the output says (`keyMaterialId`).
    pub fn add_event_data(&mut self, name: &'static str, value: impl Into<serde_json::Value>) {
        self.additional.insert(name.to_owned(), value.into());
    }

    /// Writes the call into another account's trail as well, under one `sharedEventID`.
    pub fn share_with(&mut self, account: &str) {
        if account != self.look.account() && !self.shared_with.iter().any(|known| &**known == account) {
            self.shared_with.push(account.into());
        }
    }

    /// Runs `work` as if the call ran in another account: what an organization does to accounts that are not the caller's. The
    /// call's own record stays where it is.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn within<T>(&mut self, account: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let own = std::mem::replace(&mut self.look.account, account.into());
        let worked = work(self);
        self.look.account = own;
        worked
    }

    /// Plans a job for later, in this transaction. `kind` names a row of a service's `JOBS`.
    pub fn schedule(
        &mut self,
        kind: &'static str,
        due: Timestamp,
        payload: serde_json::Value,
    ) -> Result<JobId> {
        let region = self.look.region;
        crate::jobs::schedule(self, kind, region, due, payload)
    }

    /// The same in another region of the account: what a global service's change brings about in a regional one.
    pub fn schedule_in(
        &mut self,
        region: &str,
        kind: &'static str,
        due: Timestamp,
        payload: serde_json::Value,
    ) -> Result<JobId> {
        crate::jobs::schedule(self, kind, region, due, payload)
    }

    /// Takes a planned job back; no error if it ran already.
    pub fn unschedule(&mut self, job: &JobId) -> Result<()> {
        crate::setback::unschedule(self, job)
    }

    /// The principal of the service that makes the call for its own caller: `secretsmanager.amazonaws.com`.
    pub const fn via(&self) -> Option<&'static str> {
        self.via
    }

    /// The principal of the service that makes the call, whether for its own caller, as a role, or by itself. Services may set tags that
    /// AWS keeps for itself (`aws:cloudformation:stack-name`).
    pub const fn made_by(&self) -> Option<&'static str> {
        self.made_by
    }

    /// The service whose operation runs.
    pub const fn service(&self) -> &'static str {
        self.service
    }
}
