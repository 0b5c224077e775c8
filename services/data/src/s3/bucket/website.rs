//! A bucket as a website: its index and error documents, and where it sends its visitors.
//!
//! Source: S3 API Reference, "PutBucketWebsite".

use api::s3 as model;
use pipeline::{Access, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{Configured, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_argument, invalid_request, malformed_xml, text};

const RULES_MAX: usize = 50;

fn check(asked: &model::WebsiteConfiguration) -> Result<()> {
    if let Some(redirect) = &asked.redirect_all_requests_to {
        if asked.index_document.is_some() || asked.error_document.is_some() || asked.routing_rules.is_some() {
            return Err(invalid_argument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                "RedirectAllRequestsTo",
                "not null",
            ));
        }
        if redirect.host_name.is_empty() {
            return Err(malformed_xml());
        }
        return Ok(());
    }
    let Some(index) = &asked.index_document else {
        return Err(invalid_argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        ));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        return Err(invalid_argument(
            "The IndexDocument Suffix is not well formed",
            "IndexDocument",
            &index.suffix,
        ));
    }
    let rules = asked.routing_rules.as_deref().unwrap_or_default();
    if rules.len() > RULES_MAX {
        return Err(invalid_request(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to 50.",
            rules.len()
        )));
    }
    for rule in rules {
        let redirect = &rule.redirect;
        if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
            return Err(invalid_request(
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
            ));
        }
        let condition = rule.condition.as_ref();
        if condition.is_some_and(|condition| {
            condition.key_prefix_equals.is_none() && condition.http_error_code_returned_equals.is_none()
        }) {
            return Err(invalid_request(
                "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
            ));
        }
        let error = condition.and_then(|condition| condition.http_error_code_returned_equals.as_deref());
        if let Some(error) = error.filter(|code| !is_code(code, b"45")) {
            return Err(invalid_request(format!(
                "The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX."
            )));
        }
        let code = redirect.http_redirect_code.as_deref();
        if code.is_some_and(|code| !is_code(code, b"3") || code == "300") {
            return Err(invalid_request(format!(
                "The provided HTTP redirect code ({}) is not valid. Valid codes are 3XX except 300.",
                code.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// Whether a text is a status code that begins with one of these digits.
fn is_code(code: &str, first: &[u8]) -> bool {
    code.len() == 3
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && code.bytes().next().is_some_and(|digit| first.contains(&digit))
}

on_bucket! {
    /// Shows how a bucket is a website.
    GetBucketWebsite(model::GetBucketWebsiteRequest) -> model::GetBucketWebsiteOutput,
    Access::read("s3:GetBucketWebsite");
    |call, bucket, _input| {
        let found: Option<model::WebsiteConfiguration> =
            configuration::read(call, &bucket, Configured::Website, "")?;
        let Some(found) = found else {
            return Err(Fault::plain(
                "NoSuchWebsiteConfiguration",
                404,
                "The specified bucket does not have a website configuration",
            )
            .with("BucketName", text(&bucket.name)));
        };
        Ok(model::GetBucketWebsiteOutput {
            error_document: found.error_document,
            index_document: found.index_document,
            redirect_all_requests_to: found.redirect_all_requests_to,
            routing_rules: found.routing_rules,
        })
    }
}

on_bucket! {
    /// Makes a bucket a website.
    PutBucketWebsite(model::PutBucketWebsiteRequest) -> Empty, Access::write("s3:PutBucketWebsite");
    |call, bucket, input| {
        check(&input.website_configuration)?;
        let bucket = to_change(&bucket);
        let asked = input.website_configuration;
        configuration::put(call, bucket, Configured::Website, "", "WebsiteConfiguration", asked)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Ends the website.
    DeleteBucketWebsite(model::DeleteBucketWebsiteRequest) -> Empty, Access::write("s3:DeleteBucketWebsite");
    |call, bucket, _input| {
        let bucket = to_change(&bucket);
        configuration::delete(call, bucket, Configured::Website, "")?;
        Ok(Empty)
    }
}
