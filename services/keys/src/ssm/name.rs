//! Names of parameters: their rules, their ARNs, and the version or label that a request may add to them (S10.5, S10.8).
//!
//! Invariant: a name that `expect_new` let pass is ASCII without a colon, so that a selector can always be told from it.

use api::ssm::fault::hierarchy_level_limit_exceeded_exception;
use pipeline::{Look, Result};
use wire::Fault;

use crate::ssm::public;

/// Levels of a hierarchy, the parameter's own name included (Systems Manager User Guide, "Requirements and constraints for
/// parameter names").
const LEVELS_MAX: usize = 15;
/// Characters of a name, counted with the ARN before it (Systems Manager API Reference, `PutParameter`).
const LENGTH_MAX: usize = 1011;
/// AWS's words for a name that breaks the rules of `GetParametersByPath`.
const REQUIREMENTS: &str = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
    forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or \
    the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if \
    specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.";
/// AWS's words for a name that breaks the rules of `PutParameter`.
const RULES: &str = "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
    sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_";

/// `arn:aws:ssm:REGION:ACCOUNT:parameter/PATH`: the same for a name with and without the slash that it begins with. Public
/// parameters are no account's.
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    let account = if public::is_public(name) { "" } else { account };
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}")
}

/// Checks the name of a parameter that is to be written. Spaces around it do not count.
pub(crate) fn expect_new<'a>(look: &Look<'_>, text: &'a str) -> Result<&'a str> {
    let name = text.trim_matches(' ');
    let bare = name.strip_prefix('/').unwrap_or(name);
    let reserved = |word: &str| {
        let head = bare.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    if reserved("aws") && bare.contains('/') {
        let message = format!("No access to reserved parameter name: {name}.");
        return Err(Fault::access_denied(message));
    }
    if (reserved("aws") || reserved("ssm")) && !bare.contains('/') {
        let message = "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).";
        return Err(Fault::validation(message));
    }
    let levels = bare.split('/');
    if reserved("ssm") || bare.is_empty() || !levels.clone().all(is_level) {
        return Err(Fault::validation(RULES));
    }
    if bare.contains('/') && !name.starts_with('/') {
        return Err(Fault::validation(
            "Parameter name must be a fully qualified name.",
        ));
    }
    if levels.count() > LEVELS_MAX {
        return Err(hierarchy_level_limit_exceeded_exception(format!(
            "Parameter hierarchy can't exceed {LEVELS_MAX} levels."
        )));
    }
    let length = arn(look.region(), look.account(), name).len();
    if length > LENGTH_MAX {
        return Err(Fault::validation(format!(
            "The ARN of the parameter has {length} characters, and can have {LENGTH_MAX}."
        )));
    }
    Ok(name)
}

fn is_level(level: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !level.is_empty() && level.bytes().all(fits)
}

/// Checks the path of a hierarchy: `/`, `/a/b` or `/a/b/`.
pub(crate) fn expect_path(path: &str) -> Result<()> {
    let inner = path
        .strip_prefix('/')
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    match inner {
        Some("") if path == "/" => Ok(()),
        Some(inner) if inner.split('/').all(is_level) => Ok(()),
        _ => Err(Fault::validation(REQUIREMENTS)),
    }
}

/// What a request says of the version that it wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Selector {
    Newest,
    Version(u64),
    Label(String),
}

/// A parameter as requests to read name it: by name or ARN, and perhaps `:VERSION` or `:LABEL` behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    /// Of the ARN, if it was one.
    pub(crate) account: Option<String>,
    /// Of an ARN, without the slash that may begin the parameter's name.
    pub(crate) name: String,
    /// `:3`, as answers repeat it.
    pub(crate) suffix: Option<String>,
    pub(crate) selector: Selector,
}

impl Reference {
    /// Reads what a request names; `None` for a text that can be no name.
    pub(crate) fn parse(text: &str, region: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let (account, rest) = match text.strip_prefix("arn:aws:ssm:") {
            None => (None, text),
            Some(rest) => {
                let mut parts = rest.splitn(3, ':');
                let (stated, account) = (parts.next()?, parts.next()?);
                if stated != region {
                    return None;
                }
                (
                    Some(account.to_owned()),
                    parts.next()?.strip_prefix("parameter/")?,
                )
            }
        };
        let (name, selector, suffix) = match rest.split_once(':') {
            None => (rest, Selector::Newest, None),
            Some((name, word)) if word.is_empty() || word.contains(':') || name.is_empty() => return None,
            Some((name, word)) => (
                name,
                word.parse()
                    .map_or_else(|_| Selector::Label(word.to_owned()), Selector::Version),
                Some(format!(":{word}")),
            ),
        };
        let bare = name.strip_prefix('/').unwrap_or(name);
        let whole = account.is_none() || !name.starts_with('/');
        (whole && bare.split('/').all(is_level)).then(|| Self {
            account,
            name: name.to_owned(),
            suffix,
            selector,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_names_or_arns_with_a_selector() {
        let read = |text: &str| Reference::parse(text, "us-east-1");
        let plain = read("/a/b").unwrap();
        assert_eq!((plain.name.as_str(), plain.selector), ("/a/b", Selector::Newest));
        let third = read("/a/b:3").unwrap();
        assert_eq!(
            (third.suffix.as_deref(), third.selector),
            (Some(":3"), Selector::Version(3))
        );
        assert_eq!(
            read("a:live").unwrap().selector,
            Selector::Label("live".to_owned())
        );
        let named = read("arn:aws:ssm:us-east-1:111122223333:parameter/a/b:2").unwrap();
        assert_eq!(
            (named.name.as_str(), named.account.as_deref()),
            ("a/b", Some("111122223333"))
        );
        for wrong in [
            "",
            "/",
            "a:",
            "a:b:c",
            "a b",
            "arn:aws:ssm:eu-west-1:111122223333:parameter/a",
            "arn:aws:ssm:x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn paths_begin_with_a_slash_and_may_end_with_one() {
        for right in ["/", "/a", "/a/", "/a/b.c-d_e"] {
            assert!(expect_path(right).is_ok(), "{right}");
        }
        for wrong in ["", "a", "//", "/a//b", "/a b", "/a/*"] {
            assert!(expect_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arns_have_one_slash_before_the_name() {
        let of = |name: &str| arn("us-east-1", "111122223333", name);
        assert_eq!(of("/a/b"), "arn:aws:ssm:us-east-1:111122223333:parameter/a/b");
        assert_eq!(of("a"), of("/a"));
    }
}
