//! A service that calls another, for its caller or by itself: in the same transaction, judged and recorded like any call.
//!
//! Invariant: what the other service lets nobody do, it lets no service do for them; what was written for a call that then fails is
//! gone, and so is the record that would tell of it.
//!
//! Source: IAM User Guide, "Forward access sessions"; KMS Developer Guide, "kms:ViaService".

use std::sync::Arc;

use api::models::Embedded;
use bytes::Bytes;
use wire::fault::Common;
use wire::model::Protocol;
use wire::route::Catalog as _;
use wire::{Document, Fault};

use crate::blobs::Delivery;
use crate::call::{Call, Look, RequestFacts};
use crate::front::Body;
use crate::identity::{Identity, Refusal};
use crate::ledger::record::Record;
use crate::operation::Result;
use crate::recorder::{self, Asked};

/// The record of a call that a service made, and whose trails get it beside the caller's.
#[derive(Clone)]
pub(crate) struct Invoked {
    pub(crate) record: Record,
    pub(crate) shared_with: Vec<Arc<str>>,
}

impl Invoked {
    /// Whether it still tells the truth if the call that it was made for keeps nothing.
    pub(crate) fn outlives_failure(&self) -> bool {
        self.record.read_only || self.record.error.is_some()
    }
}

impl Call<'_> {
    /// Runs another service's operation for this call's own caller. `by` is the principal of the service that asks, such as
    /// `secretsmanager.amazonaws.com`: policies see it as `aws:CalledVia` and, in KMS, with the region as `kms:ViaService`.
    ///
    /// # Errors
    /// The other operation's fault, `NotImplemented` for one that is not built.
    pub fn invoke(
        &mut self,
        by: &'static str,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let asked = self.ask(
            self.identity,
            Some(by),
            None,
            by,
            service,
            operation,
            (input, None, None),
        );
        asked.map(|(answer, _)| answer)
    }

    /// The same, with the payload that the operation answers with: an object that a service reads for its caller. It is left out if it has
    /// more than `bytes_max`.
    ///
    /// # Errors
    /// As `invoke`.
    pub fn invoke_for_payload(
        &mut self,
        by: &'static str,
        service: &str,
        operation: &str,
        (input, bytes_max): (Document, u64),
    ) -> Result<(Document, Option<Bytes>)> {
        let (answer, delivery) = self.ask(
            self.identity,
            Some(by),
            None,
            by,
            service,
            operation,
            (input, None, Some(bytes_max)),
        )?;
        let payload = match delivery {
            Some(Body::Whole(bytes)) => Some(bytes),
            Some(Body::Stream(_)) | None => None,
        };
        Ok((answer, payload))
    }

    /// Runs another service's operation as a service principal, in the account that the call runs in: Lambda that assumes a
    /// function's role, Secrets Manager that invokes a rotation function. Resource policies and trust policies decide alone.
    ///
    /// `cause` is the resource for which the service acts, if the service names it: policies see its ARN as `aws:SourceArn` and its
    /// account as `aws:SourceAccount` (IAM User Guide, "The confused deputy problem").
    ///
    /// # Errors
    /// As `invoke`.
    pub fn invoke_as_service(
        &mut self,
        by: &'static str,
        cause: Option<&str>,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let identity = Identity::service(by, self.look.account());
        let cause = cause.map(|arn| {
            let account = policy::Arn::parse(arn).map(|arn| arn.account().to_owned());
            (arn.to_owned(), account.unwrap_or_default())
        });
        let asked = self.ask(
            &identity,
            None,
            cause,
            by,
            service,
            operation,
            (input, None, None),
        );
        asked.map(|(answer, _)| answer)
    }

    /// The same, with the cause's account (not every ARN tells it) and bytes that are the body of the call: an object that a service
    /// delivers.
    ///
    /// # Errors
    /// As `invoke`.
    pub fn deliver_as_service(
        &mut self,
        by: &'static str,
        (cause, account): (&str, &str),
        service: &str,
        operation: &str,
        (input, payload): (Document, Bytes),
    ) -> Result<Document> {
        let identity = Identity::service(by, self.look.account());
        let cause = Some((cause.to_owned(), account.to_owned()));
        let asked = self.ask(
            &identity,
            None,
            cause,
            by,
            service,
            operation,
            (input, Some(payload), None),
        );
        asked.map(|(answer, _)| answer)
    }

    /// Runs another service's operation as a session that was issued a moment ago: what Lambda does with a function's role, for which
    /// the caller's own permissions count nothing. `credential` is the session's access key id and its token; `by` is who acts, as in
    /// `invoke`.
    ///
    /// # Errors
    /// As `invoke`, and a denial for a session that is not known or has expired.
    pub fn invoke_as_session(
        &mut self,
        by: &'static str,
        (access_key_id, token): (&str, &crypto::Secret),
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let directory = self.look.directory();
        let token = token.expose_text().map_err(Fault::internal)?;
        let credential = directory.credential(&mut self.look, access_key_id, Some(token));
        let identity = match credential {
            Ok(credential) => credential.identity,
            Err(Refusal::Fault(fault)) => return Err(fault),
            Err(_) => {
                return Err(Fault::access_denied(
                    "The security token of the session is not valid.",
                ));
            }
        };
        let asked = self.ask(
            &identity,
            Some(by),
            None,
            by,
            service,
            operation,
            (input, None, None),
        );
        asked.map(|(answer, _)| answer)
    }

    #[expect(clippy::too_many_arguments, reason = "who asks, in which way, and for what")]
    fn ask(
        &mut self,
        identity: &Identity,
        via: Option<&'static str>,
        cause: Option<(String, String)>,
        by: &'static str,
        service: &str,
        operation: &str,
        (input, payload, body_bytes_max): (Document, Option<Bytes>, Option<u64>),
    ) -> Result<(Document, Option<Delivery>)> {
        let environment = self.look.environment;
        let unbuilt = || {
            let message = format!("{operation} of {service} is not implemented by this version of Ringwork.");
            Fault::common(Common::NotImplemented, message)
        };
        let model = Embedded.service(service).ok_or_else(unbuilt)?;
        let shape = model.operation(operation).ok_or_else(unbuilt)?;
        let endpoint = environment
            .services
            .endpoint(service, operation)
            .ok_or_else(unbuilt)?;
        if let Some(root) = shape.input {
            wire::constraints::check(model, root, &input)?;
        }
        let facts = RequestFacts {
            id: environment.draw_id(environment.clock.wall().0),
            source_ip: by.to_owned(),
            user_agent: Some(by.to_owned()),
            secure: true,
            trace: self.trace.clone(),
            ..RequestFacts::default()
        };
        let rules = environment.services.trail(service);
        let shown = recorder::shown_input(rules, model, shape, &input);
        let region = if model.global {
            "us-east-1"
        } else {
            self.look.region
        };
        let (now, account) = (self.look.now, self.look.account_shared());
        let mut look = Look::new(&mut *self.look.tx, environment, now, region, account);
        look.brought = self.look.brought;
        let mut inner = Call::new(look, identity, &facts, model.name);
        inner.via = via;
        inner.cause = cause;
        inner.payload = payload;
        inner.body_bytes_max = body_bytes_max;
        inner.unkept = std::mem::take(&mut self.unkept);
        let ready = environment.services.made_ready(&mut inner, endpoint, &input);
        let outcome = ready.and_then(|()| endpoint.run(&mut inner, input));
        let outcome = outcome.and_then(|answer| {
            let observed = environment.services.observed(&mut inner, endpoint);
            observed.map(|()| answer)
        });
        let asked = Asked {
            service: model,
            operation: shape,
            endpoint,
            rules,
            protocol: model.protocols.first().copied().unwrap_or(Protocol::AwsJson11),
            region,
            request: shown,
        };
        let mut record = recorder::finished(&mut inner, asked, outcome.as_ref());
        record.caller.invoked_by = Some(by.to_owned());
        let Call {
            look,
            pending,
            shared_with,
            invoked,
            unkept,
            moves,
            delivery,
            ..
        } = inner;
        let (conflict, wanted) = (look.conflict, look.wanted);
        self.look.conflict |= conflict;
        self.look.wanted = self.look.wanted.take().or(wanted);
        self.unkept = unkept;
        // As its writes, whatever became of it.
        self.moves.join(moves);
        self.pending.extend(pending);
        self.invoked.extend(invoked);
        self.invoked.push(Invoked { record, shared_with });
        outcome.map(|answer| (answer, delivery))
    }
}
