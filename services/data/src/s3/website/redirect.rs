//! Where a website sends its visitors: all of them, or those whom a routing rule is for.
//!
//! Invariant: rules without an error's code are followed before anything is read, rules with one after the read was refused so; the first
//! that fits counts.
//!
//! Source: S3 User Guide, "Configuring webpage redirects", "Use advanced conditional redirects"; S3 API Reference, "RoutingRule".

use api::s3 as model;
use pipeline::{Turn, Visit};
use wire::sigv4::percent_encode;

/// The redirection of every request.
pub(super) fn all(to: &model::RedirectAllRequestsTo, visit: &Visit<'_>) -> Turn {
    let protocol = protocol(to.protocol, visit);
    let query = if visit.query.is_empty() {
        String::new()
    } else {
        format!("?{}", visit.query)
    };
    Turn::Redirect {
        status: 301,
        location: format!("{protocol}://{}{}{query}", to.host_name, visit.path),
    }
}

/// The redirection of a key by the first rule that fits; `refused` is the status of a read that was refused.
pub(super) fn by_rule(
    site: &model::WebsiteConfiguration,
    visit: &Visit<'_>,
    key: &str,
    refused: Option<u16>,
) -> Option<Turn> {
    let mut rules = site.routing_rules.iter().flatten();
    let rule = rules.find(|rule| fits(rule, key, refused))?;
    let redirect = &rule.redirect;
    let prefix = rule
        .condition
        .as_ref()
        .and_then(|condition| condition.key_prefix_equals.as_deref())
        .unwrap_or_default();
    let to = match (&redirect.replace_key_with, &redirect.replace_key_prefix_with) {
        (Some(whole), _) => whole.clone(),
        (None, Some(front)) => format!("{front}{}", key.strip_prefix(prefix).unwrap_or(key)),
        (None, None) => key.to_owned(),
    };
    let path: Vec<String> = to.split('/').map(percent_encode).collect();
    let host = redirect.host_name.as_deref().unwrap_or(visit.host);
    let protocol = protocol(redirect.protocol, visit);
    let code = redirect.http_redirect_code.as_deref();
    Some(Turn::Redirect {
        status: code.and_then(|code| code.parse().ok()).unwrap_or(301),
        location: format!("{protocol}://{host}/{}", path.join("/")),
    })
}

fn fits(rule: &model::RoutingRule, key: &str, refused: Option<u16>) -> bool {
    let condition = rule.condition.as_ref();
    let code = condition.and_then(|condition| condition.http_error_code_returned_equals.as_deref());
    let prefix = condition.and_then(|condition| condition.key_prefix_equals.as_deref());
    let of_stage = match (refused, code) {
        (None, None) => true,
        (Some(status), Some(code)) => code.parse() == Ok(status),
        (None, Some(_)) | (Some(_), None) => false,
    };
    of_stage && prefix.is_none_or(|prefix| key.starts_with(prefix))
}

pub(super) fn protocol(named: Option<model::Protocol>, visit: &Visit<'_>) -> &'static str {
    match named {
        Some(protocol) => protocol.as_str(),
        None if visit.secure => "https",
        None => "http",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn rule(code: Option<&str>, prefix: Option<&str>, redirect: model::Redirect) -> model::RoutingRule {
        let condition = (code.is_some() || prefix.is_some()).then(|| model::Condition {
            http_error_code_returned_equals: code.map(str::to_owned),
            key_prefix_equals: prefix.map(str::to_owned),
        });
        model::RoutingRule { condition, redirect }
    }

    fn sent(rules: Vec<model::RoutingRule>, key: &str, refused: Option<u16>) -> Option<(u16, String)> {
        let site = model::WebsiteConfiguration {
            routing_rules: Some(rules),
            ..Default::default()
        };
        let headers = HeaderMap::new();
        let visit = Visit {
            bucket: "b",
            method: "GET",
            path: "/",
            query: "",
            host: "b.s3-website.localhost:1",
            secure: false,
            headers: &headers,
        };
        match by_rule(&site, &visit, key, refused)? {
            Turn::Redirect { status, location } => Some((status, location)),
            _ => None,
        }
    }

    #[test]
    fn a_prefix_is_replaced_and_the_rest_of_the_key_stays() {
        let redirect = || model::Redirect {
            replace_key_prefix_with: Some("documents/".to_owned()),
            ..Default::default()
        };
        let rules = || vec![rule(None, Some("docs/"), redirect())];
        let location = "http://b.s3-website.localhost:1/documents/a%20b/c".to_owned();
        assert_eq!(sent(rules(), "docs/a b/c", None), Some((301, location)));
        assert_eq!(sent(rules(), "doc", None), None);
        assert_eq!(
            sent(rules(), "docs/a", Some(404)),
            None,
            "it was followed before the read"
        );
    }

    #[test]
    fn an_error_sends_elsewhere_only_once_it_happened() {
        let redirect = model::Redirect {
            host_name: Some("other.example.com".to_owned()),
            protocol: Some(model::Protocol::Https),
            http_redirect_code: Some("302".to_owned()),
            replace_key_with: Some("lost.html".to_owned()),
            replace_key_prefix_with: None,
        };
        let rules = || vec![rule(Some("404"), Some("images/"), redirect.clone())];
        assert_eq!(sent(rules(), "images/x", None), None);
        assert_eq!(sent(rules(), "images/x", Some(403)), None);
        let location = "https://other.example.com/lost.html".to_owned();
        assert_eq!(sent(rules(), "images/x", Some(404)), Some((302, location)));
    }
}
