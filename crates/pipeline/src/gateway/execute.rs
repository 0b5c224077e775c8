//! A call in its transaction: authorized, handled and recorded, run again until it commits.
//!
//! Invariant: the record and what it tells of become durable in one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use store::{Append, Tx};
use wire::fault::{Code, Common};
use wire::model::Protocol;
use wire::route::{Catalog as _, Route};
use wire::{Document, Fault, Timestamp};

use super::admit::{Prepared, Refused, not_implemented};
use super::follow::Followed;
use super::{ATTEMPTS_AT_ONCE, ATTEMPTS_MAX, Gateway};
use crate::authorize;
use crate::blobs::{Contents, Delivery, Moves};
use crate::call::{Call, Look, RequestFacts};
use crate::identity::Identity;
use crate::invoke::Invoked;
use crate::kept::Unkept;
use crate::ledger::record::{Caller, Record};
use crate::operation::Result;
use crate::outside::{Brought, Wanted};
use crate::recorder::{self, Asked};
use crate::telemetry::Measurement;

/// What one run of a call came to.
enum Run {
    Done(Box<Ran>),
    /// It saw what has changed since, and must be run again.
    Again,
    /// It must be run again with something from outside.
    Wants(Wanted),
}

/// A run that came to an end.
struct Ran {
    outcome: Result<Document>,
    appends: Vec<Append>,
    unkept: Unkept,
    /// The earliest job that the run planned.
    planned: Option<i64>,
    denial: Option<String>,
    /// The call was refused, and its transaction holds the note of that alone.
    noted: bool,
    delivery: Option<Delivery>,
    moves: Moves,
    followed: Option<Followed>,
    measured: Vec<Measurement>,
}

/// What a call is answered with, once that is durable.
pub(super) struct Answered {
    pub(super) outcome: Result<Document>,
    /// The encoded authorization message of a denial.
    pub(super) denial: Option<String>,
    /// The payload, if it is not part of the outcome.
    pub(super) delivery: Option<Delivery>,
    /// What the request is followed for by its service.
    pub(super) followed: Option<Followed>,
}

impl Answered {
    fn of(fault: Fault) -> Self {
        Self {
            outcome: Err(fault),
            denial: None,
            delivery: None,
            followed: None,
        }
    }
}

impl Gateway {
    /// Runs a call until its transaction commits. `again` gives the input once more, for another run.
    pub(super) async fn execute(
        &self,
        mut prepared: Prepared,
        facts: &RequestFacts,
        contents: Contents,
        again: impl Fn() -> Result<Document>,
    ) -> Answered {
        let Route {
            service, protocol, ..
        } = prepared.route;
        let mut input = Some(std::mem::replace(&mut prepared.input, Document::empty()));
        let (mut turn, mut brought, mut attempt) = (None, Brought::with(contents), 0);
        while attempt < ATTEMPTS_MAX {
            if attempt >= ATTEMPTS_AT_ONCE && turn.is_none() {
                turn = Some(self.turn.lock().await);
            }
            let tx = if attempt == 0 {
                Ok(self.store.begin())
            } else {
                self.store.begin_eager()
            };
            let mut tx = match tx {
                Ok(tx) => tx,
                Err(error) => return Answered::of(Fault::internal(error)),
            };
            let document = match input.take() {
                Some(document) => document,
                None => match again() {
                    Ok(document) => document,
                    Err(fault) => return Answered::of(fault),
                },
            };
            brought.begin_run();
            let run = || self.run_once(&mut tx, &prepared, facts, document, &brought);
            let run = if self.store.blocking() {
                tokio::task::block_in_place(run)
            } else {
                run()
            };
            match run {
                Run::Done(ran) => match self.finish(tx, *ran).await {
                    Ok(done) => return done,
                    Err(error) if error.is_conflict() => attempt += 1,
                    Err(error) => return Answered::of(Fault::internal(error)),
                },
                Run::Again => attempt += 1,
                Run::Wants(wanted) => {
                    // Neither a transaction nor the turn is held while somebody outside is waited for.
                    drop((tx, turn.take()));
                    let now = self.environment.clock.now();
                    Box::pin(brought.bring(&self.environment.outdoors, wanted, now)).await;
                }
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
            requester: None,
            fault,
            route,
            protocol,
            service: Some(service),
            region,
            caller,
            input: None,
            proven: false,
        };
        Answered::of(Box::pin(self.record_refusal(refused, facts)).await)
    }

    /// One run: authorize, handle, and the record of it.
    fn run_once(
        &self,
        tx: &mut Tx,
        prepared: &Prepared,
        facts: &RequestFacts,
        input: Document,
        brought: &Brought,
    ) -> Run {
        let Route {
            service,
            operation,
            protocol,
        } = prepared.route;
        let endpoint = prepared.endpoint;
        let now = self.environment.clock.now();
        let rules = self.trail(service.name);
        let shown = recorder::shown_input(rules, service, operation, &input);
        let account = Arc::clone(&prepared.identity.account);
        let mut look =
            Look::new(&mut *tx, &self.environment, now, &prepared.region, account).with_brought(brought);
        let proven = caught(|| endpoint.prove(&mut look, &input));
        if let Some(other) = cut_short(&mut look) {
            return other;
        }
        let (proven, refused) = match proven {
            Ok(proven) => (proven, None),
            Err(fault) => (None, Some(fault)),
        };
        let identity = proven.as_ref().unwrap_or(&prepared.identity);
        let account = Arc::clone(&identity.account);
        let look =
            Look::new(&mut *tx, &self.environment, now, &prepared.region, account).with_brought(brought);
        let mut call = Call::new(look, identity, facts, service.name);
        let outcome = match refused {
            Some(fault) => Err(fault),
            None => caught(|| endpoint.run(&mut call, input)),
        };
        let services = &self.environment.services;
        let outcome = outcome.and_then(|answer| services.observed(&mut call, endpoint).map(|()| answer));
        if let Some(other) = cut_short(&mut call.look) {
            return other;
        }
        let signed = !identity.access_key_id.is_empty();
        if outcome.is_ok() && signed {
            let directory = call.look.directory();
            let noted = directory
                .used(&mut call)
                .and_then(|()| directory.attempted(&mut call, endpoint.access.action));
            if noted.is_err() {
                return Run::Again;
            }
        }
        let denial = denial_token(&call, outcome.as_ref().err());
        let asked = Asked {
            service,
            operation,
            endpoint,
            rules,
            protocol,
            region: &prepared.region,
            request: shown,
        };
        let record = recorder::finished(&mut call, asked, outcome.as_ref());
        let unkept = std::mem::take(&mut call.unkept);
        let planned = call.pending.iter().map(|pending| pending.due).min();
        let moves = std::mem::take(&mut call.moves);
        let measured = std::mem::take(&mut call.measured);
        let followed = Followed::of(&mut call.look, prepared);
        let delivery = call.delivery.take().filter(|_| outcome.is_ok());
        let invoked = std::mem::take(&mut call.invoked);
        let mut appends = self.invoked_appends(invoked, record.error.is_some());
        appends.extend(self.appends(record, &std::mem::take(&mut call.shared_with)));
        let noted = outcome.is_err() && signed;
        if noted && self.note_refused(tx, prepared, identity, facts, now).is_none() {
            return Run::Again;
        }
        Run::Done(Box::new(Ran {
            outcome,
            appends,
            unkept,
            planned,
            denial,
            noted,
            delivery,
            moves,
            followed,
            measured,
        }))
    }

    /// Notes that a refused call was tried, in a transaction that holds nothing that it did. `None` asks for another run.
    fn note_refused(
        &self,
        tx: &mut Tx,
        prepared: &Prepared,
        identity: &Identity,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Option<()> {
        *tx = self.store.begin();
        let account = Arc::clone(&identity.account);
        let look = Look::new(tx, &self.environment, now, &prepared.region, account);
        let mut call = Call::new(look, identity, facts, prepared.route.service.name);
        let directory = call.look.directory();
        directory
            .attempted(&mut call, prepared.endpoint.access.action)
            .ok()
    }

    /// The records of calls that services made for one that `failed` or did not.
    fn invoked_appends(&self, invoked: Vec<Invoked>, failed: bool) -> Vec<Append> {
        let told = invoked
            .into_iter()
            .filter(|invoked| !failed || invoked.outlives_failure());
        told.flat_map(|Invoked { record, shared_with }| self.appends(record, &shared_with))
            .collect()
    }

    /// The record, and its copies for other accounts' trails.
    pub(crate) fn appends(&self, mut record: Record, shared_with: &[Arc<str>]) -> Vec<Append> {
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

    /// Makes a run durable. A refused one keeps its record, and the note that it was tried, alone.
    async fn finish(&self, tx: Tx, ran: Ran) -> store::Result<Answered> {
        let keeps = (ran.outcome.is_ok() || ran.noted) && tx.changed();
        let mut tx = if keeps {
            tx
        } else {
            // With its snapshot, which nobody may hold through a flush: the next readers would have to open the store anew.
            drop(tx);
            self.store.begin()
        };
        ran.unkept.write(&mut tx)?;
        // A client that goes away here ends this future, not the commit.
        let mut moves = Uncertain(Some(ran.moves));
        let committed = match self.store.commit(tx, ran.appends).await {
            Ok(committed) => committed,
            Err(error) => {
                if error.is_conflict() {
                    drop(moves.0.take());
                }
                return Err(error);
            }
        };
        let moves = moves.0.take();
        if let Some(moves) = moves.filter(|_| keeps && !ran.noted) {
            let released = moves.committed();
            self.environment.yard.release(released, committed.version).await;
        }
        ran.unkept.committed();
        if keeps && !ran.noted && ran.planned.is_some() {
            self.replanned.notify_one();
        }
        if ran.outcome.is_ok() {
            self.measured(ran.measured);
        }
        Ok(Answered {
            outcome: ran.outcome,
            denial: ran.denial,
            delivery: ran.delivery,
            followed: ran.followed,
        })
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
        let prepared = Prepared {
            route,
            endpoint,
            identity: Arc::clone(identity),
            region: region.to_owned(),
            input: input.clone(),
            payload: None,
            unchunked: None,
            headers: None,
            signed: None,
        };
        let contents = Contents::default();
        self.execute(prepared, &facts, contents, || Ok(input.clone()))
            .await
            .outcome
    }
}

/// What a run keeps and releases while its commit is under way: whoever stops waiting leaves it to the sweep, which sees what was stored.
struct Uncertain(Option<Moves>);

impl Drop for Uncertain {
    fn drop(&mut self) {
        if let Some(moves) = self.0.take() {
            moves.uncertain();
        }
    }
}

/// How a run goes on that did not come to its end, whatever the handler made of it.
fn cut_short(look: &mut Look<'_>) -> Option<Run> {
    if look.conflict {
        return Some(Run::Again);
    }
    look.wanted.take().map(Run::Wants)
}

/// A bug in a service is a fault of this one call.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(Fault::internal("a handler panicked")))
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
