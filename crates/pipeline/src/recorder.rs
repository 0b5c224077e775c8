//! Turns a finished call into its record.

use serde_json::Value;
use store::Append;
use wire::fault::{Code, Common};
use wire::model::{Operation, Protocol, Service, ShapeId};
use wire::route::Route;
use wire::{Document, Fault, Timestamp, protocol};

use crate::call::{Call, RequestFacts};
use crate::identity::{Identity, IdentityType};
use crate::jobs::{Job, JobKind};
use crate::ledger;
use crate::ledger::record::{Caller, ErrorFacts, EventKind, Judged, Record, ResourceFacts, Tls};
use crate::operation::Endpoint;
use crate::origin::Owned;
use crate::signin::SignInEvent;
use crate::trail::TrailRules;

/// The longest error message that a record keeps, in bytes: a client chooses how long its names are.
const MESSAGE_BYTES_MAX: usize = 1024;

/// When a record is made, and its event id.
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) wall: Timestamp,
    pub(crate) event: String,
}

/// What a call came to.
struct Outcome<'a> {
    pub(crate) rules: &'static TrailRules,
    pub(crate) protocol: Protocol,
    pub(crate) read_only: bool,
    pub(crate) request: Option<Value>,
    pub(crate) result: std::result::Result<&'a Document, &'a Fault>,
    pub(crate) resources: Vec<ResourceFacts>,
    pub(crate) additional: serde_json::Map<String, Value>,
    pub(crate) judged: Vec<Judged>,
}

/// `requestParameters`, without secrets, and with what the service takes for granted.
pub(crate) fn shown_input(
    rules: &TrailRules,
    service: &'static Service,
    operation: &Operation,
    input: &Document,
) -> Option<Value> {
    let mut request = shown(rules, service, operation.input, input);
    let withheld = rules.withheld.iter().filter(|(of, ..)| *of == operation.name);
    for (_, member, (other, value)) in withheld {
        let members = request.as_mut().and_then(Value::as_object_mut);
        if let Some(members) = members.filter(|members| members.get(*other).is_some_and(|held| held == value))
        {
            members.remove(*member);
        }
    }
    let defaults = rules.defaults.iter().filter(|(of, ..)| *of == operation.name);
    for (_, member, value) in defaults {
        let members = request
            .get_or_insert_with(|| Value::Object(serde_json::Map::new()))
            .as_object_mut();
        if let Some(members) = members {
            members
                .entry(*member)
                .or_insert_with(|| Value::String((*value).to_owned()));
        }
    }
    request
}

fn shown(
    rules: &TrailRules,
    service: &'static Service,
    shape: Option<ShapeId>,
    document: &Document,
) -> Option<Value> {
    let value = rules.redactor().redact(service, shape?, document);
    Some(value).filter(|value| !value.is_null())
}

/// `responseElements`: what a call changed; of reads nothing, but for the ones that the service's rules name.
fn response(service: &'static Service, operation: &Operation, outcome: &Outcome<'_>) -> Option<Value> {
    let rules = outcome.rules;
    let output = outcome.result.ok()?;
    if outcome.read_only {
        let exception = rules.shown_reads.contains(&operation.name);
        return exception
            .then(|| shown(rules, service, operation.output, output))
            .flatten();
    }
    let mut response = shown(rules, service, operation.output, output);
    if let (Some(member), Some(resource)) = (rules.subject, outcome.resources.first()) {
        let members = response
            .get_or_insert_with(|| Value::Object(serde_json::Map::new()))
            .as_object_mut();
        // An answer that describes a resource says which one it is.
        if let Some(members) = members.filter(|members| !members.values().any(Value::is_object)) {
            members
                .entry(member)
                .or_insert_with(|| Value::String(resource.arn.clone()));
        }
    }
    response
}

fn denied(fault: &Fault) -> bool {
    fault.code == Code::Common(Common::AccessDenied)
}

/// What was asked for, as records tell it.
pub(crate) struct Asked<'a> {
    pub(crate) service: &'static Service,
    pub(crate) operation: &'static Operation,
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) rules: &'static TrailRules,
    pub(crate) protocol: Protocol,
    pub(crate) region: &'a str,
    /// `requestParameters`
    pub(crate) request: Option<Value>,
}

/// The record of a call that came to its end. What it noted for the record is taken out of it.
pub(crate) fn finished(
    call: &mut Call<'_>,
    asked: Asked<'_>,
    result: std::result::Result<&Document, &Fault>,
) -> Record {
    let environment = call.look.environment;
    let judgements = std::mem::take(&mut call.judgements);
    let judged = call.unkept.judged(call.look.tx.era(), judgements);
    let outcome = Outcome {
        rules: asked.rules,
        protocol: asked.protocol,
        read_only: asked.endpoint.read_only,
        request: asked.request,
        result,
        resources: std::mem::take(&mut call.resources),
        additional: std::mem::take(&mut call.additional),
        judged,
    };
    let wall = environment.clock.wall();
    let event = environment.draw_id(wall.0);
    let moment = Moment {
        now: call.look.now,
        wall,
        event,
    };
    let (service, operation) = (asked.service, asked.operation);
    record(
        service,
        operation,
        asked.region,
        call.identity,
        call.request,
        moment,
        outcome,
    )
}

/// The record of a call that a handler saw.
fn record(
    service: &'static Service,
    operation: &'static Operation,
    region: &str,
    identity: &Identity,
    facts: &RequestFacts,
    moment: Moment,
    outcome: Outcome<'_>,
) -> Record {
    let response = response(service, operation, &outcome);
    let hidden = outcome.rules.hides_denied && outcome.result.is_err_and(denied);
    Record {
        id: facts.id.clone(),
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: String::from(&*identity.account),
        region: region.to_owned(),
        service: service.name.to_owned(),
        source: event_source(service),
        operation: operation.name.to_owned(),
        event_name: outcome.rules.event_name(operation.name),
        data: outcome.rules.data_events.contains(&operation.name),
        read_only: outcome.read_only,
        kind: EventKind::AwsApiCall,
        caller: Caller::of(identity),
        source_ip: facts.source_ip.clone(),
        user_agent: facts.user_agent.clone(),
        tls: tls(facts),
        request: outcome.request.filter(|_| !hidden),
        response,
        error: outcome
            .result
            .err()
            .map(|fault| error(Some(service), outcome.protocol, fault)),
        resources: outcome.resources,
        names_resources: outcome.rules.names_resources,
        additional: outcome.additional,
        judgements: outcome.judged,
        shared: None,
    }
}

/// A request that ended before a handler.
pub(crate) struct Refusal<'a> {
    pub(crate) rules: &'static TrailRules,
    /// As the operation's row says; the name must tell where there is none.
    pub(crate) read_only: Option<bool>,
    pub(crate) fault: &'a Fault,
    pub(crate) route: Option<Route>,
    pub(crate) protocol: Protocol,
    pub(crate) service: Option<&'static Service>,
    pub(crate) region: &'a str,
    pub(crate) caller: Caller,
    pub(crate) input: Option<&'a Document>,
    pub(crate) management_account: &'a str,
}

/// Its record: in the trail of the account whose credential was shown, or else of the management account.
pub(crate) fn refusal(refusal: Refusal<'_>, facts: &RequestFacts, moment: Moment) -> Record {
    let account = Some(refusal.caller.account.as_str()).filter(|account| !account.is_empty());
    let operation = refusal.route.map(|route| route.operation);
    let global = refusal.service.is_some_and(|service| service.global);
    let request = refusal.route.zip(refusal.input);
    Record {
        id: facts.id.clone(),
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: account.unwrap_or(refusal.management_account).to_owned(),
        region: if global {
            "us-east-1".to_owned()
        } else {
            plausible_region(refusal.region)
        },
        service: refusal
            .service
            .map_or("unknown", |service| service.name)
            .to_owned(),
        source: refusal
            .service
            .map_or_else(|| "unknown.amazonaws.com".to_owned(), event_source),
        operation: operation.map_or("Unknown", |operation| operation.name).to_owned(),
        event_name: operation.and_then(|operation| refusal.rules.event_name(operation.name)),
        data: operation.is_some_and(|operation| refusal.rules.data_events.contains(&operation.name)),
        read_only: refusal
            .read_only
            .unwrap_or_else(|| operation.is_some_and(|operation| reads_by_name(operation.name))),
        kind: EventKind::AwsApiCall,
        caller: refusal.caller,
        source_ip: facts.source_ip.clone(),
        user_agent: facts.user_agent.clone(),
        tls: tls(facts),
        request: request
            .and_then(|(route, input)| shown_input(refusal.rules, route.service, route.operation, input)),
        response: None,
        error: Some(error(refusal.service, refusal.protocol, refusal.fault)),
        resources: Vec::new(),
        names_resources: false,
        additional: serde_json::Map::new(),
        judgements: Vec::new(),
        shared: None,
    }
}

/// The record of a data event of nobody in particular, in the trail of the resource's owner.
pub(crate) fn asked_in_advance(
    service: Option<&'static Service>,
    event: &'static str,
    owned: Owned,
    fault: Option<&Fault>,
    facts: &RequestFacts,
    moment: Moment,
) -> Record {
    Record {
        id: facts.id.clone(),
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: owned.account,
        region: owned.region,
        service: service.map_or("unknown", |service| service.name).to_owned(),
        source: service.map_or_else(|| "unknown.amazonaws.com".to_owned(), event_source),
        operation: event.to_owned(),
        event_name: None,
        data: true,
        read_only: true,
        kind: EventKind::AwsApiCall,
        caller: Caller::unknown(""),
        source_ip: facts.source_ip.clone(),
        user_agent: facts.user_agent.clone(),
        tls: tls(facts),
        request: None,
        response: None,
        error: fault.map(|fault| error(service, Protocol::RestXml, fault)),
        resources: Vec::new(),
        names_resources: false,
        additional: serde_json::Map::new(),
        judgements: Vec::new(),
        shared: None,
    }
}

/// Unproven callers choose the region that they claim; it names a stream only if it looks like a region.
fn plausible_region(claimed: &str) -> String {
    if is_region(claimed) {
        claimed.to_owned()
    } else {
        "us-east-1".to_owned()
    }
}

/// Whether a name is formed like a region's (`eu-central-1`, `us-gov-west-1`), since regions become parts of ARNs.
pub(crate) fn is_region(name: &str) -> bool {
    let mut parts = name.split('-');
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let number = parts.next_back().unwrap_or_default();
    let words = parts.clone().count();
    name.len() <= 24
        && (2..=3).contains(&words)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.all(letters)
}

fn reads_by_name(operation: &str) -> bool {
    ["Get", "List", "Describe", "Lookup", "Search", "BatchGet"]
        .iter()
        .any(|prefix| operation.starts_with(prefix))
}

fn event_source(service: &'static Service) -> String {
    [service.event_source, ".amazonaws.com"].concat()
}

fn tls(facts: &RequestFacts) -> Option<Tls> {
    facts.tls.map(|tls| Tls {
        version: tls.version.to_owned(),
        cipher_suite: tls.cipher_suite.to_owned(),
        host: facts.host.clone(),
    })
}

fn error(service: Option<&'static Service>, protocol: Protocol, fault: &Fault) -> ErrorFacts {
    let mut message = fault.message.clone();
    if fault.code == Code::Common(Common::SignatureDoesNotMatch) {
        // AWS's answer goes on with the canonical request, whose query may hold a password and whose headers a session token.
        let told = message.find("\n\n").unwrap_or(message.len());
        message.truncate(told);
    }
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX)
            .rev()
            .find(|end| message.is_char_boundary(*end))
            .unwrap_or(0);
        message.truncate(end);
    }
    // CloudTrail has one name for a denial whatever the protocol's is, and knows modeled errors by their shapes
    // (`NoSuchEntityException` where IAM's wire says `NoSuchEntity`): seen in published records.
    let code = match &fault.code {
        Code::Common(Common::AccessDenied) if protocol != Protocol::Ec2Query => "AccessDenied".to_owned(),
        Code::Modeled { shape, .. } => (*shape).to_owned(),
        _ => protocol::spell(service, protocol, fault).code.to_string(),
    };
    ErrorFacts { code, message }
}

/// The record of what a service did by itself: CloudTrail's `AwsServiceEvent`. It came of no request, which CloudTrail
/// says with `AWS Internal` (KMS Developer Guide, "RotateKey").
pub(crate) fn service_event(
    rules: &TrailRules,
    kind: &JobKind,
    job: &Job,
    facts: &RequestFacts,
    resources: Vec<ResourceFacts>,
    details: serde_json::Map<String, Value>,
    moment: Moment,
) -> Record {
    const INTERNAL: &str = "AWS Internal";
    let mut caller = Caller::unknown("");
    caller.kind = IdentityType::AwsService;
    caller.account = job.account.clone();
    caller.invoked_by = Some(INTERNAL.to_owned());
    Record {
        id: facts.id.clone(),
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: job.account.clone(),
        region: job.region.clone(),
        service: kind.service.to_owned(),
        source: facts.source_ip.clone(),
        operation: kind.event.to_owned(),
        event_name: None,
        data: rules.data_events.contains(&kind.event),
        read_only: false,
        kind: EventKind::AwsServiceEvent,
        caller,
        source_ip: INTERNAL.to_owned(),
        user_agent: Some(INTERNAL.to_owned()),
        tls: None,
        request: None,
        response: None,
        error: None,
        resources,
        names_resources: true,
        additional: details,
        judgements: Vec::new(),
        shared: None,
    }
}

/// A record as the store takes it, in the stream of its account and region.
pub(crate) fn append(record: &Record) -> Append {
    let stream = ledger::stream(&record.account, &record.region);
    // A record is made of strings, numbers and parsed JSON, which always encode.
    Append {
        stream,
        record: record.encode().unwrap_or_default(),
    }
}

/// What a service tells of itself, in its own name.
pub(crate) struct Told {
    pub(crate) service: &'static str,
    pub(crate) event: &'static str,
    /// A word for why it failed.
    pub(crate) error: Option<String>,
    pub(crate) details: serde_json::Map<String, Value>,
    pub(crate) resources: Vec<ResourceFacts>,
    pub(crate) account: String,
    pub(crate) region: String,
}

/// Its record: CloudTrail's `AwsServiceEvent` of a service that names itself (`RotationFailed` of Secrets Manager).
pub(crate) fn told(told: Told, id: String, moment: Moment) -> Record {
    let name = format!("{}.amazonaws.com", told.service);
    let mut caller = Caller::unknown("");
    caller.kind = IdentityType::AwsService;
    caller.account.clone_from(&told.account);
    caller.invoked_by = Some(name.clone());
    Record {
        id,
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: told.account,
        region: told.region,
        service: told.service.to_owned(),
        source: name.clone(),
        operation: told.event.to_owned(),
        event_name: None,
        data: false,
        read_only: false,
        kind: EventKind::AwsServiceEvent,
        caller,
        source_ip: name.clone(),
        user_agent: Some(name),
        tls: None,
        request: None,
        response: None,
        error: told.error.map(|message| ErrorFacts {
            code: String::new(),
            message,
        }),
        resources: told.resources,
        names_resources: false,
        additional: told.details,
        judgements: Vec::new(),
        shared: None,
    }
}

/// The record of a step of signing in to the console, in the account of whoever it is about.
pub(crate) fn signed_in(event: SignInEvent, region: &str, facts: &RequestFacts, moment: Moment) -> Record {
    let failed = event.error.is_some();
    let caller = event.who.caller();
    let mut told = serde_json::Map::new();
    if let Some(id) = &event.access_key_id {
        told.insert("credentials".to_owned(), serde_json::json!({ "accessKeyId": id }));
    }
    let outcome = if failed { "Failure" } else { "Success" };
    told.insert(event.name.to_owned(), outcome.into());
    Record {
        id: facts.id.clone(),
        event: moment.event,
        time: moment.now.0,
        wall: moment.wall.0,
        account: caller.account.clone(),
        region: region.to_owned(),
        service: "signin".to_owned(),
        source: "signin.amazonaws.com".to_owned(),
        operation: event.name.to_owned(),
        event_name: None,
        data: false,
        read_only: false,
        kind: EventKind::AwsConsoleSignIn,
        caller,
        source_ip: facts.source_ip.clone(),
        user_agent: facts.user_agent.clone(),
        tls: tls(facts),
        request: None,
        response: Some(told.into()),
        error: event.error.map(|message| ErrorFacts {
            code: String::new(),
            message: message.to_owned(),
        }),
        resources: Vec::new(),
        names_resources: false,
        additional: event.details,
        judgements: Vec::new(),
        shared: None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_region;

    #[test]
    fn regions_are_formed_like_regions() {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-7"] {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "",
            "us",
            "us-east",
            "us-east-one",
            "us-east-1/x",
            "a:b-c-1",
            "--1",
            "us-east-100",
            "US-EAST-1",
        ] {
            assert!(!is_region(other), "{other}");
        }
    }
}
