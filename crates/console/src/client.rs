//! The console as a client: requests signed with a session's credentials, taken to the pipeline as if they came over the wire.
//!
//! Invariant: there is no other way from a page to a service, so that no page shows or does what its user may not.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use pipeline::front::Standing;
use pipeline::signin::{Keys, Visitor};
use pipeline::{Body, Gateway, Incoming, why};
use wire::protocol::Parts;
use wire::protocol::told::{self, Told};
use wire::sigv4::{PathStyle, Signer, sign_request};

use crate::request::Visit;

/// One parameter of awsQuery.
pub(crate) type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A service that speaks awsQuery.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    name: &'static str,
    version: &'static str,
    /// Signed for one region whatever the user's.
    global: bool,
}

pub(crate) const IAM: Service = Service {
    name: "iam",
    version: "2010-05-08",
    global: true,
};

pub(crate) const STS: Service = Service {
    name: "sts",
    version: "2011-06-15",
    global: false,
};

/// What a service refused, as pages show it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Refusal {
    pub(crate) operation: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: String,
    /// The ladder of the decision and what would change it, if the user may see them.
    pub(crate) ladder: String,
    pub(crate) advice: String,
    /// The encoded authorization message of a denial.
    message_token: String,
}

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

/// Names and values of parameters.
pub(crate) fn with<'a, const N: usize>(pairs: [(&'a str, &'a str); N]) -> Vec<Parameter<'a>> {
    let pairs = pairs.into_iter();
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

impl Visit {
    /// Asks a service.
    pub(crate) async fn ask(
        &self,
        service: Service,
        operation: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Told> {
        let Some(keys) = self.keys() else {
            return Err(unsent(operation, "there are no credentials"));
        };
        let asked = Asked {
            visitor: &self.guest.visitor,
            keys,
            region: &self.guest.region,
        };
        asked
            .ask(&self.guest.gateway, service, operation, parameters)
            .await
    }

    /// Asks a service, and after a denial also why.
    pub(crate) async fn ask_and_explain(
        &self,
        service: Service,
        operation: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Told> {
        match self.ask(service, operation, parameters).await {
            Ok(told) => Ok(told),
            Err(refusal) => Err(self.explained(refusal).await),
        }
    }

    /// A denial with its explanation, if the user may decode authorization messages (S1), which is what AWS asks for before it
    /// explains one.
    pub(crate) async fn explained(&self, mut refusal: Refusal) -> Refusal {
        if refusal.message_token.is_empty() {
            return refusal;
        }
        let message = with([("EncodedMessage", &refusal.message_token)]);
        if self
            .ask(STS, "DecodeAuthorizationMessage", &message)
            .await
            .is_err()
        {
            return refusal;
        }
        let id = refusal.request_id.clone();
        let explained = self
            .guest
            .gateway
            .system("us-east-1", |call| why::explain(call, &id));
        let denied = explained.ok().and_then(|explanation| {
            let mut decisions = explanation.decisions.into_iter();
            decisions.find(|decision| !decision.derivation.decision.allowed)
        });
        if let Some(denied) = denied {
            refusal.ladder = denied.ladder;
            refusal.advice = denied.advice.unwrap_or_default();
        }
        refusal
    }
}

/// Who asks from where.
pub(crate) struct Asked<'a> {
    pub(crate) visitor: &'a Visitor,
    pub(crate) keys: &'a Keys,
    pub(crate) region: &'a str,
}

impl Asked<'_> {
    pub(crate) async fn ask(
        &self,
        gateway: &Gateway,
        service: Service,
        operation: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Told> {
        let body = told::query(operation, service.version, parameters);
        let now = gateway.clock().wall().seconds();
        let Some(headers) = self.signed(service, &body, now) else {
            return Err(unsent(operation, "the request could not be signed"));
        };
        let answer = gateway
            .serve(Incoming {
                method: Method::POST,
                path: "/".to_owned(),
                query: String::new(),
                headers,
                body: Bytes::from(body).into(),
                peer: self.visitor.peer,
                tls: self.visitor.tls,
                standing: Standing::default(),
            })
            .await;
        let Body::Whole(bytes) = &answer.body else {
            return Err(unsent(operation, "the answer has no end"));
        };
        let told = Told::read(bytes).map_err(|_| unsent(operation, "the answer is no XML"))?;
        if answer.status == 200 {
            return Ok(told);
        }
        let error = told.root().part("Error");
        let token = answer.headers.get("x-ringwork-authorization-message");
        Err(Refusal {
            operation: operation.to_owned(),
            code: error.text("Code").to_owned(),
            message: error.text("Message").to_owned(),
            request_id: told.root().text("RequestId").to_owned(),
            message_token: token
                .and_then(|token| token.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            ..Refusal::default()
        })
    }

    fn signed(&self, service: Service, body: &str, now: i64) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let host = self.visitor.host.as_deref().unwrap_or("localhost");
        let set = [
            (header::HOST, host),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
        ];
        let agent = self.visitor.user_agent.as_deref();
        for (name, value) in set
            .into_iter()
            .chain(agent.map(|agent| (header::USER_AGENT, agent)))
        {
            headers.insert(name, HeaderValue::from_str(value).ok()?);
        }
        let signer = Signer {
            access_key_id: &self.keys.access_key_id,
            secret_access_key: self.keys.secret_access_key.expose_text().ok()?,
            session_token: Some(self.keys.session_token.expose_text().ok()?),
            region: if service.global { "us-east-1" } else { self.region },
            service: service.name,
        };
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        let added = sign_request(&signer, &parts, PathStyle::Normalised, now, sha256, hmac).ok()?;
        headers.extend(
            added
                .into_iter()
                .map(|(name, value): (HeaderName, _)| (Some(name), value)),
        );
        Some(headers)
    }
}

fn unsent(operation: &str, message: &str) -> Refusal {
    Refusal {
        operation: operation.to_owned(),
        code: "InternalFailure".to_owned(),
        message: message.to_owned(),
        ..Refusal::default()
    }
}
