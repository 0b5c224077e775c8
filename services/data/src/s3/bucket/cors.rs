//! Which pages of other origins may use a bucket from a browser.
//!
//! Source: S3 User Guide, "Using cross-origin resource sharing (CORS)"; S3 API Reference, "PutBucketCors".

use api::s3 as model;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use pipeline::{Access, CrossOrigin, Look, OriginRules, Owned, Result, Sharing};
use wire::Fault;
use wire::typed::Empty;

use super::{BUCKETS, Bucket, Configured, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_request, malformed_xml, text};

const PUT: Access = Access::write("s3:PutBucketCORS");
const RULES_MAX: usize = 100;
const ID_MAX: usize = 255;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

fn check(rules: &[model::CORSRule]) -> Result<()> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(malformed_xml());
    }
    for rule in rules {
        if rule.id.as_ref().is_some_and(|id| id.chars().count() > ID_MAX) {
            return Err(malformed_xml());
        }
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(malformed_xml());
        }
        for method in &rule.allowed_methods {
            if !METHODS.contains(&method.as_str()) {
                return Err(invalid_request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )));
            }
        }
        for origin in &rule.allowed_origins {
            if origin.matches('*').count() > 1 {
                return Err(invalid_request(format!(
                    "AllowedOrigin \"{origin}\" can not have more than one wildcard."
                )));
            }
        }
        for header in rule.allowed_headers.iter().flatten() {
            if header.matches('*').count() > 1 {
                return Err(invalid_request(format!(
                    "AllowedHeader \"{header}\" can not have more than one wildcard."
                )));
            }
        }
        for header in rule.expose_headers.iter().flatten() {
            if header.contains('*') {
                return Err(invalid_request(format!(
                    "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
                )));
            }
        }
    }
    Ok(())
}

on_bucket! {
    /// Shows which origins a bucket lets in.
    GetBucketCors(model::GetBucketCorsRequest) -> model::GetBucketCorsOutput, Access::read("s3:GetBucketCORS"), entrance;
    |call, bucket, _input| {
        let found: Option<model::CORSConfiguration> = configuration::read(call, &bucket, Configured::Cors, "")?;
        let Some(found) = found else {
            return Err(Fault::plain(
                "NoSuchCORSConfiguration",
                404,
                "The CORS configuration does not exist",
            )
            .with("BucketName", text(&bucket.name)));
        };
        Ok(model::GetBucketCorsOutput {
            cors_rules: Some(found.cors_rules),
        })
    }
}

on_bucket! {
    /// Says which origins a bucket lets in.
    PutBucketCors(model::PutBucketCorsRequest) -> Empty, PUT;
    |call, bucket, input| {
        check(&input.cors_configuration.cors_rules)?;
        let bucket = to_change(&bucket);
        configuration::put(call, bucket, Configured::Cors, "", "CORSConfiguration", input.cors_configuration)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Lets no other origin in.
    DeleteBucketCors(model::DeleteBucketCorsRequest) -> Empty, PUT;
    |call, bucket, _input| {
        let bucket = to_change(&bucket);
        configuration::delete(call, bucket, Configured::Cors, "")?;
        Ok(Empty)
    }
}

/// What buckets let pages of other origins do.
pub static ORIGINS: OriginRules = OriginRules { service: "s3", share };

fn share(look: &mut Look<'_>, asked: &CrossOrigin<'_>) -> Result<(Option<Owned>, Sharing)> {
    let Some(bucket) = look.get(&BUCKETS, asked.bucket)? else {
        return Ok((None, Sharing::Unsaid));
    };
    let owned = Owned {
        account: bucket.account.clone(),
        region: bucket.region.clone(),
    };
    Ok((Some(owned), shared(look, &bucket, asked)?))
}

fn shared(look: &mut Look<'_>, bucket: &Bucket, asked: &CrossOrigin<'_>) -> Result<Sharing> {
    let found: Option<model::CORSConfiguration> = configuration::read(look, bucket, Configured::Cors, "")?;
    let Some(found) = found else {
        return Ok(Sharing::Unsaid);
    };
    let Some(rule) = matching(&found.cors_rules, asked.origin, asked.method, &asked.headers) else {
        return Ok(Sharing::Refused);
    };
    // A rule for everyone says so; any other names the origin, for which credentials may be sent.
    let everyone = rule.allowed_origins.iter().any(|origin| origin == "*");
    let mut headers = vec![(
        ACCESS_CONTROL_ALLOW_ORIGIN,
        if everyone {
            "*".to_owned()
        } else {
            asked.origin.to_owned()
        },
    )];
    if !everyone {
        headers.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned()));
    }
    headers.push((ACCESS_CONTROL_ALLOW_METHODS, rule.allowed_methods.join(", ")));
    if !asked.headers.is_empty() {
        headers.push((ACCESS_CONTROL_ALLOW_HEADERS, asked.headers.join(", ")));
    }
    if let Some(exposed) = rule.expose_headers.as_ref().filter(|exposed| !exposed.is_empty()) {
        headers.push((ACCESS_CONTROL_EXPOSE_HEADERS, exposed.join(", ")));
    }
    if let Some(seconds) = rule.max_age_seconds {
        headers.push((ACCESS_CONTROL_MAX_AGE, seconds.to_string()));
    }
    Ok(Sharing::Granted(headers))
}

/// The rule that lets a page of `origin` use `method`, with all the headers that it asks for in advance (S3 User Guide, "How does Amazon
/// S3 evaluate the CORS configuration on a bucket?").
pub fn matching<'c>(
    rules: &'c [model::CORSRule],
    origin: &str,
    method: &str,
    headers: &[String],
) -> Option<&'c model::CORSRule> {
    rules.iter().find(|rule| {
        let origins = rule
            .allowed_origins
            .iter()
            .any(|allowed| fits(allowed, origin, false));
        let methods = rule.allowed_methods.iter().any(|allowed| allowed == method);
        let all = headers.iter().all(|header| {
            let mut allowed = rule.allowed_headers.iter().flatten();
            allowed.any(|allowed| fits(allowed, header, true))
        });
        origins && methods && all
    })
}

/// Whether a name fits a pattern with one wildcard at most.
fn fits(pattern: &str, name: &str, fold: bool) -> bool {
    let (pattern, name) = if fold {
        (pattern.to_ascii_lowercase(), name.to_ascii_lowercase())
    } else {
        (pattern.to_owned(), name.to_owned())
    };
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_in_every_respect_counts() {
        let rule = |origin: &str, method: &str, header: &str| model::CORSRule {
            allowed_headers: Some(vec![header.to_owned()]),
            allowed_methods: vec![method.to_owned()],
            allowed_origins: vec![origin.to_owned()],
            ..Default::default()
        };
        let rules = [
            rule("https://*.example.com", "PUT", "x-amz-*"),
            rule("*", "GET", "*"),
        ];
        let at = |origin, method, headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
            let found = matching(&rules, origin, method, &headers)?;
            rules.iter().position(|rule| std::ptr::eq(rule, found))
        };
        assert_eq!(at("https://a.example.com", "PUT", &["X-Amz-Acl"]), Some(0));
        assert_eq!(at("https://a.example.com", "PUT", &["content-type"]), None);
        assert_eq!(at("https://example.com", "PUT", &[]), None);
        assert_eq!(at("null", "GET", &["anything"]), Some(1));
        assert_eq!(at("https://a.example.com", "DELETE", &[]), None);
    }
}
