//! What an event tells of its request: the principal, and the condition keys that are known, known to be absent, or not told.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element"; IAM User Guide, "AWS global condition context keys".

use policy::{Context, Principal};

use super::cloudtrail::event::{Event, Text, UserIdentity};

/// Keys that follow from an event: where they are not in the context, the request did not have them.
const TOLD: &[&str] = &[
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
    "aws:PrincipalIsAWSService",
    "aws:userid",
    "aws:username",
    "aws:UserAgent",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:RequestedRegion",
    "aws:TokenIssueTime",
    "aws:SourceIdentity",
    "aws:SourceVpce",
    "aws:ViaAWSService",
];

/// Whether an event that does not hold a key leaves open what the request said. Keys that hang on others are told with them.
pub(super) fn untold(event: &Event<'_>, key: &str) -> bool {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    if TOLD.iter().any(|told| is(told)) {
        return false;
    }
    let identity = event.user_identity.as_ref();
    let invoked = identity.is_some_and(|identity| !identity.invoked_by.is_empty());
    if is("aws:MultiFactorAuthPresent") || is("aws:MultiFactorAuthAge") {
        return mfa(event) != Mfa::No;
    }
    if is("aws:SourceVpc") || is("aws:VpcSourceIp") {
        return !event.vpc_endpoint_id.is_empty();
    }
    if is("aws:CalledVia") || is("aws:CalledViaFirst") || is("aws:CalledViaLast") {
        return invoked;
    }
    true
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Mfa {
    Yes,
    /// Long-term credentials, or a session without it.
    No,
    /// A role's session: whoever assumed it may have shown a device, which its own requests do not carry.
    Unclear,
}

fn mfa(event: &Event<'_>) -> Mfa {
    let identity = event.user_identity.as_ref();
    let session = identity.and_then(|identity| identity.session_context.as_ref());
    let shown = session
        .and_then(|session| session.attributes.as_ref())
        .is_some_and(|attributes| &*attributes.mfa_authenticated == "true");
    let role = identity.is_some_and(|identity| &*identity.kind == "AssumedRole");
    match (shown, role) {
        (false, _) => Mfa::No,
        (true, false) => Mfa::Yes,
        (true, true) => Mfa::Unclear,
    }
}

/// Who called, as policies see it, and the ARN by which policies are attached; `None` if the event does not tell.
pub(super) fn principal<'a>(identity: &'a UserIdentity<'_>) -> Option<(Principal, &'a str)> {
    let account = identity.account_id.to_string();
    let arn = identity.arn.to_string();
    let issuer = identity
        .session_context
        .as_ref()
        .and_then(|session| session.session_issuer.as_ref());
    match &*identity.kind {
        "Root" if !account.is_empty() => Some((Principal::Root { account }, &identity.arn)),
        "IAMUser" if !arn.is_empty() => {
            let id = identity.principal_id.to_string();
            Some((Principal::User { arn, account, id }, &identity.arn))
        }
        "AssumedRole" => {
            let issuer = issuer.filter(|issuer| !issuer.arn.is_empty())?;
            let principal = Principal::AssumedRole {
                arn,
                role_arn: issuer.arn.to_string(),
                account,
                role_id: issuer.principal_id.to_string(),
            };
            Some((principal, &issuer.arn))
        }
        "FederatedUser" => {
            let issuer = issuer.filter(|issuer| !issuer.arn.is_empty())?;
            let user_arn = issuer.arn.to_string();
            Some((
                Principal::FederatedUser {
                    arn,
                    account,
                    user_arn,
                },
                &issuer.arn,
            ))
        }
        "AWSService" if identity.invoked_by.contains('.') => {
            let name = identity.invoked_by.to_string();
            Some((Principal::Service { name }, &identity.invoked_by))
        }
        "WebIdentityUser" | "SAMLUser" if !identity.identity_provider.is_empty() => {
            let provider = identity.identity_provider.to_string();
            Some((Principal::Federated { provider }, &identity.identity_provider))
        }
        "AWSAccount" if &*identity.principal_id == "ANONYMOUS_PRINCIPAL" => {
            Some((Principal::Anonymous, "anonymous"))
        }
        _ => None,
    }
}

/// The condition keys that an event tells. `owner` is the account of the resource, if it is known.
pub(super) fn context(
    event: &Event<'_>,
    principal: &Principal,
    acting: &str,
    owner: Option<&str>,
) -> Context {
    let mut context = Context::with_capacity(20);
    let kind = match principal {
        Principal::Root { .. } => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
        Principal::FederatedUser { .. } => "FederatedUser",
        Principal::Service { .. } => "Service",
        Principal::Federated { .. } | Principal::Anonymous => "Anonymous",
    };
    context.insert("aws:PrincipalType", kind);
    let service = matches!(principal, Principal::Service { .. });
    context.insert("aws:PrincipalIsAWSService", flag(service));
    if let Some(account) = principal.account() {
        context.insert("aws:PrincipalAccount", account.to_owned());
        let federated = matches!(principal, Principal::FederatedUser { .. });
        let own = event.user_identity.as_ref().filter(|_| federated);
        context.insert(
            "aws:PrincipalArn",
            own.map_or(acting, |identity| &identity.arn).to_owned(),
        );
    }
    put(&mut context, "aws:UserAgent", &event.user_agent);
    put(&mut context, "aws:RequestedRegion", &event.aws_region);
    put(&mut context, "aws:SourceVpce", &event.vpc_endpoint_id);
    if event.source_ip.parse::<std::net::IpAddr>().is_ok() {
        put(&mut context, "aws:SourceIp", &event.source_ip);
    }
    if event
        .tls_details
        .as_ref()
        .is_some_and(|tls| !tls.tls_version.is_empty())
    {
        context.insert("aws:SecureTransport", "true");
    }
    if let Some(seconds) = seconds(&event.event_time) {
        context.insert("aws:EpochTime", seconds.to_string());
        context.insert("aws:CurrentTime", event.event_time.to_string());
    }
    if let Some(owner) = owner {
        context.insert("aws:ResourceAccount", owner.to_owned());
    }
    if let Some(identity) = &event.user_identity {
        of_identity(identity, principal, event, &mut context);
    }
    enriched(event, &mut context);
    context
}

fn of_identity(identity: &UserIdentity<'_>, principal: &Principal, event: &Event<'_>, context: &mut Context) {
    context.insert("aws:ViaAWSService", flag(!identity.invoked_by.is_empty()));
    if principal.account().is_some() {
        put(context, "aws:userid", &identity.principal_id);
    }
    if matches!(principal, Principal::User { .. }) {
        put(context, "aws:username", &identity.user_name);
    }
    let Some(session) = &identity.session_context else {
        return;
    };
    put(context, "aws:SourceIdentity", &session.source_identity);
    if let Some(attributes) = &session.attributes {
        put(context, "aws:TokenIssueTime", &attributes.creation_date);
        match mfa(event) {
            Mfa::Yes => context.insert("aws:MultiFactorAuthPresent", "true"),
            Mfa::No => context.insert("aws:MultiFactorAuthPresent", "false"),
            Mfa::Unclear => {}
        }
    }
}

/// Condition keys and tags of enriched events.
fn enriched(event: &Event<'_>, context: &mut Context) {
    let Some(held) = &event.event_context else { return };
    for (key, values) in &held.request_context.0 {
        context.insert_many(key.to_string(), values.0.iter().map(ToString::to_string));
    }
    let tagged = held
        .tag_context
        .iter()
        .flat_map(|tags| tags.resource_tags.iter().flatten());
    let mut tagged = tagged.filter(|tagged| !tagged.arn.is_empty());
    // With several resources it is not told whose tags a statement would see.
    if let (Some(only), None) = (tagged.next(), tagged.next()) {
        for (key, values) in &only.tags.0 {
            context.insert_many(
                format!("aws:ResourceTag/{}", &**key),
                values.0.iter().map(ToString::to_string),
            );
        }
    }
}

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self)
    }
}

/// Seconds since the epoch of `2024-07-30T21:31:21Z`, which is how events tell their time.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.len() != 20 || !text.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?)
}

fn put(context: &mut Context, key: &'static str, value: &Text<'_>) {
    if !value.is_empty() {
        context.insert(key, value.to_string());
    }
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_seconds() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2024-02-29T12:00:01Z"), Some(1_709_208_001));
        assert_eq!(seconds("2024-02-29 12:00"), None);
    }
}
