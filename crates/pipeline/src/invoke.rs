//! A service that calls another, for its caller or by itself: in the same transaction, judged and recorded like any call.
//!
//! Invariant: what the other service lets nobody do, it lets no service do for them; what was written for a call that then fails is
//! gone, and so is the record that would tell of it.
//!
//! Source: IAM User Guide, "Forward access sessions"; KMS Developer Guide, "kms:ViaService".

use std::sync::Arc;

use bytes::Bytes;
use wire::model::Protocol;
use wire::{Document, Fault};

use crate::call::{Call, Look, RequestFacts};
use crate::front::Body;
use crate::identity::{Identity, Refusal};
use crate::ledger::record::Record;
use crate::operation::Result;
use crate::recorder::{self, Asked};
use crate::services::Built;

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

/// What a call of another service is made with.
pub(crate) struct Sent {
    pub(crate) input: Document,
    /// The body of the call.
    pub(crate) payload: Option<Bytes>,
    /// A payload of the answer is given whole up to so many bytes.
    pub(crate) whole_bytes: u64,
}

/// Who asks inside a call, and in which way.
struct Asking<'i> {
    identity: &'i Identity,
    by: &'static str,
    via: Option<&'static str>,
    cause: Option<(String, String)>,
    payload: Option<Bytes>,
    /// Where, unless the service is the same everywhere.
    region: &'i str,
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
        // A service that acts for a resource does so there too: the key of a file that S3 delivers.
        self.ask(
            self.identity,
            Some(by),
            self.cause.clone(),
            by,
            service,
            operation,
            (input, None),
        )
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
        self.ask(&identity, None, cause, by, service, operation, (input, None))
    }

    /// The same for a session that bears condition keys of the service's own (`ec2:SourceInstanceARN`), without a cause.
    ///
    /// # Errors
    /// As `invoke`.
    pub fn invoke_for_session(
        &mut self,
        by: &'static str,
        session_context: Vec<(String, Vec<String>)>,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        self.session_context = session_context;
        let answer = self.invoke_as_service(by, None, service, operation, input);
        self.session_context.clear();
        answer
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
        self.ask(
            &identity,
            None,
            cause,
            by,
            service,
            operation,
            (input, Some(payload)),
        )
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
        credential: (&str, &crypto::Secret),
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let identity = self.session(credential)?;
        self.ask(&identity, Some(by), None, by, service, operation, (input, None))
    }

    /// Does work of the calling service's own as a session that was issued a moment ago, in a region: what S3 does with a role to
    /// replicate an object, for which AWS has permissions but no operation that a client could call. `operation` is the one of
    /// the service under whose name the trail tells of it, with what is `shown` as its input.
    ///
    /// # Errors
    /// Those of `work`, whose refusals are recorded; and a denial for a session that is not known or has expired.
    pub fn act_as_session<T>(
        &mut self,
        by: &'static str,
        credential: (&str, &crypto::Secret),
        region: &str,
        (operation, shown): (&str, &Document),
        work: impl FnOnce(&mut Call<'_>) -> Result<T>,
    ) -> Result<T> {
        let identity = self.session(credential)?;
        let asked = self.look.environment.services.built(self.service, operation)?;
        let asking = Asking {
            identity: &identity,
            by,
            via: None,
            cause: None,
            payload: None,
            region,
        };
        let rules = self.look.environment.services.trail(self.service);
        let shown = recorder::shown_input(rules, asked.model, asked.shape, shown);
        self.inside(asking, asked, shown, |inner| {
            let came = work(inner)?;
            Ok((came, Document::Structure(Vec::new())))
        })
        .map(|(came, _)| came)
    }

    /// Who a session is that was issued a moment ago.
    pub(crate) fn session(
        &mut self,
        (access_key_id, token): (&str, &crypto::Secret),
    ) -> Result<Arc<Identity>> {
        let directory = self.look.directory();
        let token = token.expose_text().map_err(Fault::internal)?;
        match directory.credential(&mut self.look, access_key_id, Some(token)) {
            Ok(credential) => Ok(credential.identity),
            Err(Refusal::Fault(fault)) => Err(fault),
            Err(_) => Err(Fault::access_denied(
                "The security token of the session is not valid.",
            )),
        }
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
        (input, payload): (Document, Option<Bytes>),
    ) -> Result<Document> {
        let sent = Sent {
            input,
            payload,
            whole_bytes: 0,
        };
        let by = (via, cause, by);
        self.ask_whole(identity, by, service, operation, sent)
            .map(|(answer, _)| answer)
    }

    /// The same, with the answer's payload as far as it is no larger than `whole_bytes`.
    pub(crate) fn ask_whole(
        &mut self,
        identity: &Identity,
        (via, cause, by): (Option<&'static str>, Option<(String, String)>, &'static str),
        service: &str,
        operation: &str,
        sent: Sent,
    ) -> Result<(Document, Option<Bytes>)> {
        let Sent {
            input,
            payload,
            whole_bytes,
        } = sent;
        let services = &self.look.environment.services;
        let asked = services.built(service, operation)?;
        if let Some(root) = asked.shape.input {
            wire::constraints::check(asked.model, root, &input)?;
        }
        let asking = Asking {
            identity,
            by,
            via,
            cause,
            payload,
            region: self.look.region,
        };
        let shown = recorder::shown_input(services.trail(service), asked.model, asked.shape, &input);
        self.inside(asking, asked, shown, |inner| {
            inner.whole_bytes = whole_bytes;
            services.made_ready(inner, asked.endpoint, &input)?;
            let answer = asked.endpoint.run(inner, input)?;
            services.observed(inner, asked.endpoint)?;
            let delivered = match inner.delivery.take() {
                Some(Body::Whole(bytes)) => Some(bytes),
                _ => None,
            };
            Ok((delivered, answer))
        })
        .map(|(delivered, answer)| (answer, delivered))
    }

    /// Runs `work` as a call of its own inside this one, and records it by the outcome that it comes to.
    fn inside<T>(
        &mut self,
        asking: Asking<'_>,
        asked: Built,
        shown: Option<serde_json::Value>,
        work: impl FnOnce(&mut Call<'_>) -> Result<(T, Document)>,
    ) -> Result<(T, Document)> {
        let environment = self.look.environment;
        let Asking { by, .. } = asking;
        let facts = RequestFacts {
            id: environment.draw_id(environment.clock.wall().0),
            source_ip: by.to_owned(),
            user_agent: Some(by.to_owned()),
            secure: true,
            trace: self.trace.clone(),
            ..RequestFacts::default()
        };
        let model = asked.model;
        let region = if model.global { "us-east-1" } else { asking.region };
        let (now, account) = (self.look.now, self.look.account_shared());
        let mut look = Look::new(&mut *self.look.tx, environment, now, region, account);
        look.brought = self.look.brought;
        let mut inner = Call::new(look, asking.identity, &facts, model.name);
        inner.via = asking.via;
        inner.made_by = Some(by);
        if let Some(by) = asking.via {
            inner.chain.clone_from(&self.chain);
            inner.chain.push(by);
        }
        inner.cause = asking.cause;
        inner.payload = asking.payload;
        inner.session_context = std::mem::take(&mut self.session_context);
        inner.unkept = std::mem::take(&mut self.unkept);
        let outcome = work(&mut inner);
        let told = Asked {
            service: model,
            operation: asked.shape,
            endpoint: asked.endpoint,
            rules: environment.services.trail(model.name),
            protocol: model.protocols.first().copied().unwrap_or(Protocol::AwsJson11),
            region,
            request: shown,
        };
        let answer = outcome.as_ref().map(|(_, answer)| answer);
        let mut record = recorder::finished(&mut inner, told, answer);
        record.caller.invoked_by = Some(by.to_owned());
        let Call {
            look,
            pending,
            shared_with,
            invoked,
            unkept,
            moves,
            measured,
            ..
        } = inner;
        let (conflict, wanted) = (look.conflict, look.wanted);
        self.look.conflict |= conflict;
        self.look.wanted = self.look.wanted.take().or(wanted);
        self.unkept = unkept;
        // As its writes, whatever became of it.
        self.moves.join(moves);
        self.measured.extend(measured);
        self.pending.extend(pending);
        self.invoked.extend(invoked);
        self.invoked.push(Invoked { record, shared_with });
        outcome
    }
}
