//! Which service, operation and protocol a request is for.
//!
//! Invariant: pure and bounded by the request's size. What decides is, in this order: the RPC path, the target header,
//! `Action` with `Version`, then method and path among the services that the credential scope or the host names.
//!
//! Source: Smithy specification, "AWS protocols"; IAM User Guide, "Making HTTP query requests".

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName,
};

use crate::fault::Common;
use crate::model::{Operation, Protocol, Service};
use crate::protocol::Parts;
use crate::sigv2::is_subresource;
use crate::sigv4::percent_decode;
use crate::{Document, Fault};

pub(crate) mod bucket;
use bucket::Named;
pub use bucket::path_style;
mod host;
mod rest;
mod s3;
mod website;
pub use website::{domain, website};

static SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
static AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The services that are served, by the names that requests use. Order within a list does not matter.
pub trait Catalog {
    /// The service by botocore's name.
    fn service(&self, name: &str) -> Option<&'static Service>;
    /// Services (by name) with this name in their credential scope.
    fn by_signing_name(&self, signing_name: &str) -> &'static [&'static str];
    /// The service with this `X-Amz-Target` prefix or RPC service name.
    fn by_target_prefix(&self, prefix: &str) -> Option<&'static str>;
    /// Services with this API version that speak awsQuery or ec2Query.
    fn by_query_version(&self, version: &str) -> &'static [&'static str];
    /// Services whose host begins with this (`Service::endpoint_prefix`).
    fn by_endpoint_prefix(&self, prefix: &str) -> &'static [&'static str];
}

/// What a request is for.
#[derive(Clone, Copy)]
pub struct Route {
    pub service: &'static Service,
    pub operation: &'static Operation,
    pub protocol: Protocol,
}

/// A request that is for nothing served, with what is known of the client, so that the refusal can be encoded.
pub struct Refusal {
    pub fault: Fault,
    pub service: Option<&'static Service>,
    pub protocol: Protocol,
}

impl Refusal {
    fn new(fault: Fault, service: Option<&'static Service>, protocol: Protocol) -> Self {
        Self {
            fault,
            service,
            protocol,
        }
    }

    fn unknown(message: impl Into<String>, service: Option<&'static Service>, protocol: Protocol) -> Self {
        Self::new(
            Fault::common(Common::UnknownOperation, message),
            service,
            protocol,
        )
    }
}

/// Finds the operation. `scope_service` is the service of the credential scope, if the request is signed.
///
/// Errors: a refusal in the protocol that the client seems to speak.
pub fn route(
    parts: &Parts<'_>,
    scope_service: Option<&str>,
    catalog: &dyn Catalog,
) -> Result<Route, Refusal> {
    if header(parts, &SMITHY_PROTOCOL).is_some_and(|name| name.eq_ignore_ascii_case("rpc-v2-cbor")) {
        return rpc(parts, catalog);
    }
    if let Some(target) = header(parts, &AMZ_TARGET) {
        return target_route(parts, target, scope_service, catalog);
    }
    let candidates = candidates(parts, scope_service, catalog);
    let wanted = QueryCall::find(parts);
    if let Some(wanted) = &wanted {
        let spoken = query_services(&candidates, wanted, scope_service, catalog);
        if !spoken.is_empty() {
            return query_route(&spoken, wanted);
        }
    }
    let rest: Vec<&'static Service> = candidates
        .iter()
        .copied()
        .filter(|service| rest_protocol(service).is_some())
        .collect();
    if rest.is_empty() {
        return Err(nowhere(&candidates, wanted.as_ref(), scope_service));
    }
    let found = match objects(parts, &rest) {
        Some(service) => {
            let path = bucket::path_style(parts.path, parts.headers);
            s3::find(service, parts, &path).map(|operation| (service, operation))
        }
        None => rest::find(parts, &rest),
    };
    let Some((service, operation)) = found else {
        if let Some(service) = objects(parts, &rest) {
            if parts.method == "POST" && !is_form(parts) && is_of_bucket(parts) {
                return Err(Refusal::new(no_form(), Some(service), Protocol::RestXml));
            }
            let message = "The specified method is not allowed against this resource.";
            let mut refusal = Refusal::unknown(message, Some(service), Protocol::RestXml);
            let method = Document::String(parts.method.chars().take(32).collect());
            refusal.fault.members.push(("Method", method));
            return Err(refusal);
        }
        let service = rest.first().copied();
        let protocol = service.and_then(rest_protocol).unwrap_or(Protocol::RestJson1);
        let shown: String = parts.path.chars().take(256).collect();
        let message = format!(
            "Unable to determine service/operation name to be authorized: {} {shown}",
            parts.method
        );
        return Err(Refusal::unknown(message, service, protocol));
    };
    let protocol = rest_protocol(service).unwrap_or(Protocol::RestJson1);
    Ok(Route {
        service,
        operation,
        protocol,
    })
}

/// S3, if the request is for it and not for its control plane.
fn objects(parts: &Parts<'_>, services: &[&'static Service]) -> Option<&'static Service> {
    let service = services.iter().copied().find(|service| service.bare_errors)?;
    (services.len() == 1 || !bucket::is_control(parts.path, parts.headers)).then_some(service)
}

/// The service that a form is for, which a browser sends to a bucket: S3. Whatever stands in its fields, the request itself is unsigned.
pub fn takes_form(parts: &Parts<'_>, catalog: &dyn Catalog) -> Option<&'static Service> {
    if parts.method != "POST" || !is_form(parts) || parts.headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let service = objects(parts, &candidates(parts, None, catalog))?;
    is_of_bucket(parts).then_some(service)
}

fn is_form(parts: &Parts<'_>) -> bool {
    let kind = header(parts, &CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// Whether a request is for a bucket itself: neither for an object of it nor for one of its settings.
fn is_of_bucket(parts: &Parts<'_>) -> bool {
    let path = bucket::path_style(parts.path, parts.headers);
    let path = path.trim_start_matches('/');
    let bucket = path.strip_suffix('/').unwrap_or(path);
    let mut names = parts
        .query
        .split('&')
        .map(|pair| percent_decode(pair.split('=').next().unwrap_or(pair)));
    !bucket.is_empty() && !bucket.contains('/') && !names.any(|name| is_subresource(&name))
}

/// S3's refusal of a form that is encoded otherwise.
fn no_form() -> Fault {
    let message = "At least one of the pre-conditions you specified did not hold";
    let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
    Fault::plain("PreconditionFailed", 412, message).with("Condition", Document::String(condition.to_owned()))
}

/// The service that answers a browser which asks in advance, for a page of another origin: S3, where the request is for one of its
/// buckets. Other services' endpoints know no such question.
pub fn asks_in_advance(
    parts: &Parts<'_>,
    scope_service: Option<&str>,
    catalog: &dyn Catalog,
) -> Option<&'static Service> {
    if parts.method != "OPTIONS" || header(parts, &SMITHY_PROTOCOL).is_some() {
        return None;
    }
    let targeted = parts.headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let mut targeted = targeted.filter_map(|value| value.to_str().ok());
    // A page that would name its operation in a header calls a service of another protocol.
    let rpc = |value: &str| {
        value.split(',').map(str::trim).any(|name| {
            name.eq_ignore_ascii_case(AMZ_TARGET.as_str())
                || name.eq_ignore_ascii_case(SMITHY_PROTOCOL.as_str())
        })
    };
    if header(parts, &AMZ_TARGET).is_some() || targeted.any(rpc) {
        return None;
    }
    let service = objects(parts, &candidates(parts, scope_service, catalog))?;
    let named = bucket::of_headers(parts.headers) != Named::Nothing;
    (named || !parts.path.trim_start_matches('/').is_empty()).then_some(service)
}

fn header<'a>(parts: &Parts<'a>, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn rest_protocol(service: &'static Service) -> Option<Protocol> {
    service
        .protocols
        .iter()
        .copied()
        .find(|protocol| matches!(protocol, Protocol::RestJson1 | Protocol::RestXml))
}

fn query_protocol(service: &'static Service) -> Option<Protocol> {
    service
        .protocols
        .iter()
        .copied()
        .find(|protocol| matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query))
}

/// Smithy RPC v2 CBOR: `POST /service/{Service}/operation/{Operation}`.
fn rpc(parts: &Parts<'_>, catalog: &dyn Catalog) -> Result<Route, Refusal> {
    let protocol = Protocol::RpcV2Cbor;
    let mut segments = parts.path.trim_start_matches('/').split('/');
    let (Some("service"), Some(name), Some("operation"), Some(operation), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(Refusal::unknown(
            "The path is not /service/{service}/operation/{operation}.",
            None,
            protocol,
        ));
    };
    // A shape name may come with its namespace before a dot or hash sign.
    let bare = name.rsplit(['.', '#']).next().unwrap_or(name);
    let service = catalog
        .by_target_prefix(bare)
        .and_then(|name| catalog.service(name));
    let Some(service) = service.filter(|service| service.protocols.contains(&protocol)) else {
        return Err(Refusal::unknown(
            "The service of the path is not known.",
            service,
            protocol,
        ));
    };
    if parts.method != "POST" {
        return Err(Refusal::unknown(
            "The operation must be called with POST.",
            Some(service),
            protocol,
        ));
    }
    match service.operation(operation) {
        Some(operation) => Ok(Route {
            service,
            operation,
            protocol,
        }),
        None => Err(Refusal::unknown(
            "The operation is not known to the service.",
            Some(service),
            protocol,
        )),
    }
}

/// awsJson: `X-Amz-Target: Prefix.Operation`.
fn target_route(
    parts: &Parts<'_>,
    target: &str,
    scope_service: Option<&str>,
    catalog: &dyn Catalog,
) -> Result<Route, Refusal> {
    let content_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let said = match content_type.split(';').next().map(str::trim) {
        Some(kind) if kind.eq_ignore_ascii_case("application/x-amz-json-1.0") => Some(Protocol::AwsJson10),
        Some(kind) if kind.eq_ignore_ascii_case("application/x-amz-json-1.1") => Some(Protocol::AwsJson11),
        _ => None,
    };
    let Some((prefix, name)) = target.rsplit_once('.') else {
        let message = "The X-Amz-Target header names no operation.";
        return Err(Refusal::unknown(
            message,
            None,
            said.unwrap_or(Protocol::AwsJson11),
        ));
    };
    let by_scope = |prefix: &str| {
        // Two services may share a prefix across API versions; the scope then tells.
        let names = scope_service
            .map(|name| catalog.by_signing_name(name))
            .unwrap_or_default();
        names
            .iter()
            .filter_map(|name| catalog.service(name))
            .find(|service| service.target_prefixes.contains(&prefix))
    };
    let service = by_scope(prefix).or_else(|| {
        catalog
            .by_target_prefix(prefix)
            .and_then(|name| catalog.service(name))
    });
    let spoken = service.and_then(|service| {
        service
            .protocols
            .iter()
            .copied()
            .find(|known| matches!(known, Protocol::AwsJson10 | Protocol::AwsJson11))
    });
    let protocol = said.or(spoken).unwrap_or(Protocol::AwsJson11);
    let (Some(service), Some(_)) = (service, spoken) else {
        return Err(Refusal::unknown(
            "The service of the X-Amz-Target header is not known.",
            service,
            protocol,
        ));
    };
    if parts.method != "POST" {
        return Err(Refusal::unknown(
            "The operation must be called with POST.",
            Some(service),
            protocol,
        ));
    }
    match service.operation(name) {
        Some(operation) => Ok(Route {
            service,
            operation,
            protocol,
        }),
        None => Err(Refusal::unknown("", Some(service), protocol)),
    }
}

/// Services by the scope's signing name, narrowed by the host if both are known; else by the host.
fn candidates(
    parts: &Parts<'_>,
    scope_service: Option<&str>,
    catalog: &dyn Catalog,
) -> Vec<&'static Service> {
    let hosted = parts
        .headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .map(|host| host::services(host, catalog))
        .unwrap_or_default();
    let Some(scope) = scope_service else {
        if let Some(objects) = unsigned_objects(parts, hosted, catalog) {
            return vec![objects];
        }
        return hosted.iter().filter_map(|name| catalog.service(name)).collect();
    };
    let signed = catalog.by_signing_name(scope);
    // A bucket's name may be another service's, dots and all.
    let hosted = match bucket::of_headers(parts.headers) {
        Named::Bucket(_) if signed.contains(&"s3") => &[],
        _ => hosted,
    };
    let both = |name: &&&'static str| signed.len() < 2 || hosted.is_empty() || hosted.contains(name);
    let narrowed: Vec<&'static Service> = signed
        .iter()
        .filter(both)
        .filter_map(|name| catalog.service(name))
        .collect();
    if !narrowed.is_empty() {
        return narrowed;
    }
    signed.iter().filter_map(|name| catalog.service(name)).collect()
}

/// S3, for a request without a signature whose host names one of its buckets, or names nothing while the request is none of another
/// protocol: S3 alone serves strangers.
fn unsigned_objects(parts: &Parts<'_>, hosted: &[&str], catalog: &dyn Catalog) -> Option<&'static Service> {
    let service = catalog
        .by_signing_name("s3")
        .iter()
        .filter_map(|name| catalog.service(name))
        .find(|service| service.bare_errors)?;
    let called = QueryCall::find(parts).is_some();
    let named = match bucket::of_headers(parts.headers) {
        Named::Endpoint => true,
        Named::Bucket(_) => hosted.is_empty() || hosted.contains(&service.name),
        Named::Nothing | Named::Control => hosted.contains(&service.name),
    };
    let json = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-amz-json"));
    (named || hosted.is_empty() && !called && !json).then_some(service)
}

/// `Action` and `Version` of a query call.
struct QueryCall<'a> {
    action: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
}

impl<'a> QueryCall<'a> {
    /// From the form in the body, else from the query string.
    fn find(parts: &Parts<'a>) -> Option<Self> {
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let form = content_type.split(';').next().is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        let form = form && parts.method == "POST";
        let gzip = parts.headers.get(CONTENT_ENCODING);
        if form && gzip.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip")) {
            let text = unfolded(parts.body);
            return QueryCall::scan(&text).map(|found| QueryCall {
                action: Cow::Owned(found.action.into_owned()),
                version: found.version.map(|version| Cow::Owned(version.into_owned())),
            });
        }
        let body = form.then(|| std::str::from_utf8(parts.body).ok()).flatten();
        body.and_then(Self::scan).or_else(|| Self::scan(parts.query))
    }

    fn scan(form: &'a str) -> Option<Self> {
        let (mut action, mut version) = (None, None);
        for pair in form.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "Action" if action.is_none() => action = Some(percent_decode(value)),
                "Version" if version.is_none() => version = Some(percent_decode(value)),
                _ => {}
            }
            if action.is_some() && version.is_some() {
                break;
            }
        }
        action.map(|action| Self { action, version })
    }
}

/// How a compressed form begins. Clients write `Action` and `Version` first; nobody's body is unfolded further before it is known whose
/// it is.
fn unfolded(body: &[u8]) -> String {
    const BYTES_MAX: u64 = 4096;
    let mut begin = Vec::new();
    // What came before an error is read all the same; whoever decodes the body finds the error.
    let _read = MultiGzDecoder::new(body).take(BYTES_MAX).read_to_end(&mut begin);
    String::from_utf8_lossy(&begin).into_owned()
}

/// Candidates that speak a query protocol in the version that the call names, best first.
fn query_services(
    candidates: &[&'static Service],
    call: &QueryCall<'_>,
    scope_service: Option<&str>,
    catalog: &dyn Catalog,
) -> Vec<&'static Service> {
    let mut spoken: Vec<&'static Service> = candidates
        .iter()
        .copied()
        .filter(|service| query_protocol(service).is_some())
        .collect();
    if spoken.is_empty() && candidates.is_empty() && scope_service.is_none() {
        // Unsigned and no host that tells, such as AssumeRoleWithWebIdentity to an address of our own.
        let names = call
            .version
            .as_deref()
            .map(|version| catalog.by_query_version(version))
            .unwrap_or_default();
        spoken = names.iter().filter_map(|name| catalog.service(name)).collect();
    }
    // Stable: without a version, the order of the catalogue stays.
    spoken.sort_by_key(|service| {
        (
            call.version
                .as_deref()
                .is_some_and(|version| version != service.api_version),
            service.operation(&call.action).is_none(),
        )
    });
    spoken
}

fn query_route(spoken: &[&'static Service], call: &QueryCall<'_>) -> Result<Route, Refusal> {
    let found = spoken.iter().copied().find_map(|service| {
        let version = call
            .version
            .as_deref()
            .is_none_or(|version| version == service.api_version);
        let operation = service.operation(&call.action).filter(|_| version)?;
        Some(Route {
            service,
            operation,
            protocol: query_protocol(service)?,
        })
    });
    found.ok_or_else(|| {
        let service = spoken.first().copied();
        let protocol = service.and_then(query_protocol).unwrap_or(Protocol::AwsQuery);
        Refusal::unknown(could_not_find(call, service), service, protocol)
    })
}

fn could_not_find(call: &QueryCall<'_>, service: Option<&'static Service>) -> String {
    let action: String = call.action.chars().take(256).collect();
    let version = call
        .version
        .as_deref()
        .or(service.map(|service| service.api_version))
        .unwrap_or("NO_VERSION_SPECIFIED");
    let version: String = version.chars().take(64).collect();
    format!("Could not find operation {action} for version {version}")
}

/// The refusal of a request for which no service is left.
fn nowhere(
    candidates: &[&'static Service],
    call: Option<&QueryCall<'_>>,
    scope_service: Option<&str>,
) -> Refusal {
    let service = candidates.first().copied();
    if let Some(call) = call {
        return Refusal::unknown(could_not_find(call, service), service, Protocol::AwsQuery);
    }
    let protocol = service
        .and_then(|service| service.protocols.first().copied())
        .unwrap_or(Protocol::RestJson1);
    if let Some(protocol) = service.and_then(query_protocol) {
        let message = "Could not find operation NO_ACTION_SPECIFIED for version NO_VERSION_SPECIFIED";
        return Refusal::unknown(message, service, protocol);
    }
    match scope_service {
        Some(_) => Refusal::unknown(
            "The request names no operation of a service that is served.",
            service,
            protocol,
        ),
        None => Refusal::new(
            Fault::common(Common::MissingAuthenticationToken, "Missing Authentication Token"),
            service,
            protocol,
        ),
    }
}
