//! Parameter policies: what a parameter's owner wants to happen by itself (Systems Manager User Guide, "Assigning parameter
//! policies in Parameter Store"; S10.7).
//!
//! Invariant: policies that were read are complete and agree with each other, so that planning them cannot fail.

use api::ssm as model;
use api::ssm::fault::{
    incompatible_policy_exception, invalid_policy_attribute_exception, invalid_policy_type_exception,
    policies_limit_exceeded_exception,
};
use pipeline::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::Timestamp;

/// Policies of one parameter.
const POLICIES_MAX: usize = 10;
/// Milliseconds.
const HOUR: i64 = 3_600_000;

/// What a policy does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Rule {
    /// Deletes the parameter at this time (milliseconds since the epoch).
    Expiration(i64),
    /// Tells so many milliseconds before the expiration.
    ExpirationNotification(i64),
    /// Tells so many milliseconds after the last change.
    NoChangeNotification(i64),
}

/// A policy of a parameter.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) rule: Rule,
    /// As the request wrote it.
    pub(crate) text: String,
    /// What it had to do is done.
    pub(crate) finished: bool,
}

impl Policy {
    /// `Expiration`
    pub(crate) const fn kind(&self) -> &'static str {
        match self.rule {
            Rule::Expiration(_) => "Expiration",
            Rule::ExpirationNotification(_) => "ExpirationNotification",
            Rule::NoChangeNotification(_) => "NoChangeNotification",
        }
    }

    /// The policy on the wire.
    pub(crate) fn shown(&self) -> model::ParameterInlinePolicy {
        let status = if self.finished { "Finished" } else { "Pending" };
        model::ParameterInlinePolicy {
            policy_status: Some(status.to_owned()),
            policy_text: Some(self.text.clone()),
            policy_type: Some(self.kind().to_owned()),
        }
    }
}

/// Reads the policies of a request: a JSON array, or `[{}]` for none.
pub(crate) fn read(text: &str, now: Timestamp) -> Result<Vec<Policy>> {
    let malformed =
        || invalid_policy_attribute_exception("Parameter policies must be a JSON array of policies.");
    let Ok(Value::Array(items)) = serde_json::from_str(text) else {
        return Err(malformed());
    };
    if items.len() > POLICIES_MAX {
        return Err(policies_limit_exceeded_exception(format!(
            "A parameter can have {POLICIES_MAX} policies."
        )));
    }
    let mut policies = Vec::new();
    for item in &items {
        let fields = item.as_object().ok_or_else(malformed)?;
        if fields.is_empty() && items.len() == 1 {
            return Ok(Vec::new());
        }
        policies.push(one(item, now)?);
    }
    let of = |kind: &str| policies.iter().filter(|policy| policy.kind() == kind).count();
    if of("Expiration") > 1 {
        return Err(incompatible_policy_exception(
            "A parameter can have one Expiration policy.",
        ));
    }
    if of("Expiration") == 0 && of("ExpirationNotification") > 0 {
        return Err(incompatible_policy_exception(
            "An ExpirationNotification policy needs an Expiration policy.",
        ));
    }
    Ok(policies)
}

fn one(item: &Value, now: Timestamp) -> Result<Policy> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
    let kind = text("/Type").unwrap_or_default();
    let attribute = |name: &str| {
        let message = format!("The {name} of the {kind} policy is missing or not valid.");
        invalid_policy_attribute_exception(message)
    };
    let span = |name: &str| {
        let count = item.pointer(&format!("/Attributes/{name}"));
        let count = count.and_then(|count| {
            count
                .as_str()
                .map_or_else(|| count.as_i64(), |text| text.parse().ok())
        });
        let count = count
            .filter(|count| (1..=100_000).contains(count))
            .ok_or_else(|| attribute(name))?;
        match text("/Attributes/Unit") {
            Some("Days") => Ok(count * 24 * HOUR),
            Some("Hours") => Ok(count * HOUR),
            _ => Err(attribute("Unit")),
        }
    };
    let rule = match kind {
        "Expiration" => {
            let time = text("/Attributes/Timestamp").and_then(instant);
            let time = time
                .filter(|time| *time > now.0)
                .ok_or_else(|| attribute("Timestamp"))?;
            Rule::Expiration(time)
        }
        "ExpirationNotification" => Rule::ExpirationNotification(span("Before")?),
        "NoChangeNotification" => Rule::NoChangeNotification(span("After")?),
        _ => {
            return Err(invalid_policy_type_exception(
                "The policy type is not supported. Parameter Store supports the following policy types: Expiration, \
                 ExpirationNotification, and NoChangeNotification.",
            ));
        }
    };
    if text("/Version") != Some("1.0") {
        return Err(attribute("Version"));
    }
    Ok(Policy {
        rule,
        text: item.to_string(),
        finished: false,
    })
}

/// A point in time, with `Z` or an offset (`ISO_INSTANT`, `ISO_OFFSET_DATE_TIME`), in milliseconds since the epoch.
fn instant(text: &str) -> Option<i64> {
    if let Some(time) = Timestamp::from_iso8601(text) {
        return Some(time.0);
    }
    let sign = text
        .rfind(['+', '-'])
        .filter(|place| *place > "2026-11-22T".len())?;
    let (local, offset) = text.split_at_checked(sign)?;
    let mut parts = offset.get(1..)?.split(':').map(|part| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| digits)
    });
    let hours = parts.next()??;
    let minutes = parts.next().unwrap_or(Some(0))?;
    let seconds = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || hours > 18 || minutes > 59 || seconds > 59 {
        return None;
    }
    let ahead = ((hours * 60 + minutes) * 60 + seconds) * 1000;
    let local = Timestamp::from_iso8601(&format!("{local}Z"))?.0;
    Some(if offset.starts_with('-') {
        local + ahead
    } else {
        local - ahead
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_zone_or_an_offset() {
        let zulu = instant("2026-12-02T21:34:33.000Z").unwrap();
        assert_eq!(instant("2026-12-03T08:04:33.000+10:30:00"), Some(zulu));
        assert_eq!(instant("2026-12-02T19:34:33-02:00"), Some(zulu));
        for wrong in [
            "2026-12-02",
            "2026-12-02T21:34:33",
            "soon",
            "2026-12-02T21:34:33+1",
            "2026-12-02T21:34:33+10:99",
        ] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn policies_are_complete_and_agree() {
        let now = Timestamp(1_795_300_000_000);
        let expiration =
            r#"{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2027-12-02T21:34:33.000Z"}}"#;
        let notice =
            r#"{"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"2","Unit":"Days"}}"#;
        let code = |text: &str| match read(text, now) {
            Ok(policies) => policies.len().to_string(),
            Err(fault) => match fault.code {
                wire::fault::Code::Modeled { code, .. } => code.to_owned(),
                _ => String::new(),
            },
        };
        assert_eq!(code("[{}]"), "0");
        assert_eq!(code(&format!("[{expiration},{notice}]")), "2");
        assert_eq!(code(&format!("[{notice}]")), "IncompatiblePolicyException");
        assert_eq!(
            code(&format!("[{expiration},{expiration}]")),
            "IncompatiblePolicyException"
        );
        let many = [notice; 11].join(",");
        assert_eq!(code(&format!("[{many}]")), "PoliciesLimitExceededException");
        assert_eq!(
            code(&format!("[{}]", notice.replace("Days", "Weeks"))),
            "InvalidPolicyAttributeException"
        );
        assert_eq!(
            code(&format!("[{}]", expiration.replace("2027", "2017"))),
            "InvalidPolicyAttributeException"
        );
        assert_eq!(
            code(&format!("[{}]", notice.replace("ExpirationN", "N"))),
            "InvalidPolicyTypeException"
        );
        assert_eq!(code("{"), "InvalidPolicyAttributeException");
    }
}
