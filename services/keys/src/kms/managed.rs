//! AWS managed keys: the key that a service encrypts with for an account that names none (S8.13, S8.14). It is made when the service
//! first needs it, bears the alias `alias/aws/SERVICE`, and rotates every year.
//!
//! Invariant: the account sees the key, and uses it through the service alone; nobody changes or deletes it.

use std::collections::{BTreeMap, BTreeSet};

use crypto::kms::MaterialSpec;
use pipeline::{Call, Readiness, Resource, Result};
use wire::{Document, Fault};

use crate::kms::alias::{ALIASES, Alias};
use crate::kms::key::{self, KEYS, Kept, Key, KeyTarget, Origin, State};
use crate::kms::{material, rotation};

/// Makes the AWS managed key of a service whose call for its caller names it, so that no service need know how.
pub static READINESS: Readiness = Readiness {
    service: "kms",
    make: make_named,
};

fn make_named(call: &mut Call<'_>, input: &Document) -> Result<()> {
    let by = call.via().and_then(|by| by.strip_suffix(".amazonaws.com"));
    let named = match input.member("KeyId") {
        Some(Document::String(key)) => key.strip_prefix("alias/aws/"),
        _ => None,
    };
    match (by, named) {
        (Some(by), Some(named)) if by == named => aws_managed(call, named).map(drop),
        _ => Ok(()),
    }
}

/// The ARN of the account's key for a service (`secretsmanager`) in the region of the call. The key is made if there is none yet.
///
/// # Errors
/// The store's and the cryptographic library's.
pub fn aws_managed(call: &mut Call<'_>, service: &str) -> Result<String> {
    let name = format!("alias/aws/{service}");
    let (account, region) = (call.account().to_owned(), call.region().to_owned());
    let place = (account.as_str(), region.as_str(), name.as_str());
    if let Some(alias) = call.get(&ALIASES, &place)? {
        return Ok(key::arn(&region, &account, &alias.target));
    }
    let (id, now) = (call.uuid()?, call.now.0);
    let spec = MaterialSpec::Symmetric;
    let made = material::make(call, &account, &region, &id, spec)?;
    let alias = Alias {
        target: id.clone(),
        created: now,
        updated: now,
    };
    call.put(&ALIASES, &place, alias)?;
    let mut key = Key {
        policy: policy(&account, &region, service)?,
        principals: BTreeMap::new(),
        created: now,
        description: format!("Default key that protects my {service} data when no other key is defined"),
        spec,
        usage: api::kms::KeyUsageType::EncryptDecrypt,
        state: State::Enabled,
        deletion: None,
        tags: BTreeMap::new(),
        aliases: BTreeSet::from([name]),
        rotation: rotation::Rotation::beginning(&made, now),
        material: made,
        origin: Origin::AwsKms,
        imported: Vec::new(),
        set: None,
        window_days: None,
        service: Some(service.to_owned()),
        grants: 0,
        kept: Kept::default(),
        account,
        region,
        id,
    };
    rotation::every_year(call, &mut key)?;
    let arn = key.arn();
    call.mention(arn.clone(), &key.account, KeyTarget::TYPE);
    call.put(&KEYS, &key.row(), key)?;
    Ok(arn)
}

/// Everyone in the account who may use the service uses the key through it, and sees what it is (KMS Developer Guide, "AWS managed
/// keys", and the key policies that services show).
fn policy(account: &str, region: &str, service: &str) -> Result<String> {
    let uses = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ];
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-1"),
        "Statement": [
            {
                "Sid": format!("Allow access through {service} for all principals in the account that are authorized to use it"),
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": uses,
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:ViaService": format!("{service}.{region}.amazonaws.com"),
                    "kms:CallerAccount": account,
                } },
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    });
    serde_json::to_string_pretty(&document).map_err(Fault::internal)
}
