//! What has a published form: AWS's access keys, the tokens of other issuers, and passwords in URLs.
//!
//! Invariant: one pass of one expression finds where to look closer, so that a disk without findings is read at the speed of that pass.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::rule::{self, Rule};
use super::{Sighting, entropy};

/// How far from an access key's id its secret is looked for, in bytes.
const NEAR: usize = 400;

/// A form, its rule and what may be shown of it.
struct Form {
    rule: &'static Rule,
    /// The published prefix.
    shown: &'static str,
    /// The expression of the whole, which begins with a literal.
    pattern: &'static str,
}

const fn form(rule: &'static Rule, shown: &'static str, pattern: &'static str) -> Form {
    Form { rule, shown, pattern }
}

/// Tokens that begin with a word of their issuer's, by the issuers' pages on their formats.
static FORMS: [Form; 25] = [
    form(&rule::GITHUB, "ghp_", "ghp_[A-Za-z0-9]{36}"),
    form(&rule::GITHUB, "gho_", "gho_[A-Za-z0-9]{36}"),
    form(&rule::GITHUB, "ghu_", "ghu_[A-Za-z0-9]{36}"),
    form(&rule::GITHUB, "ghs_", "ghs_[A-Za-z0-9]{36}"),
    form(&rule::GITHUB, "ghr_", "ghr_[A-Za-z0-9]{36}"),
    form(
        &rule::GITHUB,
        "github_pat_",
        "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    ),
    form(&rule::GITLAB, "glpat-", "glpat-[A-Za-z0-9_-]{20,}"),
    form(&rule::SLACK, "xoxb-", "xoxb-[0-9]{8,}-[A-Za-z0-9-]{20,}"),
    form(&rule::SLACK, "xoxp-", "xoxp-[0-9]{8,}-[A-Za-z0-9-]{20,}"),
    form(&rule::SLACK, "xoxa-", "xoxa-[0-9A-Za-z-]{20,}"),
    form(
        &rule::SLACK,
        "xapp-",
        "xapp-[0-9]-[A-Z0-9]{8,}-[0-9]{8,}-[a-z0-9]{32,}",
    ),
    form(
        &rule::SLACK,
        "https://hooks.slack.com/services/",
        "https://hooks\\.slack\\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{24}",
    ),
    form(&rule::STRIPE, "sk_live_", "sk_live_[A-Za-z0-9]{24,}"),
    form(&rule::STRIPE, "rk_live_", "rk_live_[A-Za-z0-9]{24,}"),
    form(&rule::GOOGLE, "AIza", "AIza[A-Za-z0-9_-]{35}"),
    form(&rule::GOOGLE, "GOCSPX-", "GOCSPX-[A-Za-z0-9_-]{28}"),
    form(&rule::PACKAGES, "npm_", "npm_[A-Za-z0-9]{36}"),
    form(&rule::PACKAGES, "pypi-", "pypi-AgE[A-Za-z0-9_-]{60,}"),
    form(&rule::PACKAGES, "rubygems_", "rubygems_[a-f0-9]{48}"),
    form(&rule::PACKAGES, "hf_", "hf_[A-Za-z]{34}"),
    form(&rule::MAIL, "SG.", "SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}"),
    form(&rule::AZURE, "AccountKey=", "AccountKey=[A-Za-z0-9+/]{86}=="),
    form(&rule::VAULT, "hvs.", "hvs\\.[A-Za-z0-9_-]{24,}"),
    form(&rule::HOSTING, "dop_v1_", "dop_v1_[a-f0-9]{64}"),
    form(&rule::ACCESS_KEY_ID, "A", "A(?:KIA|SIA)[A-Z0-9]{16}"),
];

/// Every form beside the next, so that one pass looks for all of them; what it was follows from how it begins.
static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns: Vec<&str> = FORMS.iter().map(|form| form.pattern).collect();
    Regex::new(&format!("(?-u)(?:{})", patterns.join("|"))).ok()
});

/// What is assigned to a name of AWS's: its secret access key, or its session token.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "(?:(?i:secret_?access_?key)|(?i:aws_?secret_?key)|(?i:session_?token))";
    let pattern = format!("(?-u){names}[\"']?[ \\t]*(?:=|:|=>|,)[ \\t]*[\"']?([A-Za-z0-9/+=]{{40,2048}})");
    Regex::new(&pattern).ok()
});

/// A password in a URL.
static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let schemes = "https?|postgres|postgresql|mysql|mongodb|mongodb\\+srv|redis|rediss|amqp|amqps|ftp|sftp|smtp|smtps|ldap|ldaps";
    Regex::new(&format!(
        "(?-u)\\b({schemes})://[A-Za-z0-9._~%+-]{{0,128}}:([^\\s:/@\"'<>\\x00-\\x1f\\x7f-\\xff]{{4,256}})@[A-Za-z0-9\\[]"
    ))
    .ok()
});

/// 40 characters of Base64.
static FORTY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("(?-u)[A-Za-z0-9/+=]{40,}").ok());

/// What is found in a window.
pub(super) fn sightings(window: &[u8]) -> Vec<Sighting> {
    let mut found = Vec::new();
    issued(window, &mut found);
    assigned(window, &mut found);
    urls(window, &mut found);
    found
}

/// Whether a text stands by itself, and is not the middle of a longer word.
fn is_apart(window: &[u8], from: usize, to: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let before = from.checked_sub(1).and_then(|at| window.get(at));
    !word(before) && !word(window.get(to))
}

fn issued(window: &[u8], found: &mut Vec<Sighting>) {
    let Some(any) = ANY.as_ref() else { return };
    for hit in any.find_iter(window) {
        let text = hit.as_bytes();
        let form = FORMS.iter().find(|form| text.starts_with(form.shown.as_bytes()));
        let Some(form) = form.filter(|_| is_apart(window, hit.start(), hit.end())) else {
            continue;
        };
        if entropy::is_example(text) {
            continue;
        }
        if std::ptr::eq(form.rule, &raw const rule::ACCESS_KEY_ID) {
            found.extend(access_key(window, hit.start(), text));
            continue;
        }
        let random = text.get(form.shown.len()..).unwrap_or_default();
        if entropy::bits(random) < 2.8 {
            continue;
        }
        let excerpt = format!("{}… ({} characters)", form.shown, text.len());
        found.push(Sighting::new(form.rule, hit.start(), excerpt));
    }
}

/// An access key by its id: grave if what may be its secret is near.
fn access_key(window: &[u8], at: usize, id: &[u8]) -> Option<Sighting> {
    let id = std::str::from_utf8(id).ok()?.to_owned();
    // Ids are drawn; a constant in capitals is none.
    if entropy::bits(id.as_bytes()) < 2.8 {
        return None;
    }
    let to = window.len().min(at + id.len() + NEAR);
    let near = window.get(at.saturating_sub(NEAR)..to).unwrap_or_default();
    let secret = FORTY.as_ref().is_some_and(|forty| {
        let mut runs = forty.find_iter(near);
        runs.any(|run| run.len() == 40 && entropy::is_secret_access_key(run.as_bytes()))
    });
    let mut sighting = if secret {
        Sighting::new(
            &rule::ACCESS_KEY,
            at,
            format!("{id} with a secret access key beside it"),
        )
    } else {
        Sighting::new(&rule::ACCESS_KEY_ID, at, id.clone())
    };
    sighting.access_key_id = Some(id);
    Some(sighting)
}

fn assigned(window: &[u8], found: &mut Vec<Sighting>) {
    let Some(assigned) = ASSIGNED.as_ref() else { return };
    for hit in assigned.captures_iter(window) {
        let (Some(whole), Some(value)) = (hit.get(0), hit.get(1)) else {
            continue;
        };
        let bytes = value.as_bytes();
        let token = whole.as_bytes().to_ascii_lowercase().starts_with(b"session");
        if entropy::is_example(bytes) {
            continue;
        }
        let near = |sighting: &Sighting| {
            std::ptr::eq(sighting.rule, &raw const rule::ACCESS_KEY)
                && sighting.at.abs_diff(value.start()) <= NEAR + 40
        };
        if token && bytes.len() >= 100 && entropy::bits(bytes) >= 4.0 {
            let excerpt = format!("a session token of {} characters", bytes.len());
            found.push(Sighting::new(&rule::SESSION_TOKEN, whole.start(), excerpt));
        } else if !token
            && bytes.len() == 40
            && entropy::is_secret_access_key(bytes)
            && !found.iter().any(near)
        {
            let excerpt = "a secret access key of 40 characters";
            found.push(Sighting::new(&rule::SECRET_ACCESS_KEY, whole.start(), excerpt));
        }
    }
}

fn urls(window: &[u8], found: &mut Vec<Sighting>) {
    let Some(url) = URL.as_ref() else { return };
    for hit in url.captures_iter(window) {
        let (Some(whole), Some(scheme), Some(password)) = (hit.get(0), hit.get(1), hit.get(2)) else {
            continue;
        };
        if entropy::is_placeholder(password.as_bytes()) || entropy::bits(password.as_bytes()) < 2.0 {
            continue;
        }
        let scheme = String::from_utf8_lossy(scheme.as_bytes()).into_owned();
        let excerpt = format!("{scheme}://… with a password of {} characters", password.len());
        found.push(Sighting::new(&rule::URL_PASSWORD, whole.start(), excerpt));
    }
}
