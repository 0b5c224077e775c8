//! What a verified token's claims mean to AWS: condition keys, session tags, the source identity.
//!
//! Source: IAM User Guide, "IAM and AWS STS condition context keys", Available keys for AWS OIDC federation, and "Pass session tags
//! in AWS STS".

use api::sts::fault::invalid_identity_token_exception;
use pipeline::Result;
use pipeline::identity::Federation;
use serde_json::{Map, Value};
use wire::Fault;

use super::jwt::{Token, texts};

/// Claims of certain providers that are condition keys too, by the form of the provider's URL (the Service Authorization
/// Reference's list of STS's keys). A `*` stands for one name or path.
const PROVIDER_CLAIMS: &[(&[&str], &[&str])] = &[
    (&["accounts.google.com"], &["google/organization_number"]),
    (
        &[
            "token.actions.githubusercontent.com",
            "token.actions.githubusercontent.com/*",
            "token.actions.*.ghe.com",
            "github.com/enterprises/*",
        ],
        &[
            "actor",
            "actor_id",
            "enterprise_id",
            "environment",
            "job_workflow_ref",
            "ref",
            "repository",
            "repository_id",
            "repository_owner_id",
            "workflow",
        ],
    ),
    (
        &["gitlab.com"],
        &[
            "namespace_id",
            "pipeline_source",
            "project_id",
            "ref_protected",
            "runner_environment",
            "user_access_level",
            "user_email",
            "user_id",
            "user_login",
        ],
    ),
    (
        &[
            "agent.buildkite.com",
            "agent.*.buildkite.dev",
            "agent.*.buildkite.site",
        ],
        &[
            "build_branch",
            "cluster_id",
            "cluster_name",
            "organization_id",
            "organization_slug",
            "pipeline_id",
            "pipeline_slug",
        ],
    ),
    (&["oidc.circleci.com/org/*"], &["oidc.circleci.com/project-id"]),
    (&["idcs-*.identity.oraclecloud.com"], &["rpst_id"]),
];

const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// Session tags of one session, and the characters of their keys and values.
const TAGS_MAX: usize = 50;
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

/// What the token says of its bearer, for a provider by its URL without `https://`. `audience` is the registered client.
pub(super) fn federation(token: &Token<'_>, url: &str, subject: &str, audience: &str) -> Result<Federation> {
    let keys = |names: &[(&str, Vec<String>)]| -> Vec<(String, Vec<String>)> {
        names
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| (format!("{url}:{name}"), values.clone()))
            .collect()
    };
    let session_context = keys(&[
        ("aud", vec![audience.to_owned()]),
        ("sub", vec![subject.to_owned()]),
        ("amr", token.texts("amr")),
    ]);
    let mut context = session_context.clone();
    context.extend(keys(&[
        ("oaud", token.texts("aud")),
        ("email", token.texts("email")),
    ]));
    for claim in provider_claims(url) {
        context.extend(keys(&[(claim, token.texts(claim))]));
    }
    let (tags, transitive_tag_keys) = tags(&token.claims)?;
    let source_identity = source_identity(token)?;
    for (key, value) in &tags {
        context.push((format!("aws:RequestTag/{key}"), vec![value.clone()]));
    }
    if !tags.is_empty() {
        let names = tags.iter().map(|(key, _)| key.clone()).collect();
        context.push(("aws:TagKeys".to_owned(), names));
    }
    if !transitive_tag_keys.is_empty() {
        context.push(("sts:TransitiveTagKeys".to_owned(), transitive_tag_keys.clone()));
    }
    if let Some(identity) = &source_identity {
        context.push(("sts:SourceIdentity".to_owned(), vec![identity.clone()]));
    }
    Ok(Federation {
        subject: subject.to_owned(),
        audience: audience.to_owned(),
        issuer: format!("https://{url}"),
        context,
        session_context,
        tags,
        transitive_tag_keys,
        source_identity,
        ..Federation::default()
    })
}

fn provider_claims(url: &str) -> impl Iterator<Item = &'static str> {
    let fits = move |form: &&str| match form.split_once('*') {
        None => *form == url,
        Some((start, end)) => url
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|between| !between.is_empty() && (end.is_empty() || !between.contains('/'))),
    };
    PROVIDER_CLAIMS
        .iter()
        .filter(move |(forms, _)| forms.iter().any(&fits))
        .flat_map(|(_, claims)| claims.iter().copied())
}

fn refused(message: &str) -> Fault {
    invalid_identity_token_exception(message.to_owned())
}

type Tags = Vec<(String, String)>;

/// Session tags and the keys of those that pass on, in the nested or the flat form.
fn tags(claims: &Map<String, Value>) -> Result<(Tags, Vec<String>)> {
    let mut found = Tags::new();
    let mut passing = Vec::new();
    if let Some(nested) = claims.get(TAGS) {
        let tags = nested.get("principal_tags").and_then(Value::as_object);
        for (key, value) in tags.into_iter().flatten() {
            found.push((key.clone(), tag_value(value)?));
        }
        passing.extend(nested.get("transitive_tag_keys").map(texts).unwrap_or_default());
    }
    let prefix = format!("{TAGS}/principal_tags/");
    for (claim, value) in claims {
        if let Some(key) = claim.strip_prefix(&prefix) {
            found.push((key.to_owned(), tag_value(value)?));
        }
    }
    let flat = claims.get(&format!("{TAGS}/transitive_tag_keys"));
    passing.extend(flat.map(texts).unwrap_or_default());
    let fits = |(key, value): &(String, String)| {
        (1..=TAG_KEY_MAX).contains(&key.chars().count()) && value.chars().count() <= TAG_VALUE_MAX
    };
    if found.len() > TAGS_MAX || !found.iter().all(fits) {
        return Err(refused(
            "The session tags of the token exceed the limits of session tags",
        ));
    }
    Ok((found, passing))
}

/// A session tag has one value.
fn tag_value(value: &Value) -> Result<String> {
    let mut values = match value {
        Value::String(_) | Value::Array(_) => texts(value),
        _ => Vec::new(),
    };
    match (values.pop(), values.is_empty()) {
        (Some(value), true) => Ok(value),
        _ => Err(refused("A session tag of the token must have exactly one value")),
    }
}

fn source_identity(token: &Token<'_>) -> Result<Option<String>> {
    let Some(value) = token.claims.get(SOURCE_IDENTITY) else {
        return Ok(None);
    };
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    value
        .as_str()
        .filter(|text| (2..=64).contains(&text.len()) && text.chars().all(allowed))
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| refused("The source identity of the token is invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_of_certain_providers_are_keys() {
        let count = |url: &str| provider_claims(url).count();
        assert_eq!(count("token.actions.githubusercontent.com"), 10);
        assert_eq!(count("token.actions.githubusercontent.com/octo"), 10);
        assert_eq!(count("token.actions.corp.ghe.com"), 10);
        assert_eq!(count("token.actions.evil.example/x.ghe.com"), 0);
        assert_eq!(count("gitlab.com"), 9);
        assert_eq!(count("gitlab.com.evil.example"), 0);
        assert_eq!(count("id.example"), 0);
    }

    #[test]
    fn tags_come_nested_or_flat_and_have_one_value() {
        let read = |claims: Value| tags(claims.as_object().unwrap());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let nested = json!({TAGS: {"principal_tags": {"Team": ["blue"], "Site": "x"}, "transitive_tag_keys": ["Team"]}});
        let (found, passing) = read(nested).ok().unwrap();
        assert_eq!(passing, ["Team"]);
        assert!(found.contains(&pair("Team", "blue")) && found.contains(&pair("Site", "x")));
        let flat = json!({
            "https://aws.amazon.com/tags/principal_tags/Team": "blue",
            "https://aws.amazon.com/tags/transitive_tag_keys": ["Team"],
        });
        assert_eq!(
            read(flat).ok().unwrap(),
            (vec![pair("Team", "blue")], vec!["Team".to_owned()])
        );
        for wrong in [
            json!(["a", "b"]),
            json!([]),
            json!({"a": 1}),
            json!("x".repeat(257)),
        ] {
            assert!(read(json!({TAGS: {"principal_tags": {"Team": wrong}}})).is_err());
        }
    }
}
