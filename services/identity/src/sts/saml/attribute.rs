//! The attributes of an assertion: those of AWS, which make the session, and those of directories, which conditions see.
//!
//! Source: IAM User Guide, "Configure SAML assertions for the authentication response" and "IAM and AWS STS condition context keys".

use pipeline::Result;

use super::invalid;
use crate::iam::tag::TAGS_MAX;
use crate::saml::Assertion;

const ROLE: &str = "https://aws.amazon.com/SAML/Attributes/Role";
const SESSION_NAME: &str = "https://aws.amazon.com/SAML/Attributes/RoleSessionName";
const SESSION_DURATION: &str = "https://aws.amazon.com/SAML/Attributes/SessionDuration";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/SAML/Attributes/SourceIdentity";
const TRANSITIVE: &str = "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys";
const PRINCIPAL_TAG: &str = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:";

/// Condition keys of `AssumeRoleWithSAML`.
pub(crate) const CONDITIONS: &[&str] = &[
    "aws:RequestTag/${TagKey}",
    "aws:TagKeys",
    "saml:aud",
    "saml:cn",
    "saml:commonName",
    "saml:doc",
    "saml:eduorghomepageuri",
    "saml:eduorgidentityauthnpolicyuri",
    "saml:eduorglegalname",
    "saml:eduorgsuperioruri",
    "saml:eduorgwhitepagesuri",
    "saml:edupersonaffiliation",
    "saml:edupersonassurance",
    "saml:edupersonentitlement",
    "saml:edupersonnickname",
    "saml:edupersonorgdn",
    "saml:edupersonorgunitdn",
    "saml:edupersonprimaryaffiliation",
    "saml:edupersonprimaryorgunitdn",
    "saml:edupersonprincipalname",
    "saml:edupersonscopedaffiliation",
    "saml:edupersontargetedid",
    "saml:givenName",
    "saml:iss",
    "saml:mail",
    "saml:name",
    "saml:namequalifier",
    "saml:organizationStatus",
    "saml:primaryGroupSID",
    "saml:sub",
    "saml:sub_type",
    "saml:surname",
    "saml:uid",
    "saml:x500UniqueIdentifier",
    "sts:RoleSessionName",
    "sts:SourceIdentity",
    "sts:TransitiveTagKeys",
];

/// Attributes of directories by their name, the condition key that each becomes, and whether that is a list.
const DIRECTORY: &[(&str, &str, bool)] = &[
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
        "saml:edupersonaffiliation",
        true,
    ),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.2", "saml:edupersonnickname", true),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.3", "saml:edupersonorgdn", false),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.4",
        "saml:edupersonorgunitdn",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.5",
        "saml:edupersonprimaryaffiliation",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
        "saml:edupersonprincipalname",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
        "saml:edupersonentitlement",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.8",
        "saml:edupersonprimaryorgunitdn",
        false,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
        "saml:edupersonscopedaffiliation",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.10",
        "saml:edupersontargetedid",
        true,
    ),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.11",
        "saml:edupersonassurance",
        true,
    ),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.2", "saml:eduorghomepageuri", true),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.3",
        "saml:eduorgidentityauthnpolicyuri",
        true,
    ),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.4", "saml:eduorglegalname", true),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.5", "saml:eduorgsuperioruri", true),
    (
        "urn:oid:1.3.6.1.4.1.5923.1.2.1.6",
        "saml:eduorgwhitepagesuri",
        true,
    ),
    ("urn:oid:2.5.4.3", "saml:cn", true),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "saml:name",
        true,
    ),
    (
        "http://schemas.xmlsoap.org/claims/CommonName",
        "saml:commonName",
        true,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
        "saml:givenName",
        true,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
        "saml:surname",
        true,
    ),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "saml:mail",
        true,
    ),
    (
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid",
        "saml:primaryGroupSID",
        true,
    ),
    ("2.5.4.3", "saml:commonName", true),
    ("2.5.4.4", "saml:surname", true),
    ("2.4.5.42", "saml:givenName", true),
    ("2.5.4.45", "saml:x500UniqueIdentifier", true),
    ("0.9.2342.19200300100.1.1", "saml:uid", true),
    ("0.9.2342.19200300100.1.3", "saml:mail", true),
    ("0.9.2342.19200300.100.1.45", "saml:organizationStatus", true),
];

/// What the provider asks of the session.
pub(super) struct Asked {
    pub(super) session_name: String,
    pub(super) session_seconds: Option<i64>,
    pub(super) source_identity: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive_tag_keys: Vec<String>,
}

impl Asked {
    pub(super) fn read(assertion: &Assertion) -> Result<Self> {
        let session_name = one(assertion, SESSION_NAME)?
            .ok_or_else(|| invalid("RoleSessionName is required in AuthnResponse"))?;
        if !is_word(session_name) {
            return Err(invalid(
                "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
            ));
        }
        let source_identity = one(assertion, SOURCE_IDENTITY)?;
        if source_identity.is_some_and(|text| !is_word(text) || text.starts_with("aws:")) {
            return Err(invalid(
                "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"",
            ));
        }
        Ok(Self {
            session_name: session_name.to_owned(),
            session_seconds: duration(assertion)?,
            source_identity: source_identity.map(str::to_owned),
            tags: tags(assertion)?,
            transitive_tag_keys: assertion.values(TRANSITIVE).to_vec(),
        })
    }
}

/// The value of an attribute that has one at most.
fn one<'a>(assertion: &'a Assertion, name: &str) -> Result<Option<&'a str>> {
    match assertion.values(name) {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(invalid(format!("{name} in AuthnResponse must have one value"))),
    }
}

fn is_word(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    (2..=64).contains(&text.len()) && letters
}

fn duration(assertion: &Assertion) -> Result<Option<i64>> {
    let Some(text) = one(assertion, SESSION_DURATION)? else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (900..=43_200).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        invalid("SessionDuration in AuthnResponse must be a number of seconds from 900 to 43200")
    })
}

/// The session tags, in the form that tags of a request must have. Doubles and reserved names are refused with those of all operations.
fn tags(assertion: &Assertion) -> Result<Vec<(String, String)>> {
    let mut tags = Vec::new();
    for claim in &assertion.claims {
        let Some(key) = claim.name.strip_prefix(PRINCIPAL_TAG) else {
            continue;
        };
        let [value] = claim.values.as_slice() else {
            return Err(invalid(format!(
                "PrincipalTag:{key} in AuthnResponse must have one value"
            )));
        };
        let sizes = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        let letters = |text: &str| {
            text.chars().all(|letter| {
                letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter)
            })
        };
        if !sizes || !letters(key) || !letters(value) {
            return Err(invalid(format!(
                "PrincipalTag:{key} in AuthnResponse is not a valid tag"
            )));
        }
        tags.push((key.to_owned(), value.clone()));
    }
    if tags.len() > TAGS_MAX {
        return Err(invalid(format!(
            "AuthnResponse must not have more than {TAGS_MAX} tags"
        )));
    }
    Ok(tags)
}

/// Whether the assertion pairs a role with a provider, in whichever order.
pub(super) fn pairs(assertion: &Assertion, [role, provider]: [&str; 2]) -> bool {
    assertion
        .values(ROLE)
        .iter()
        .filter_map(|value| value.split_once(','))
        .any(|pair| pair == (role, provider) || pair == (provider, role))
}

/// The condition keys that the attributes become.
pub(super) fn context(assertion: &Assertion, asked: &Asked) -> Vec<(String, Vec<String>)> {
    let mut context: Vec<(String, Vec<String>)> = Vec::new();
    for (name, key, list) in DIRECTORY {
        let values = assertion.values(name);
        let taken = if *list { values.len() } else { values.len().min(1) };
        // One claim a key: the first.
        if taken > 0 && context.iter().all(|(known, _)| known != key) {
            context.push(((*key).to_owned(), values.iter().take(taken).cloned().collect()));
        }
    }
    let mut set = |key: String, values: Vec<String>| {
        if !values.is_empty() {
            context.push((key, values));
        }
    };
    set("sts:RoleSessionName".to_owned(), vec![asked.session_name.clone()]);
    let source = asked.source_identity.iter().cloned();
    set("sts:SourceIdentity".to_owned(), source.collect());
    set(
        "sts:TransitiveTagKeys".to_owned(),
        asked.transitive_tag_keys.clone(),
    );
    let keys = asked.tags.iter().map(|(key, _)| key.clone());
    set("aws:TagKeys".to_owned(), keys.collect());
    for (key, value) in &asked.tags {
        set(format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    context
}
