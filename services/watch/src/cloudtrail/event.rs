//! A record in CloudTrail's words: the JSON text of an event, and the entry that `LookupEvents` lists for it.
//!
//! Invariant: members have the order and the forms of AWS's records, and a member that AWS leaves out when it has
//! nothing to say is left out here too. `requestParameters` and `responseElements` are always there, if only as null.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events" and
//! "CloudTrail userIdentity element".

use std::borrow::Cow;

use pipeline::identity::{IdentityType, SessionIssuer};
use pipeline::ledger::record::{Caller, EventKind, Record, ResourceFacts, SessionFacts, Tls};
use serde::Serialize;
use serde_json::{Map, Value};
use wire::Timestamp;

/// The version of the record format that the members below belong to.
const EVENT_VERSION: &str = "1.11";

/// An event as trails deliver it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: String,
    event_source: &'a str,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Option<&'a Value>,
    response_elements: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<&'a Map<String, Value>>,
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'a>>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_event_details: Option<&'a Map<String, Value>>,
    #[serde(rename = "sharedEventID", skip_serializing_if = "Option::is_none")]
    shared_event_id: Option<&'a str>,
    event_category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_details: Option<TlsDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_credential_from_console: Option<&'static str>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoked_by: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_issuer: Option<Issuer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_id_federation_data: Option<WebIdFederationData<'a>>,
    attributes: SessionAttributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
    /// Of sessions that an instance's metadata service gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    ec2_role_delivery: Option<&'a str>,
    /// AWS writes it as text, and only if it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed_root: Option<&'static str>,
}

/// Of sessions that an OpenID Connect provider's token began.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebIdFederationData<'a> {
    federated_provider: &'a str,
    /// AWS fills them for the providers that it knows by itself.
    attributes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issuer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    principal_id: &'a str,
    arn: &'a str,
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
}

/// AWS writes the flag as text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    creation_date: String,
    mfa_authenticated: &'static str,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "accountId")]
    account: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "ARN")]
    arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsDetails<'a> {
    tls_version: &'a str,
    cipher_suite: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_provided_host_header: Option<&'a str>,
}

/// The event's JSON text, as `CloudTrailEvent` and log files hold it.
pub fn text(record: &Record) -> String {
    // Text, numbers and parsed JSON always encode.
    serde_json::to_string(&event(record)).unwrap_or_default()
}

fn event(record: &Record) -> Event<'_> {
    let service_event = record.kind == EventKind::AwsServiceEvent;
    // What AWS tells without a name has its own member; a service that names itself uses the calls' one.
    let internal = service_event && record.source_ip == "AWS Internal";
    let additional = Some(&record.additional).filter(|members| !members.is_empty());
    let named = if record.names_resources {
        record.resources.as_slice()
    } else {
        &[]
    };
    Event {
        event_version: EVENT_VERSION,
        user_identity: user_identity(record),
        event_time: Timestamp(record.time).iso8601(),
        event_source: &record.source,
        event_name: record.event_name(),
        aws_region: &record.region,
        source_ip_address: &record.source_ip,
        user_agent: record.user_agent.as_deref(),
        error_code: error_code(record),
        error_message: record
            .error
            .as_ref()
            .map(|error| error.message.as_str())
            .filter(|message| !message.is_empty()),
        request_parameters: record.request.as_ref(),
        response_elements: record.response.as_ref(),
        additional_event_data: additional.filter(|_| !internal),
        request_id: Some(record.id.as_str()).filter(|_| record.kind == EventKind::AwsApiCall),
        event_id: &record.event,
        read_only: record.read_only,
        resources: named.iter().map(resource).collect(),
        event_type: match record.kind {
            EventKind::AwsApiCall => "AwsApiCall",
            EventKind::AwsServiceEvent => "AwsServiceEvent",
            EventKind::AwsConsoleSignIn => "AwsConsoleSignIn",
        },
        management_event: !record.data,
        recipient_account_id: &record.account,
        service_event_details: additional.filter(|_| internal),
        shared_event_id: record.shared.as_deref(),
        event_category: if record.data { "Data" } else { "Management" },
        tls_details: record.tls.as_ref().map(tls_details),
        session_credential_from_console: from_console(record).then_some("true"),
    }
}

/// Whether the call was made in a session of the console.
fn from_console(record: &Record) -> bool {
    record
        .caller
        .session
        .as_ref()
        .is_some_and(|session| session.console)
        && record.kind == EventKind::AwsApiCall
        && !record.foreign()
}

fn user_identity(record: &Record) -> UserIdentity<'_> {
    let caller = &record.caller;
    let principal_id = present(&caller.principal_id);
    let account_id = present(&caller.account);
    if record.kind == EventKind::AwsServiceEvent {
        return UserIdentity {
            account_id,
            invoked_by: caller.invoked_by.as_deref(),
            ..UserIdentity::default()
        };
    }
    if record.foreign() {
        return UserIdentity {
            kind: Some("AWSAccount"),
            principal_id,
            account_id,
            ..UserIdentity::default()
        };
    }
    let kind = Some(type_name(caller.kind));
    match caller.kind {
        IdentityType::AwsService => {
            let invoked_by = caller.invoked_by.as_deref().or(present(&caller.arn));
            UserIdentity {
                kind,
                invoked_by,
                ..UserIdentity::default()
            }
        }
        IdentityType::WebIdentityUser | IdentityType::SamlUser => UserIdentity {
            kind,
            principal_id,
            user_name: caller.user_name.as_deref(),
            identity_provider: present(&caller.arn),
            ..UserIdentity::default()
        },
        _ => UserIdentity {
            kind,
            principal_id,
            arn: present(&caller.arn),
            account_id,
            access_key_id: access_key_id(record),
            user_name: user_name(caller),
            identity_provider: None,
            session_context: caller
                .session
                .as_ref()
                .map(|session| session_context(session, asks_for_root(record))),
            invoked_by: caller.invoked_by.as_deref(),
        },
    }
}

/// Who failed to sign in has an empty one, as on AWS.
fn access_key_id(record: &Record) -> Option<&str> {
    let failed = record.kind == EventKind::AwsConsoleSignIn && record.error.is_some();
    Some(record.caller.access_key_id.as_str()).filter(|id| failed || !id.is_empty())
}

/// Sessions of roles and federated users have their name in `sessionIssuer` alone.
fn user_name(caller: &Caller) -> Option<&str> {
    let session_only = matches!(
        caller.kind,
        IdentityType::AssumedRole | IdentityType::FederatedUser
    );
    caller.user_name.as_deref().filter(|_| !session_only)
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

const fn type_name(kind: IdentityType) -> &'static str {
    match kind {
        IdentityType::Root => "Root",
        IdentityType::IamUser => "IAMUser",
        IdentityType::AssumedRole => "AssumedRole",
        IdentityType::FederatedUser => "FederatedUser",
        IdentityType::AwsAccount => "AWSAccount",
        IdentityType::AwsService => "AWSService",
        IdentityType::WebIdentityUser => "WebIdentityUser",
        IdentityType::SamlUser => "SAMLUser",
        IdentityType::Unknown => "Unknown",
    }
}

/// The code of an error. EC2's events say whose fault it is before it: `Client.UnauthorizedOperation` (Amazon EC2 Developer Guide,
/// "Log Amazon EC2 API calls using AWS CloudTrail").
fn error_code(record: &Record) -> Option<Cow<'_, str>> {
    let code = record.error.as_ref().map(|error| error.code.as_str())?;
    match (record.service.as_str(), code) {
        (_, "") => None,
        ("ec2", "InternalError" | "Unavailable") => Some(Cow::Owned(format!("Server.{code}"))),
        ("ec2", _) => Some(Cow::Owned(format!("Client.{code}"))),
        _ => Some(Cow::Borrowed(code)),
    }
}

/// Whether the call got a session of a member's root user, which AWS tells of the session that asked too (IAM User Guide, "Track
/// privileged tasks in AWS CloudTrail").
fn asks_for_root(record: &Record) -> bool {
    record.operation == "AssumeRoot" && record.error.is_none()
}

fn session_context(session: &SessionFacts, asks_for_root: bool) -> SessionContext<'_> {
    let provider = session.federated_provider.as_deref();
    let web = provider.filter(|provider| provider.contains(":oidc-provider/"));
    SessionContext {
        session_issuer: session.issuer.as_ref().map(issuer),
        web_id_federation_data: web.map(|federated_provider| WebIdFederationData {
            federated_provider,
            attributes: serde_json::Map::new(),
        }),
        attributes: SessionAttributes {
            creation_date: Timestamp(session.issued).iso8601(),
            mfa_authenticated: if session.mfa.is_some() { "true" } else { "false" },
        },
        source_identity: session.source_identity.as_deref(),
        ec2_role_delivery: session.role_delivery.as_deref(),
        assumed_root: (session.assumed_root || asks_for_root).then_some("true"),
    }
}

fn issuer(issuer: &SessionIssuer) -> Issuer<'_> {
    Issuer {
        kind: &issuer.kind,
        principal_id: &issuer.principal_id,
        arn: &issuer.arn,
        account_id: &issuer.account_id,
        user_name: present(&issuer.user_name),
    }
}

fn resource(facts: &ResourceFacts) -> Resource<'_> {
    Resource {
        account: &facts.account,
        kind: &facts.kind,
        arn: &facts.arn,
    }
}

fn tls_details(tls: &Tls) -> TlsDetails<'_> {
    TlsDetails {
        tls_version: &tls.version,
        cipher_suite: &tls.cipher_suite,
        client_provided_host_header: tls.host.as_deref(),
    }
}

/// The event as `LookupEvents` lists it.
pub fn listed(record: &Record) -> api::cloudtrail::Event {
    api::cloudtrail::Event {
        access_key_id: record.access_key_id().map(str::to_owned),
        cloud_trail_event: Some(text(record)),
        event_id: Some(record.event.clone()),
        event_name: Some(record.event_name().to_owned()),
        event_source: Some(record.source.clone()),
        event_time: Some(Timestamp::from_seconds(Timestamp(record.time).seconds())),
        read_only: Some(record.read_only.to_string()),
        resources: Some(
            record
                .resources
                .iter()
                .flat_map(|facts| listed_resources(record, facts))
                .collect(),
        ),
        username: record.user_name().map(str::to_owned),
    }
}

/// A resource is listed by its ARN and, where events do not name it themselves, by its short name as well.
fn listed_resources(
    record: &Record,
    facts: &ResourceFacts,
) -> impl Iterator<Item = api::cloudtrail::Resource> {
    let short = facts.short_name().filter(|_| !record.names_resources);
    let names = [Some(facts.arn.as_str()), short].into_iter().flatten();
    names.map(|name| api::cloudtrail::Resource {
        resource_name: Some(name.to_owned()),
        resource_type: Some(facts.kind.clone()),
    })
}
