//! Parameters of the data type `aws:ec2:image`: the answer comes first, and the parameter only once its value was found to be the
//! id of an image (Systems Manager User Guide, "Using native parameter support in Parameter Store for Amazon Machine Image IDs").
//!
//! Invariant: a version whose value was not found right is never written, and an event tells so.

use std::collections::BTreeMap;

use pipeline::{Access, Call, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::fault::{Code, Common};
use wire::{Document, Fault};

use crate::ssm::parameter::{Named, Version};
use crate::ssm::put;

/// The data type.
pub(crate) const DATA_TYPE: &str = "aws:ec2:image";
/// What the caller must be allowed beside the parameter.
pub(crate) const DESCRIBE_IMAGES: Access = Access::list("ec2:DescribeImages");
/// The job that ends a validation.
pub(crate) const VALIDATION: &str = "ssm.ImageValidation";
/// Who asks EC2 in the caller's name.
const SERVICE: &str = "ssm.amazonaws.com";
/// AWS's word for a value that no image bears.
const UNKNOWN: &str = "Unable to Describe Resource";

/// A version that waits for its validation.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Draft {
    name: String,
    version: Version,
    tags: BTreeMap<String, String>,
    /// The newest version when the request came.
    base: Option<u64>,
    /// Why the value is no image's.
    exception: Option<String>,
}

store::record!(Draft, 1);

/// By account, region and a random id.
static DRAFTS: Table<(String, String, String), Draft> = Table::new(0x0245, "ssm.drafts");

/// Whether a text is the id of an image: `ami-` and 8 or 17 hexadecimal digits (EC2 User Guide, "Resource IDs").
fn is_image(text: &str) -> bool {
    text.strip_prefix("ami-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// What is wrong with the value, as the caller sees images. Where there are no images at all, the format alone decides.
fn examine(call: &mut Call<'_>, value: &str) -> Result<Option<String>> {
    if !is_image(value) {
        return Ok(Some(UNKNOWN.to_owned()));
    }
    let ids = Document::List(vec![Document::String(value.to_owned())]);
    let request = Document::Structure(vec![("ImageIds", ids)]);
    match call.invoke(SERVICE, "ec2", "DescribeImages", request) {
        Ok(answer) => {
            let found = matches!(answer.member("Images"), Some(Document::List(images)) if !images.is_empty());
            Ok((!found).then(|| UNKNOWN.to_owned()))
        }
        Err(fault) => match fault.code {
            Code::Common(Common::NotImplemented) => Ok(None),
            Code::Common(Common::AccessDenied) => Err(fault),
            _ => Ok(Some(UNKNOWN.to_owned())),
        },
    }
}

/// Plans the validation of a version, and tells the number that it would get.
pub(crate) fn postpone(
    call: &mut Call<'_>,
    named: &Named,
    mut version: Version,
    value: &str,
    tags: BTreeMap<String, String>,
) -> Result<Version> {
    if version.kind() != api::ssm::ParameterType::String {
        let message =
            format!("The data type {DATA_TYPE} is supported for parameters of the type String only.");
        return Err(Fault::validation(message));
    }
    call.also(DESCRIBE_IMAGES, "*", named.account(), Context::default())?;
    let base = named.present.as_ref().map(|present| present.newest.number);
    version.number = base.unwrap_or_default() + 1;
    let draft = Draft {
        name: named.name.clone(),
        version: version.clone(),
        tags,
        base,
        exception: examine(call, value)?,
    };
    let id = call.uuid()?;
    let row = (call.account().to_owned(), call.region().to_owned(), id.clone());
    call.put(&DRAFTS, &row, draft)?;
    let due = call.now;
    call.schedule(VALIDATION, due, json!({ "draft": id }))?;
    Ok(version)
}

/// Writes the version that was found right; tells in any case, with the members of EventBridge's "Parameter Store Change".
pub(crate) fn settle(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let id = payload.get("draft").and_then(Value::as_str).unwrap_or_default();
    let row = (call.account().to_owned(), call.region().to_owned(), id.to_owned());
    let Some(draft) = call.get(&DRAFTS, &row)? else {
        return Ok(());
    };
    call.delete(&DRAFTS, &row)?;
    let Draft {
        name,
        version,
        tags,
        base,
        exception,
    } = Draft::clone(&draft);
    let named = Named::exactly(call, &name)?;
    let newest = named.present.as_ref().map(|present| present.newest.number);
    let exception = exception.or_else(|| {
        (newest != base).then(|| "The parameter was changed before its validation ended".to_owned())
    });
    call.mention(named.arn(), named.account(), Named::TYPE);
    call.add_event_data("dataType", DATA_TYPE);
    call.add_event_data("name", name);
    call.add_event_data("type", version.kind().as_str());
    call.add_event_data("operation", if base.is_some() { "Update" } else { "Create" });
    match exception {
        Some(exception) => {
            call.add_event_data("exception", exception);
            Ok(())
        }
        None => put::write(call, &named, version, tags).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_image;

    #[test]
    fn image_ids_are_old_or_new() {
        for right in ["ami-1234abcd", "ami-0abcdef1234567890"] {
            assert!(is_image(right), "{right}");
        }
        for wrong in [
            "",
            "ami-",
            "ami-1234abcg",
            "ami-1234ABCD",
            "ami-123456789",
            "i-1234abcd",
            "ami-0abcdef12345678901",
        ] {
            assert!(!is_image(wrong), "{wrong}");
        }
    }
}
