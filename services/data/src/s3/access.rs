//! Who may reach a bucket and what is in it: its policy, its access control list, and what it keeps from the public, as one policy that
//! the evaluator takes.
//!
//! Invariant: what is blocked from the public is blocked in the policy that is judged, so that `why` shows it.
//!
//! Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", "Mapping of ACL permissions and access policy permissions".

use std::sync::{Arc, OnceLock};

use pipeline::{Look, ResourcePolicies, Result};
use policy::{Attached, Context, Policy, PolicyKind, public};
use serde_json::{Value, json};
use store::Table;
use wire::Fault;

use super::acl::{Acl, Grantee, Permission};
use super::bucket::{Bucket, PublicAccessBlock};

/// An account's own public access block.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct AccountBlock(pub PublicAccessBlock);

store::record!(AccountBlock, 1);

/// By account; absent where nothing is set.
pub static ACCOUNT_BLOCKS: Table<String, AccountBlock> = Table::new(0x0303, "s3.account-blocks");

/// What is costly to make from a row: the policy under each of the two blocks that change it, and as much of each as reaches objects
/// that others own.
#[derive(Default)]
pub(crate) struct Kept([OnceLock<Option<Attached>>; 8]);

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What is kept from the public in a bucket: by its own setting or its account's.
pub fn block(look: &mut Look<'_>, bucket: &Bucket) -> Result<PublicAccessBlock> {
    let account = look.get(&ACCOUNT_BLOCKS, &bucket.account)?;
    let account = account.map(|row| row.0).unwrap_or_default();
    Ok(account.and(bucket.public_access_block.unwrap_or_default()))
}

/// The policies that bear on a bucket itself, and on objects that have no list of their own.
pub fn of_bucket(look: &mut Look<'_>, bucket: &Bucket) -> Result<ResourcePolicies> {
    let block = block(look, bucket)?;
    kept(bucket, block, Reach::Whole)
}

/// How far a bucket's policy reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Whole,
    /// Objects that another account owns: what the bucket's owner denies holds for them, what it allows does not (S3 User Guide, "How
    /// Amazon S3 authorizes a request for an object operation").
    OthersObjects,
}

fn kept(bucket: &Bucket, block: PublicAccessBlock, reach: Reach) -> Result<ResourcePolicies> {
    let at = usize::from(reach == Reach::OthersObjects) * 4
        + usize::from(block.restrict_public_buckets) * 2
        + usize::from(block.ignore_public_acls);
    let Some(kept) = bucket.kept.0.get(at) else {
        return Ok(ResourcePolicies::None);
    };
    let attached = match kept.get() {
        Some(attached) => attached.clone(),
        None => {
            let mut statements = Vec::new();
            if bucket.has_acls() && reach == Reach::Whole {
                granted_on_bucket(bucket, block, &mut statements);
            }
            let made = combined(bucket, block, reach, statements)?;
            kept.get_or_init(|| made).clone()
        }
    };
    Ok(attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
}

/// The policies that bear on an object with a list of its own.
pub fn of_object(look: &mut Look<'_>, bucket: &Bucket, key: &str, acl: &Acl) -> Result<ResourcePolicies> {
    let block = block(look, bucket)?;
    let reach = if !bucket.has_acls() || acl.owner == bucket.account {
        Reach::Whole
    } else {
        Reach::OthersObjects
    };
    if !bucket.has_acls() || acl.is_private() {
        return kept(bucket, block, reach);
    }
    let mut statements = Vec::new();
    if reach == Reach::Whole {
        granted_on_bucket(bucket, block, &mut statements);
    }
    let resource = Value::String(literal(&bucket.object_arn(key)));
    granted(acl, block, &resource, &object_actions, &mut statements);
    let attached = combined(bucket, block, reach, statements)?;
    Ok(attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
}

/// The condition keys of a bucket.
pub fn conditions(bucket: &Bucket, context: &mut Context) {
    context.insert("s3:ResourceAccount", bucket.account.clone());
    if bucket.abac {
        for (key, value) in &bucket.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
            context.insert(format!("s3:BucketTag/{key}"), value.clone());
        }
    }
}

/// Whether a bucket's policy is public (`GetBucketPolicyStatus`).
pub fn is_public(text: &str) -> Result<bool> {
    let parsed = Policy::parse(text, PolicyKind::Resource).map_err(Fault::internal)?;
    Ok(public::is_public(&parsed))
}

/// A name as a policy's pattern that matches it alone.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '$' => {
                out.push_str("${");
                out.push(character);
                out.push('}');
            }
            other => out.push(other),
        }
    }
    out
}

fn granted_on_bucket(bucket: &Bucket, block: PublicAccessBlock, statements: &mut Vec<Value>) {
    let owner = bucket.arn();
    let resource = json!([owner, format!("{owner}/*")]);
    granted(&bucket.acl, block, &resource, &bucket_actions, statements);
}

type Actions = dyn Fn(Permission) -> &'static [&'static str];

/// A list's grants as statements. The owner's own are left out: an owner needs no list.
fn granted(
    acl: &Acl,
    block: PublicAccessBlock,
    resource: &Value,
    actions: &Actions,
    statements: &mut Vec<Value>,
) {
    for grant in &acl.grants {
        let (principal, condition) = match &grant.grantee {
            Grantee::Account(account) => (json!({"AWS": format!("arn:aws:iam::{account}:root")}), json!({})),
            Grantee::AllUsers | Grantee::AuthenticatedUsers if block.ignore_public_acls => continue,
            Grantee::AllUsers => (json!("*"), json!({})),
            Grantee::AuthenticatedUsers => (
                json!("*"),
                json!({"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}),
            ),
            Grantee::LogDelivery => (json!({"Service": "logging.s3.amazonaws.com"}), json!({})),
        };
        let actions = actions(grant.permission);
        if !actions.is_empty() {
            statements.push(json!({
                "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resource, "Condition": condition,
            }));
        }
    }
}

fn bucket_actions(permission: Permission) -> &'static [&'static str] {
    match permission {
        Permission::Read => &[
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
        ],
        Permission::Write => &["s3:PutObject"],
        Permission::ReadAcp => &["s3:GetBucketAcl"],
        Permission::WriteAcp => &["s3:PutBucketAcl"],
        Permission::FullControl => &[
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
            "s3:PutObject",
            "s3:GetBucketAcl",
            "s3:PutBucketAcl",
        ],
    }
}

fn object_actions(permission: Permission) -> &'static [&'static str] {
    match permission {
        Permission::Read => &["s3:GetObject", "s3:GetObjectVersion"],
        Permission::Write => &[],
        Permission::ReadAcp => &["s3:GetObjectAcl", "s3:GetObjectVersionAcl"],
        Permission::WriteAcp => &["s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
        Permission::FullControl => &[
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:GetObjectAcl",
            "s3:GetObjectVersionAcl",
            "s3:PutObjectAcl",
            "s3:PutObjectVersionAcl",
        ],
    }
}

/// The bucket's policy with more statements, and with the fence of `RestrictPublicBuckets` where it stands.
fn combined(
    bucket: &Bucket,
    block: PublicAccessBlock,
    reach: Reach,
    mut statements: Vec<Value>,
) -> Result<Option<Attached>> {
    let origin = || format!("the bucket policy of {}", bucket.name);
    let fenced = match &bucket.policy {
        Some(text) => block.restrict_public_buckets && is_public(text)?,
        None => false,
    };
    if fenced {
        statements.push(fence(bucket));
    }
    let text = match (&bucket.policy, statements.is_empty()) {
        (None, true) => return Ok(None),
        (Some(text), true) if reach == Reach::Whole => text.clone(),
        (None, false) => json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
        (Some(text), _) => {
            let mut whole: Value = serde_json::from_str(text).map_err(Fault::internal)?;
            if let Some(members) = whole.as_object_mut() {
                let own = members.remove("Statement").unwrap_or_default();
                let mut all = match own {
                    Value::Array(list) => list,
                    one => vec![one],
                };
                all.retain(|statement| {
                    reach == Reach::Whole || statement.get("Effect").and_then(Value::as_str) == Some("Deny")
                });
                all.append(&mut statements);
                if all.is_empty() {
                    return Ok(None);
                }
                members.insert("Statement".to_owned(), Value::Array(all));
                // Statements of ours are written in the newer language, which says no less than the older of what others wrote.
            }
            whole.to_string()
        }
    };
    let parsed = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
    Ok(Some(Attached::new(Arc::new(parsed), origin())))
}

/// Of a bucket whose policy is public, nothing is for strangers: services of AWS and the owner's own account come in.
fn fence(bucket: &Bucket) -> Value {
    let arn = bucket.arn();
    json!({
        "Sid": "RestrictPublicBuckets", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, format!("{arn}/*")],
        "Condition": {
            "StringNotEquals": {"aws:PrincipalAccount": bucket.account},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    })
}
