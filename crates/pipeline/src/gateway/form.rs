//! The way of a form that a browser sends: its fields are read and its signature verified, and then it is a put like any other.
//!
//! Invariant: what is read before the sender is known is bounded by `wire::form_data`; a refusal is recorded like any other.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::{HeaderMap, HeaderValue};
use wire::form_data::{FormDecoder, FormPiece};
use wire::model::{Protocol, Service};
use wire::protocol::{self, Parts};
use wire::route::{self, Route};
use wire::sigv4::percent_encode;
use wire::{Document, Fault, Timestamp, signature};

use super::admit::{Prepared, Refused};
use super::{ATTEMPTS_MAX, Gateway, answer, code, report};
use crate::authenticate;
use crate::blobs::Contents;
use crate::call::{Look, RequestFacts};
use crate::form::{self, Form, FormFile, FormRules, Resumed, Uploaded};
use crate::front::{Answer, Arriving, Body, Incoming};
use crate::identity::Identity;
use crate::ledger::record::Caller;
use crate::operation::Result;
use crate::origin::Asking;
use crate::payload::Payload;
use crate::signed::Signed;
use crate::strangers::Guest;

/// Who sent a form, and how that was proven.
type Sender = (Arc<Identity>, Option<Signed>);

/// A form that is to be served, without its body.
pub(super) struct Posted {
    service: &'static Service,
    rules: &'static FormRules,
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    /// The first segment of the path in path style, decoded.
    bucket: String,
}

impl Posted {
    /// The request as it came.
    fn parts(&self) -> Parts<'_> {
        Parts {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &[],
        }
    }

    /// The path and the headers that a put of the same object would have.
    fn as_put(&self, key: &str, mut headers: HeaderMap) -> (String, HeaderMap) {
        if let Some(host) = self.headers.get(HOST) {
            headers.insert(HOST, host.clone());
        }
        let key: Vec<String> = key.split('/').map(percent_encode).collect();
        let slash = if self.path.ends_with('/') { "" } else { "/" };
        (format!("{}{slash}{}", self.path, key.join("/")), headers)
    }
}

/// A form that was admitted, with the path and the headers that its operation's own request would have.
struct Admitted {
    form: Form,
    prepared: Prepared,
    path: String,
    headers: HeaderMap,
    body: Resumed,
    payload: Payload,
}

impl Gateway {
    /// The service that a request with these parts sends a form to, if any takes one.
    pub(super) fn form_of(&self, parts: &Parts<'_>) -> Option<(&'static Service, &'static FormRules)> {
        let service = route::takes_form(parts, &api::models::Embedded)?;
        Some((service, self.environment.services.form(service.name)?))
    }

    /// Serves a form. `guest` is the place of the stranger whom its sender is taken for until its signature holds.
    pub(super) async fn serve_form(
        &self,
        (service, rules): (&'static Service, &'static FormRules),
        guest: Option<Guest>,
        incoming: Incoming,
        facts: RequestFacts,
        wall: Timestamp,
    ) -> Answer {
        let asking = Asking::of(&incoming.method, &incoming.path, &incoming.headers);
        let styled = route::path_style(&incoming.path, &incoming.headers);
        let bucket = styled.trim_matches('/');
        let bucket = wire::sigv4::percent_decode(bucket).into_owned();
        let posted = Posted {
            service,
            rules,
            method: incoming.method.as_str().to_owned(),
            bucket,
            path: incoming.path,
            query: incoming.query,
            headers: incoming.headers,
        };
        let body = match incoming.body {
            Body::Whole(bytes) => Resumed {
                first: Some(bytes),
                rest: None,
            },
            Body::Stream(body) => Resumed {
                first: None,
                rest: Some(body),
            },
        };
        match self.admit_form(&posted, body, wall).await {
            Ok(admitted) => {
                let signed = admitted.prepared.signed.is_some();
                // Whoever signed takes no place of strangers from here on.
                let _guest = guest.filter(|_| !signed);
                if signed {
                    incoming.standing.prove();
                }
                self.upload(posted, admitted, asking, facts, wall).await
            }
            Err(refused) => {
                let parts = posted.parts();
                self.turn_down(*refused, None, asking, (&facts, &parts), wall)
                    .await
            }
        }
    }

    async fn admit_form(
        &self,
        posted: &Posted,
        mut body: Resumed,
        wall: Timestamp,
    ) -> std::result::Result<Admitted, Box<Refused>> {
        let first = self.placed(posted.service.name, &posted.path, &posted.headers);
        let mut region = first.map_or_else(|| "us-east-1".to_owned(), |found| found.owned.region);
        let operation = posted.service.operation(posted.rules.operation);
        let route = operation.map(|operation| Route {
            service: posted.service,
            operation,
            protocol: Protocol::RestXml,
        });
        let refused = |fault: Fault, region: &str, caller: Caller| {
            Box::new(Refused {
                requester: None,
                proven: false,
                fault,
                route,
                protocol: Protocol::RestXml,
                service: Some(posted.service),
                region: region.to_owned(),
                caller,
                input: None,
            })
        };
        let nobody = || Caller::unknown("");
        let read = read(&posted.headers, &mut body).await;
        let (form, mut decoder) = read.map_err(|fault| refused(fault, &region, nobody()))?;
        let claim = signature::of_form(|name| form.get(name));
        let claim = claim.map_err(|fault| refused(fault, &region, nobody()))?;
        if let Some((scope, _)) = claim.as_ref().and_then(|claim| claim.scope.as_ref()) {
            region = scope.region.to_string();
        }
        let (identity, signed) = match self.sender(claim.as_ref(), &region, wall) {
            Ok(sender) => sender,
            Err(denied) => return Err(refused(denied.0, &region, denied.1)),
        };
        let fail = |fault: Fault| {
            let mut refused = refused(fault, &region, Caller::of(&identity));
            refused.requester = Some(Arc::clone(&identity));
            refused.proven = signed.is_some();
            refused
        };
        let found = route.and_then(|route| {
            let endpoint = self.endpoint(route.service.name, route.operation.name)?;
            Some((route, endpoint))
        });
        let Some((route, endpoint)) = found else {
            return Err(fail(Fault::internal("a form's operation is not built")));
        };
        let upload = (posted.rules.read)(&form, &posted.bucket, signed.is_some(), wall).map_err(fail)?;
        let (path, headers) = posted.as_put(&upload.key, upload.headers);
        let parts = Parts {
            method: route.operation.method,
            path: &path,
            query: "",
            headers: &headers,
            body: &[],
        };
        let input = decoded(&route, &parts).map_err(fail)?;
        body.first = Some(decoder.take_arrived());
        let payload = Payload::of_form(FormFile::new(decoder, upload.size));
        let prepared = Prepared {
            route,
            endpoint,
            identity,
            region,
            input,
            payload: None,
            unchunked: None,
            headers: None,
            signed,
        };
        Ok(Admitted {
            form,
            prepared,
            path,
            headers,
            body,
            payload,
        })
    }

    /// Runs the upload and answers the form.
    async fn upload(
        &self,
        posted: Posted,
        admitted: Admitted,
        asking: Option<Asking>,
        mut facts: RequestFacts,
        wall: Timestamp,
    ) -> Answer {
        let Admitted {
            form,
            prepared,
            path,
            headers,
            body,
            payload,
        } = admitted;
        let Route {
            service,
            operation,
            protocol,
        } = prepared.route;
        facts.signed.clone_from(&prepared.signed);
        facts.posted = true;
        let region = prepared.region.clone();
        let parts = Parts {
            method: operation.method,
            path: &path,
            query: "",
            headers: &headers,
            body: &[],
        };
        let contents = Contents::arriving(Box::new(body), payload);
        let again = || protocol::decode(service, operation, protocol, &parts);
        let answered = self.execute(prepared, &facts, contents, again).await;
        let followed = answered.followed.zip(self.trail(service.name).follower);
        let code = code(service, protocol, &answered.outcome);
        let encoded = answered
            .outcome
            .and_then(|output| protocol::encode(service, operation, protocol, &output, &facts.id))
            .map(|encoded| told(posted.rules, &form, (&posted.bucket, &region), encoded))
            .unwrap_or_else(|fault| {
                report(&fault, &facts.id);
                protocol::encode_fault(Some(service), protocol, &fault, &facts.id)
            });
        let mut answer = answer(encoded, answered.denial);
        self.share(service.name, asking, &mut answer);
        if let Some(followed) = followed {
            let parts = posted.parts();
            let of = (operation.name, &parts, &facts);
            self.tell_end(&mut answer, followed, of, code.as_deref(), wall)
                .await;
        }
        answer
    }

    /// Who sent a form, and how that was proven.
    fn sender(
        &self,
        claim: Option<&signature::FormClaim<'_>>,
        region: &str,
        wall: Timestamp,
    ) -> std::result::Result<Sender, Box<(Fault, Caller)>> {
        let Some(claim) = claim else {
            let stranger = Identity::anonymous(&self.environment.management_account);
            return Ok((Arc::new(stranger), None));
        };
        match self.verify_form(claim, region, wall) {
            Ok(identity) => Ok((identity, Some(Signed::of_form(claim)))),
            Err(denied) => {
                let caller = denied
                    .identity
                    .as_deref()
                    .map_or_else(|| Caller::unknown(claim.access_key_id), Caller::of);
                Err(Box::new((denied.fault, caller)))
            }
        }
    }

    fn verify_form(
        &self,
        claim: &signature::FormClaim<'_>,
        region: &str,
        wall: Timestamp,
    ) -> std::result::Result<Arc<Identity>, authenticate::Refused> {
        let mut tx = self.store.begin();
        let account = &self.environment.management_account;
        for _ in 0..ATTEMPTS_MAX {
            let now = self.environment.clock.now();
            let mut look = Look::new(&mut tx, &self.environment, now, region, Arc::clone(account));
            let verified = authenticate::verify_form(&mut look, claim, wall);
            if !look.conflict {
                return verified;
            }
            tx = self.store.begin_eager().map_err(Fault::internal)?;
        }
        Err(Fault::common(wire::fault::Common::Unavailable, "").into())
    }
}

/// The input of a form's operation, found in order.
fn decoded(route: &Route, parts: &Parts<'_>) -> Result<Document> {
    let input = protocol::decode(route.service, route.operation, route.protocol, parts)?;
    if let Some(shape) = route.operation.input {
        wire::constraints::check(route.service, shape, &input)?;
    }
    Ok(input)
}

/// The fields of a form, read from the beginning of its body, and the decoder at its file.
async fn read(headers: &HeaderMap, body: &mut Resumed) -> Result<(Form, FormDecoder)> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut decoder = FormDecoder::new(kind.unwrap_or_default()).map_err(form::malformed)?;
    let mut form = Form::default();
    loop {
        while let Some(piece) = decoder.next_piece().map_err(form::malformed)? {
            match piece {
                FormPiece::Field { name, value } => form.add(&name, value)?,
                FormPiece::File { name } => {
                    form.file_name = name;
                    return Ok((form, decoder));
                }
                FormPiece::Data(_) => return Err(Fault::internal("a form's file came before its beginning")),
            }
        }
        match body.next().await.map_err(crate::blobs::interrupted)? {
            Some(bytes) => decoder.push(bytes),
            None => {
                decoder.finish().map_err(form::malformed)?;
                return Err(form::malformed(wire::form_data::FormError::NoFile));
            }
        }
    }
}

/// The answer of the operation as the form wants it.
fn told(
    rules: &FormRules,
    form: &Form,
    (bucket, region): (&str, &str),
    mut encoded: protocol::Encoded,
) -> protocol::Encoded {
    let etag = encoded.headers.get(ETAG).and_then(|value| value.to_str().ok());
    let answer = (rules.answer)(
        form,
        &Uploaded {
            bucket,
            region,
            etag: etag.unwrap_or_default(),
        },
    );
    encoded.status = answer.status;
    if let Ok(location) = HeaderValue::from_str(&answer.location) {
        encoded.headers.insert(LOCATION, location);
    }
    if !answer.body.is_empty() {
        let kind = HeaderValue::from_static("application/xml");
        encoded.headers.insert(CONTENT_TYPE, kind);
    }
    encoded.body = answer.body;
    encoded
}
