//! Whether an assertion is meant for AWS, for this provider and role, and for now; and the caller whom it makes.
//!
//! Sources: IAM User Guide, "Configure SAML assertions for the authentication response" and "Troubleshoot SAML federation with IAM";
//! STS API Reference, "AssumeRoleWithSAML".

use api::sts::AssumeRoleWithSAMLRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::identity::{Federation, Identity, IdentityType};
use pipeline::{Look, Resource as _, Result};
use policy::Arn;

use super::attribute::{self, Asked};
use super::{denied, expired, invalid};
use crate::iam::saml::SamlProvider;
use crate::saml::Assertion;

/// How long after its issue an assertion is taken, in milliseconds.
pub(super) const TAKEN_FOR: i64 = 5 * 60_000;
/// How far the provider's clock may be ahead of the wall's, in milliseconds.
const AHEAD: i64 = 60_000;
/// The name under which providers know AWS.
const AUDIENCE: &str = "urn:amazon:webservices";

pub(super) use attribute::CONDITIONS;

/// The caller whom an assertion makes.
///
/// # Errors
/// `InvalidIdentityToken`, `ExpiredTokenException`, `AccessDenied`.
pub(super) fn identity(
    look: &Look<'_>,
    input: &AssumeRoleWithSAMLRequest,
    provider: &SamlProvider,
    assertion: &Assertion,
) -> Result<Identity> {
    if provider.valid_until <= look.now.0 {
        return Err(expired("The metadata of the specified provider has expired"));
    }
    if assertion.issuer != provider.entity_id {
        return Err(invalid("Issuer not present in specified provider"));
    }
    timely(assertion, look.wall().0)?;
    addressed(assertion, &provider.id)?;
    let own_account = Arn::parse(&input.role_arn).is_some_and(|arn| arn.account() == provider.account);
    let pair = [input.role_arn.as_str(), input.principal_arn.as_str()];
    let Some((subject, format)) = &assertion.subject else {
        return Err(denied());
    };
    if !own_account || !attribute::pairs(assertion, pair) {
        return Err(denied());
    }
    let asked = Asked::read(assertion)?;
    let qualifier = name_qualifier(&assertion.issuer, provider);
    let kind = format.as_deref().map(short);
    let mut context = attribute::context(assertion, &asked);
    let single = [
        ("saml:aud", assertion.recipient.as_str()),
        ("saml:iss", &assertion.issuer),
        ("saml:sub", subject),
        ("saml:namequalifier", &qualifier),
        ("saml:doc", &format!("{}/{}", provider.account, provider.name)),
    ];
    let kinds = kind.iter().map(|kind| ("saml:sub_type", kind.as_str()));
    let single = single.into_iter().chain(kinds);
    context.extend(single.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])));
    // IAM User Guide, "Cross-service SAML-based AWS STS federation context keys".
    let stays = |key: &str| matches!(key, "saml:sub" | "saml:namequalifier" | "saml:sub_type");
    let session_context = context.iter().filter(|(key, _)| stays(key)).cloned().collect();
    let principal_id = format!("{qualifier}:{subject}");
    let federation = Federation {
        subject: subject.clone(),
        audience: assertion.recipient.clone(),
        issuer: assertion.issuer.clone(),
        subject_type: kind,
        name_qualifier: Some(qualifier),
        context,
        tags: asked.tags,
        transitive_tag_keys: asked.transitive_tag_keys,
        source_identity: asked.source_identity,
        session_name: Some(asked.session_name),
        session_seconds: asked.session_seconds,
        session_ends: assertion.session_ends,
        session_context,
        ..Federation::default()
    };
    Ok(Identity::federated(
        IdentityType::SamlUser,
        &provider.account,
        &provider.arn(),
        (&principal_id, subject),
        federation,
    ))
}

/// AWS's short form of a name's format.
fn short(format: &str) -> String {
    format
        .strip_prefix("urn:oasis:names:tc:SAML:2.0:nameid-format:")
        .unwrap_or(format)
        .to_owned()
}

/// What tells the users of one provider from those of all others (STS API Reference, "AssumeRoleWithSAML", `NameQualifier`).
fn name_qualifier(issuer: &str, provider: &SamlProvider) -> String {
    let text = format!("{issuer}{}/{}", provider.account, provider.name);
    STANDARD.encode(crypto::digest::sha1(text.as_bytes()))
}

/// Every bound of time in the assertion, by the wall's clock.
fn timely(assertion: &Assertion, wall: i64) -> Result<()> {
    let early = |from: i64| from > wall.saturating_add(AHEAD);
    if early(assertion.issued) || assertion.not_before.is_some_and(early) {
        return Err(invalid("The SAML assertion is not valid yet"));
    }
    if assertion.issued.saturating_add(TAKEN_FOR) <= wall {
        return Err(expired("Token must be redeemed within 5 minutes of issuance"));
    }
    let over = |until: i64| until <= wall;
    let ends = [assertion.not_on_or_after, assertion.session_ends];
    if over(assertion.confirmed_until) || ends.into_iter().flatten().any(over) {
        return Err(expired("The SAML assertion has expired"));
    }
    Ok(())
}

/// Recipient, destination and audience.
fn addressed(assertion: &Assertion, provider_id: &str) -> Result<()> {
    if !is_sign_in(&assertion.recipient, provider_id) {
        return Err(invalid("The SAML assertion names another recipient than AWS"));
    }
    let elsewhere = |destination: &String| !is_sign_in(destination, provider_id);
    if assertion.destination.as_ref().is_some_and(elsewhere) {
        return Err(invalid("The SAML response names another destination than AWS"));
    }
    let meant = |audiences: &Vec<String>| {
        audiences
            .iter()
            .any(|audience| audience == AUDIENCE || is_sign_in(audience, provider_id))
    };
    if assertion.audiences.is_empty() || !assertion.audiences.iter().all(meant) {
        return Err(invalid("Response does not contain the required audience"));
    }
    Ok(())
}

/// Whether a URL is AWS's sign-in endpoint: the global one or a region's, with or without the provider's id.
fn is_sign_in(url: &str, provider_id: &str) -> bool {
    let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let region = host.strip_suffix("signin.aws.amazon.com").map(|region| {
        region.is_empty()
            || region.strip_suffix('.').is_some_and(|region| {
                region.starts_with(|first: char| first.is_ascii_lowercase())
                    && region
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            })
    });
    let path = match path.strip_prefix("saml/") {
        Some(id) => id.strip_prefix("acs/").unwrap_or(id) == provider_id,
        None => matches!(path, "saml" | "static/saml"),
    };
    region == Some(true) && path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_in_endpoint_has_few_forms() {
        let id = "SAMLSP4SHN3UIS2D558H46";
        for url in [
            "https://signin.aws.amazon.com/saml",
            "https://signin.aws.amazon.com/static/saml",
            "https://eu-central-1.signin.aws.amazon.com/saml",
            "https://eu-central-1.signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H46",
            "https://signin.aws.amazon.com/saml/SAMLSP4SHN3UIS2D558H46",
        ] {
            assert!(is_sign_in(url, id), "{url}");
        }
        for url in [
            "http://signin.aws.amazon.com/saml",
            "https://signin.aws.amazon.com/saml/",
            "https://signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H47",
            "https://signin.aws.amazon.com.example/saml",
            "https://evil-signin.aws.amazon.com/saml",
            "https://a.b.signin.aws.amazon.com/saml",
            "https://evil.example/x.signin.aws.amazon.com/saml",
            "https://user@signin.aws.amazon.com/saml",
            "https://.signin.aws.amazon.com/saml",
            "https://signin.aws.amazon.com/saml?x",
            "",
        ] {
            assert!(!is_sign_in(url, id), "{url}");
        }
    }
}
