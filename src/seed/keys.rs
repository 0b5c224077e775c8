//! Access keys of the file's users: those that it gives, and those that it asks for, which a file of their own keeps.
//!
//! Invariant: a generated secret is written where its owner alone reads it, before the next one is made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipeline::Gateway;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::document::place;
use super::file::{SeedFile, User};
use super::problem::{Spot, Stop};
use super::root::Root;
use crate::error::Error;
use crate::folder::{self, Folder};

/// In the data folder.
const FILE: &str = "seed-credentials.json";

/// A generated key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Generated {
    access_key_id: String,
    secret_access_key: String,
}

/// The generated keys, by account and user, in the order of the file's entries.
struct Credentials {
    path: PathBuf,
    held: BTreeMap<String, BTreeMap<String, Vec<Generated>>>,
}

impl Credentials {
    fn read(folder: &Folder) -> Result<Self, Error> {
        let path = folder.path().join(FILE);
        let held = match folder::read(&path)?.map(Zeroizing::new) {
            None => BTreeMap::new(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                // The error's own words could quote a secret; its place says enough.
                let reason = format!(
                    "it is not what was written, at line {}, column {}",
                    error.line(),
                    error.column()
                );
                Error::Content {
                    path: path.clone(),
                    reason,
                }
            })?,
        };
        Ok(Self { path, held })
    }

    fn write(&self) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec_pretty(&self.held).map_err(|error| Error::Pipeline(error.to_string()))?;
        folder::write(&self.path, &Zeroizing::new(bytes))
    }

    fn of(&mut self, account: &str, user: &str) -> &mut Vec<Generated> {
        self.held
            .entry(account.to_owned())
            .or_default()
            .entry(user.to_owned())
            .or_default()
    }
}

/// Settles the access keys of all users.
pub(super) async fn settle(gateway: &Gateway, folder: &Folder, file: &SeedFile) -> Result<(), Stop> {
    let mut credentials = Credentials::read(folder)?;
    for item in &file.accounts {
        let account = &item.value;
        for (user, bearer) in account.user_bearers() {
            given(gateway, &account.id.value, user, &bearer.spot)?;
            generated(gateway, &mut credentials, &account.id.value, user, &bearer.spot).await?;
        }
    }
    Ok(())
}

fn given(gateway: &Gateway, account: &str, user: &User, spot: &Spot) -> Result<(), Stop> {
    for item in &user.access_keys {
        let key = &item.value;
        let (Some(id), Some(secret)) = (&key.id, &key.secret) else {
            continue;
        };
        let ensured = gateway.system("us-east-1", |call| {
            identity::iam::bootstrap::ensure_access_key(call, account, &user.name, id, secret, key.active)
        });
        ensured.map_err(|fault| spot.at(place(item)).fault(&fault))?;
    }
    Ok(())
}

async fn generated(
    gateway: &Gateway,
    credentials: &mut Credentials,
    account: &str,
    user: &User,
    spot: &Spot,
) -> Result<(), Stop> {
    let wanted: Vec<_> = user
        .access_keys
        .iter()
        .filter(|item| item.value.generate)
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let root = Root::of(gateway, account);
    let listed = root.call("ListAccessKeys", json!({"UserName": user.name})).await;
    let listed = listed.map_err(|fault| spot.fault(&fault))?;
    let listed = listed
        .get("AccessKeyMetadata")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let status = |id: &str| {
        let found = listed
            .iter()
            .find(|key| key.get("AccessKeyId").and_then(Value::as_str) == Some(id));
        found.and_then(|key| key.get("Status")).and_then(Value::as_str)
    };
    let held = credentials.of(account, &user.name);
    // What the cloud no longer knows is of no use.
    held.retain(|key| status(&key.access_key_id).is_some());
    for (index, item) in wanted.into_iter().enumerate() {
        let spot = spot.at(place(item));
        let known = credentials
            .of(account, &user.name)
            .get(index)
            .map(|key| key.access_key_id.clone());
        let id = match known {
            Some(id) => id,
            None => {
                let key = make(&root, &user.name, &spot).await?;
                let id = key.access_key_id.clone();
                credentials.of(account, &user.name).push(key);
                credentials.write()?;
                id
            }
        };
        let wanted = if item.value.active { "Active" } else { "Inactive" };
        if status(&id).unwrap_or("Active") != wanted {
            let input = json!({"UserName": user.name, "AccessKeyId": id, "Status": wanted});
            root.output("UpdateAccessKey", &input)
                .await
                .map_err(|fault| spot.fault(&fault))?;
        }
    }
    Ok(())
}

async fn make(root: &Root<'_>, user: &str, spot: &Spot) -> Result<Generated, Stop> {
    let made = root.output("CreateAccessKey", &json!({"UserName": user})).await;
    let made = made.map_err(|fault| spot.fault(&fault))?;
    let member = |name: &str| {
        made.member("AccessKey")
            .and_then(|key| key.member(name))
            .and_then(|text| text.as_str())
    };
    match (member("AccessKeyId"), member("SecretAccessKey")) {
        (Some(id), Some(secret)) => Ok(Generated {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
        }),
        _ => Err(Error::Pipeline("CreateAccessKey answered without a key".to_owned()).into()),
    }
}
