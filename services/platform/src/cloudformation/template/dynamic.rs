//! Dynamic references: `{{resolve:ssm:…}}`, `{{resolve:ssm-secure:…}}` and `{{resolve:secretsmanager:…}}`.
//!
//! Invariant: what a reference opens to goes into the value that `resolve` returns and into no message.
//!
//! Source: CloudFormation User Guide, "Get values stored in other services using dynamic references", and its pages for
//! Systems Manager plaintext and secure string parameters and for Secrets Manager (S10.10, S11.5).

use std::collections::BTreeSet;

use pipeline::operation::Result;
use wire::Fault;

use super::value::Value;
use super::{Sources, Template};

/// The most references of one template.
const REFERENCES_MAX: usize = 60;

const OPEN: &str = "{{resolve:";

/// A reference, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reference<'a> {
    Ssm {
        name: &'a str,
        version: Option<&'a str>,
        secure: bool,
    },
    Secret {
        id: &'a str,
        key: Option<&'a str>,
        stage: Option<&'a str>,
        version: Option<&'a str>,
    },
}

/// Text, or a reference in it.
enum Piece<'a> {
    Text(&'a str),
    Reference(Reference<'a>),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let Some(end) = behind.find("}}") else { break };
        let end = end.saturating_add(2);
        let (whole, after) = behind.split_at_checked(end).unwrap_or((behind, ""));
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let inner = whole
            .strip_prefix(OPEN)
            .and_then(|inner| inner.strip_suffix("}}"));
        pieces.push(Piece::Reference(parse(inner.unwrap_or_default(), whole)?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn parse<'a>(inner: &'a str, whole: &str) -> Result<Reference<'a>> {
    let (service, rest) = inner.split_once(':').unwrap_or((inner, ""));
    match service {
        "ssm" | "ssm-secure" => {
            // An ARN of a shared parameter has colons of its own: arn:aws:ssm:region:account:parameter/name.
            let (name, version) = match rest.rsplit_once(':') {
                Some((name, version)) if !version.contains('/') => (name, Some(version)),
                _ => (rest, None),
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if name.is_empty() || !name.chars().all(fits) || version.is_some_and(|version| !digits(version)) {
                return Err(Fault::validation(format!(
                    "Incorrect format is used in the following SSM reference: [{whole}]"
                )));
            }
            let secure = service == "ssm-secure";
            Ok(Reference::Ssm {
                name,
                version,
                secure,
            })
        }
        "secretsmanager" => secret(rest, whole),
        _ => Err(Fault::validation(format!(
            "Dynamic reference {whole} names a service that is not supported"
        ))),
    }
}

fn secret<'a>(rest: &'a str, whole: &str) -> Result<Reference<'a>> {
    let wrong = || {
        Fault::validation(format!(
            "Incorrect format is used in the following Secrets Manager reference: [{whole}]"
        ))
    };
    let (id, tail) = if rest.starts_with("arn:") {
        // arn:aws:secretsmanager:region:account:secret:name
        let end = rest.match_indices(':').nth(6).map(|(at, _)| at);
        match end.and_then(|end| rest.split_at_checked(end)) {
            Some((id, tail)) => (id, tail.strip_prefix(':').unwrap_or_default()),
            None => (rest, ""),
        }
    } else {
        rest.split_once(':').unwrap_or((rest, ""))
    };
    let mut parts = tail.split(':');
    let given = |part: Option<&'a str>| part.filter(|part| !part.is_empty());
    let (what, key) = (given(parts.next()), given(parts.next()));
    let (stage, version) = (given(parts.next()), given(parts.next()));
    if id.is_empty() || parts.next().is_some() || what.is_some_and(|what| what != "SecretString") {
        return Err(wrong());
    }
    if stage.is_some() && version.is_some() {
        return Err(wrong());
    }
    Ok(Reference::Secret {
        id,
        key,
        stage,
        version,
    })
}

fn each<'a>(
    value: &'a Value,
    path: &mut String,
    see: &mut dyn FnMut(&'a str, &str) -> Result<()>,
) -> Result<()> {
    let length = path.len();
    match value {
        Value::String(text) if text.contains(OPEN) => see(text, path),
        Value::List(items) => items.iter().try_for_each(|item| each(item, path, see)),
        Value::Map(members) => {
            for (name, member) in members {
                path.push('/');
                path.push_str(name);
                each(member, path, see)?;
                path.truncate(length);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses too many references, malformed ones, and secure parameters where they must not stand.
///
/// # Errors
/// `ValidationError` in CloudFormation's words.
pub fn check(template: &Template) -> Result<()> {
    let mut found = 0_usize;
    let mut misplaced = BTreeSet::new();
    for resource in &template.resources {
        let kind = resource.kind.as_str();
        each(&resource.properties, &mut String::new(), &mut |text, path| {
            // A name that a function will put in cannot be judged yet.
            let unfinished = text.contains("${");
            let pieces = match pieces(text) {
                Ok(pieces) => pieces,
                Err(_) if unfinished => return Ok(()),
                Err(fault) => return Err(fault),
            };
            for piece in pieces {
                let Piece::Reference(reference) = piece else {
                    continue;
                };
                found = found.saturating_add(1);
                if matches!(reference, Reference::Ssm { secure: true, .. }) && !takes_secure(kind, path) {
                    misplaced.insert(format!("{kind}/Properties{path}"));
                }
            }
            Ok(())
        })?;
    }
    if !misplaced.is_empty() {
        let places: Vec<String> = misplaced.into_iter().collect();
        return Err(Fault::validation(format!(
            "SSM Secure reference is not supported in: [{}]",
            places.join(", ")
        )));
    }
    if found > REFERENCES_MAX {
        return Err(Fault::validation(format!(
            "Template error: a template can have at most {REFERENCES_MAX} dynamic references"
        )));
    }
    Ok(())
}

/// The properties that take secure strings (CloudFormation User Guide, "Resources that support dynamic parameter patterns for secure
/// strings").
fn takes_secure(kind: &str, path: &str) -> bool {
    // Functions stand between a property and its text: /LoginProfile/Password/Fn::Sub.
    let path: Vec<&str> = path
        .split('/')
        .filter(|name| !name.is_empty() && !name.starts_with("Fn::"))
        .collect();
    matches!(
        (kind, path.as_slice()),
        (
            "AWS::DirectoryService::MicrosoftAD" | "AWS::DirectoryService::SimpleAD",
            ["Password"]
        ) | ("AWS::ElastiCache::ReplicationGroup", ["AuthToken"])
            | ("AWS::IAM::User", ["LoginProfile", "Password"])
            | (
                "AWS::KinesisFirehose::DeliveryStream",
                ["RedshiftDestinationConfiguration", "Password"]
            )
            | ("AWS::OpsWorks::App", ["AppSource", "Password"])
            | (
                "AWS::OpsWorks::Stack",
                ["CustomCookbooksSource", "Password"] | ["RdsDbInstances", "DbPassword"]
            )
            | (
                "AWS::RDS::DBCluster" | "AWS::RDS::DBInstance" | "AWS::Redshift::Cluster",
                ["MasterUserPassword"]
            )
    )
}

/// Whether a value has references in it.
pub fn present(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::List(items) => items.iter().any(present),
        Value::Map(members) => members.iter().any(|(_, member)| present(member)),
        _ => false,
    }
}

/// A copy of evaluated properties in which every reference is opened: what the resource's service is given. `kind` is the resource's
/// type.
///
/// # Errors
/// What `sources` say; secure parameters where they must not stand; a secret without the key that was asked for.
pub fn resolve(value: &Value, kind: &str, sources: &mut dyn Sources) -> Result<Value> {
    within(value, kind, &mut String::new(), sources)
}

fn within(value: &Value, kind: &str, path: &mut String, sources: &mut dyn Sources) -> Result<Value> {
    let length = path.len();
    match value {
        Value::String(text) if text.contains(OPEN) => {
            let mut whole = String::new();
            for piece in pieces(text)? {
                match piece {
                    Piece::Text(text) => whole.push_str(text),
                    Piece::Reference(Reference::Ssm { secure: true, .. }) if !takes_secure(kind, path) => {
                        return Err(Fault::validation(format!(
                            "SSM Secure reference is not supported in: [{kind}/Properties{path}]"
                        )));
                    }
                    Piece::Reference(reference) => {
                        let text = opened(&reference, sources)?;
                        if !matches!(reference, Reference::Ssm { secure: false, .. }) {
                            sources.revealed(&text);
                        }
                        whole.push_str(&text);
                    }
                }
            }
            Ok(Value::String(whole))
        }
        Value::List(items) => items
            .iter()
            .map(|item| within(item, kind, path, sources))
            .collect::<Result<_>>()
            .map(Value::List),
        Value::Map(members) => {
            let mut map = Vec::with_capacity(members.len());
            for (name, member) in members {
                path.push('/');
                path.push_str(name);
                map.push((name.clone(), within(member, kind, path, sources)?));
                path.truncate(length);
            }
            Ok(Value::Map(map))
        }
        scalar => Ok(scalar.clone()),
    }
}

fn opened(reference: &Reference<'_>, sources: &mut dyn Sources) -> Result<String> {
    match reference {
        Reference::Ssm {
            name,
            version,
            secure,
        } => {
            let name = match version {
                Some(version) => format!("{name}:{version}"),
                None => (*name).to_owned(),
            };
            if *secure {
                sources.secure_parameter(&name)
            } else {
                sources.parameter(&name)
            }
        }
        Reference::Secret {
            id,
            key,
            stage,
            version,
        } => {
            let whole = sources.secret(id, *stage, *version)?;
            let Some(key) = key else { return Ok(whole) };
            let Ok(map) = Value::from_json(&whole) else {
                return Err(Fault::validation("Could not parse SecretString JSON"));
            };
            map.get(key).and_then(Value::scalar).ok_or_else(|| {
                Fault::validation("Could not find a value associated with JSONKey in SecretString")
            })
        }
    }
}
