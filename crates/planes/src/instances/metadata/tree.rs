//! What an instance may ask for, as folders and files.
//!
//! Invariant: what is not known here (a public address, a signature of AWS's) is absent, not invented.
//!
//! Source: Amazon EC2 User Guide, "Instance metadata categories", "Retrieve security credentials from instance metadata".

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crypto::Secret;
use pipeline::instances::{Attendant, Delivery, InstanceRef, Metadata, Profile};
use serde_json::{Map, Value, json};
use wire::Timestamp;

/// What lies at a path.
pub(super) enum Found {
    Text(Bytes),
    Json(Bytes),
    Binary(Bytes),
    Nothing,
    /// The store's fault, or a bug.
    Failed,
}

/// All that one request can see.
pub(super) struct Tree<'a> {
    pub(super) instance: &'a InstanceRef,
    pub(super) metadata: &'a Metadata,
    pub(super) user_data: Option<&'a Secret>,
    pub(super) attendant: &'a dyn Attendant,
    pub(super) delivery: Delivery,
}

impl Tree<'_> {
    /// What lies at a path below a version.
    pub(super) async fn find(&self, path: &[&str]) -> Found {
        match path {
            [] => {
                let user_data = self.user_data.map(|_| "user-data");
                lines(["dynamic", "meta-data"].into_iter().chain(user_data))
            }
            ["user-data"] => self.user_data.map_or(Found::Nothing, |data| {
                Found::Binary(Bytes::copy_from_slice(data.expose()))
            }),
            ["dynamic"] => lines(["instance-identity/"]),
            ["dynamic", "instance-identity"] => lines(["document"]),
            ["dynamic", "instance-identity", "document"] => {
                Found::Text(self.metadata.identity_document.clone().into())
            }
            ["meta-data", rest @ ..] => self.metadata_at(rest).await,
            _ => Found::Nothing,
        }
    }

    async fn metadata_at(&self, path: &[&str]) -> Found {
        // Only these need to know who the instance is now.
        let profile = match path {
            [] | ["iam", ..] => match self.attendant.profile(self.instance, self.delivery).await {
                Ok(profile) => profile,
                Err(_) => return Found::Failed,
            },
            _ => None,
        };
        match (path, &profile) {
            (["iam", ..], None) => Found::Nothing,
            (["iam", rest @ ..], Some(profile)) => iam(rest, profile),
            (["public-keys"], _) if self.metadata.public_key.is_some() => lines(
                self.metadata
                    .public_key
                    .iter()
                    .map(|(name, _)| format!("0={name}")),
            ),
            _ => {
                let mut files = self.files();
                if profile.is_some() {
                    files.insert("iam/info".to_owned(), String::new());
                }
                look(&files, path)
            }
        }
    }

    /// Every file below `meta-data` but those of `iam`, by its path.
    fn files(&self) -> BTreeMap<String, String> {
        let of = self.metadata;
        let partition = if of.region.starts_with("cn-") {
            ("aws-cn", "amazonaws.com.cn")
        } else if of.region.starts_with("us-gov-") {
            ("aws-us-gov", "amazonaws.com")
        } else {
            ("aws", "amazonaws.com")
        };
        let texts = [
            ("ami-id", of.ami_id.clone()),
            ("ami-launch-index", of.ami_launch_index.to_string()),
            ("hostname", of.local_hostname.clone()),
            ("instance-action", "none".to_owned()),
            ("instance-id", self.instance.instance_id.clone()),
            ("instance-life-cycle", "on-demand".to_owned()),
            ("instance-type", of.instance_type.clone()),
            ("local-hostname", of.local_hostname.clone()),
            ("local-ipv4", of.private_ip.to_string()),
            ("mac", of.mac.clone()),
            ("placement/availability-zone", of.availability_zone.clone()),
            ("placement/availability-zone-id", of.availability_zone_id.clone()),
            ("placement/region", of.region.clone()),
            ("profile", "default-hvm".to_owned()),
            ("reservation-id", of.reservation_id.clone()),
            ("services/domain", partition.1.to_owned()),
            ("services/partition", partition.0.to_owned()),
        ];
        let mut files: BTreeMap<String, String> = texts
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text))
            .collect();
        if let Some((_, line)) = &of.public_key {
            files.insert("public-keys/0/openssh-key".to_owned(), line.clone());
        }
        if of.options.tags {
            for (key, value) in &of.tags {
                files.insert(format!("tags/instance/{key}"), value.clone());
            }
        }
        files
    }
}

/// A file's text, or a folder's list.
fn look(files: &BTreeMap<String, String>, path: &[&str]) -> Found {
    let path = path.join("/");
    if let Some(text) = files.get(&path) {
        return Found::Text(text.clone().into());
    }
    let folder = if path.is_empty() { path } else { path + "/" };
    let below = files
        .range(folder.clone()..)
        .map_while(|(name, _)| name.strip_prefix(&folder));
    let entries: BTreeSet<String> = below
        .map(|rest| match rest.split_once('/') {
            Some((first, _)) => format!("{first}/"),
            None => rest.to_owned(),
        })
        .collect();
    if entries.is_empty() {
        return Found::Nothing;
    }
    lines(entries)
}

fn iam(path: &[&str], profile: &Profile) -> Found {
    match path {
        [] => lines(["info", "security-credentials/"]),
        ["info"] => {
            let mut told = told(profile);
            told.insert("InstanceProfileArn".to_owned(), json!(profile.arn));
            told.insert("InstanceProfileId".to_owned(), json!(profile.id));
            pretty(told)
        }
        ["security-credentials"] => lines(profile.role_name.as_deref()),
        ["security-credentials", name] if profile.role_name.as_deref() == Some(*name) => {
            let mut told = told(profile);
            if let Ok(issued) = &profile.issued {
                let secret = issued.secret_access_key.expose_text();
                let (Ok(secret), Ok(token)) = (secret, issued.session_token.expose_text()) else {
                    return Found::Failed;
                };
                told.insert("Type".to_owned(), json!("AWS-HMAC"));
                told.insert("AccessKeyId".to_owned(), json!(issued.access_key_id));
                told.insert("SecretAccessKey".to_owned(), json!(secret));
                told.insert("Token".to_owned(), json!(token));
                told.insert("Expiration".to_owned(), json!(seconds(issued.expiration)));
            }
            match pretty(told) {
                Found::Json(bytes) => Found::Text(bytes),
                other => other,
            }
        }
        _ => Found::Nothing,
    }
}

/// How things stand with a profile.
fn told(profile: &Profile) -> Map<String, Value> {
    let mut told = Map::new();
    match &profile.issued {
        Ok(_) => told.insert("Code".to_owned(), json!("Success")),
        Err(unissued) => {
            told.insert("Code".to_owned(), json!(unissued.code));
            told.insert("Message".to_owned(), json!(unissued.message))
        }
    };
    told.insert("LastUpdated".to_owned(), json!(seconds(profile.last_updated)));
    told
}

/// `2026-11-22T13:45:00Z`
fn seconds(time: Timestamp) -> String {
    let text = time.iso8601();
    let whole = text.split('.').next().unwrap_or_default().trim_end_matches('Z');
    format!("{whole}Z")
}

fn pretty(value: Map<String, Value>) -> Found {
    serde_json::to_vec_pretty(&Value::Object(value)).map_or(Found::Failed, |bytes| Found::Json(bytes.into()))
}

fn lines(entries: impl IntoIterator<Item = impl Into<String>>) -> Found {
    let entries: Vec<String> = entries.into_iter().map(Into::into).collect();
    Found::Text(entries.join("\n").into())
}
