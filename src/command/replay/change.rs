//! The changed policies, by what they are attached to.
//!
//! Invariant: a service or resource control policy stands beside those that AWS attaches by itself (`FullAWSAccess`,
//! `RCPFullAWSAccess`), so that a policy of denials alone denies no more than it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::{Attached, Effect, Policy, PolicyKind};
use serde::Deserialize;

use super::super::policy::file::{Source, refusal, text};
use super::super::policy::judge::{Library, of_file};
use crate::arguments::Replay;
use crate::error::Error;
use crate::seed::document::Place;

const LAYERS_BYTES_MAX: u64 = 1024 * 1024;
const FULL_ACCESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const FULL_ACCESS_TO_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// Policies for what an ARN names; it may have wildcards.
pub(super) type Named = Vec<(String, Attached)>;

/// Every changed policy.
#[derive(Default)]
pub(super) struct Changes {
    /// For users and roles by ARN; for managed policies of the ledger by theirs.
    pub(super) identity: Named,
    pub(super) boundary: Named,
    /// By resource.
    pub(super) resource: Named,
    /// By account, or for all (`*`).
    pub(super) service_control: Named,
    pub(super) resource_control: Named,
    /// What an unchanged identity layer is taken to be for a call that was allowed.
    pub(super) full: Vec<Attached>,
}

/// A file of `--with`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Layers {
    identity: BTreeMap<String, Source>,
    boundary: BTreeMap<String, Source>,
    resource: BTreeMap<String, Source>,
    scp: Vec<Source>,
    rcp: Vec<Source>,
}

impl Changes {
    pub(super) fn of(options: &Replay) -> Result<Self, Error> {
        let mut changes = Self {
            full: vec![full("unchanged", PolicyKind::Identity)?],
            ..Self::default()
        };
        for file in &options.with {
            changes.file(file)?;
        }
        for pair in &options.identity {
            changes
                .identity
                .push(named("--identity", pair, |_| PolicyKind::Identity)?);
        }
        for pair in &options.boundary {
            changes
                .boundary
                .push(named("--boundary", pair, |_| PolicyKind::Boundary)?);
        }
        for pair in &options.resource {
            changes.resource.push(named("--resource", pair, resource_kind)?);
        }
        for given in &options.scp {
            changes
                .service_control
                .push(control(given, PolicyKind::ServiceControl)?);
        }
        for given in &options.rcp {
            changes
                .resource_control
                .push(control(given, PolicyKind::ResourceControl)?);
        }
        if changes.is_empty() {
            let message =
                "nothing is changed: give --identity, --boundary, --scp, --rcp, --resource or --with";
            return Err(Error::Usage(message.to_owned()));
        }
        changes.complete()?;
        Ok(changes)
    }

    fn is_empty(&self) -> bool {
        let lists = [
            &self.identity,
            &self.boundary,
            &self.resource,
            &self.service_control,
            &self.resource_control,
        ];
        lists.iter().all(|list| list.is_empty())
    }

    /// Adds what AWS attaches by itself.
    fn complete(&mut self) -> Result<(), Error> {
        let denials = |named: &Named| {
            let mut statements = named
                .iter()
                .flat_map(|(_, attached)| attached.policy.statements());
            statements.all(|statement| statement.effect() == Effect::Deny)
        };
        if !self.service_control.is_empty() && denials(&self.service_control) {
            let full = full("FullAWSAccess", PolicyKind::ServiceControl)?;
            self.service_control.push(("*".to_owned(), full));
        }
        if !self.resource_control.is_empty() {
            let policy = Policy::parse(FULL_ACCESS_TO_ALL, PolicyKind::Resource);
            let policy = policy.map_err(|error| Error::Pipeline(error.to_string()))?;
            let full = Attached::new(Arc::new(policy), "RCPFullAWSAccess");
            self.resource_control.push(("*".to_owned(), full));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let text = text(path, LAYERS_BYTES_MAX)?;
        let layers: Layers =
            serde_saphyr::from_str_with_options(&text, crate::yaml::options()).map_err(|error| {
                let place = error.location().map_or(Place { line: 1, column: 1 }, Place::from);
                let message = error.without_snippet().to_string();
                refusal(path, place, message.lines().next().unwrap_or_default())
            })?;
        let mut library = Library::new(path);
        for (arn, source) in layers.identity {
            self.identity
                .push((arn, library.parsed(&source, PolicyKind::Identity)?));
        }
        for (arn, source) in layers.boundary {
            self.boundary
                .push((arn, library.parsed(&source, PolicyKind::Boundary)?));
        }
        for (arn, source) in layers.resource {
            let kind = resource_kind(&arn);
            self.resource.push((arn, library.parsed(&source, kind)?));
        }
        for source in layers.scp {
            let read = library.parsed(&source, PolicyKind::ServiceControl)?;
            self.service_control.push(("*".to_owned(), read));
        }
        for source in layers.rcp {
            let read = library.parsed(&source, PolicyKind::ResourceControl)?;
            self.resource_control.push(("*".to_owned(), read));
        }
        Ok(())
    }
}

fn full(origin: &str, kind: PolicyKind) -> Result<Attached, Error> {
    let policy = Policy::parse(FULL_ACCESS, kind).map_err(|error| Error::Pipeline(error.to_string()))?;
    Ok(Attached::new(Arc::new(policy), origin))
}

/// A role's own policy is its trust policy, a key's its key policy.
fn resource_kind(arn: &str) -> PolicyKind {
    let service = arn.split(':').nth(2).unwrap_or_default();
    match service {
        "iam" => PolicyKind::Trust,
        "kms" => PolicyKind::Key,
        _ => PolicyKind::Resource,
    }
}

/// `ARN=FILE`
fn named(option: &str, pair: &str, kind: impl Fn(&str) -> PolicyKind) -> Result<(String, Attached), Error> {
    let parted = pair.split_once('=').filter(|(arn, _)| arn.starts_with("arn:"));
    let (arn, file) = parted.ok_or_else(|| Error::Usage(format!("{option} takes ARN=FILE, not {pair}")))?;
    Ok((arn.to_owned(), of_file(Path::new(file), kind(arn))?))
}

/// `[ACCOUNT=]FILE`
fn control(given: &str, kind: PolicyKind) -> Result<(String, Attached), Error> {
    let twelve = |account: &str| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let (account, file) = match given.split_once('=') {
        Some((account, file)) if twelve(account) => (account, file),
        _ => ("*", given),
    };
    Ok((account.to_owned(), of_file(&PathBuf::from(file), kind)?))
}

/// The policies for an ARN or account.
pub(super) fn find<'a>(named: &'a Named, text: &'a str) -> impl Iterator<Item = &'a Attached> {
    named
        .iter()
        .filter(move |(pattern, _)| glob(pattern.as_bytes(), text.as_bytes()))
        .map(|(_, attached)| attached)
}

/// Whether a text fits a pattern, in which `*` stands for any letters. Its work is bounded by the product of the lengths.
pub(super) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut mark: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                mark = Some((at, place));
                at += 1;
            }
            Some(wanted) if wanted == byte => {
                at += 1;
                place += 1;
            }
            _ => match mark {
                Some((star, from)) => {
                    mark = Some((star, from + 1));
                    at = star + 1;
                    place = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, text, fits) in [
            ("a*c", "abbc", true),
            ("*", "", true),
            ("a*b*c", "axbxb", false),
            ("arn:*:role/x", "arn:aws:iam::1:role/x", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), text.as_bytes()),
                fits,
                "{pattern} {text}"
            );
        }
    }
}
