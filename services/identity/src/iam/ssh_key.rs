//! SSH public keys of users, by which CodeCommit knows them (IAM User Guide, "IAM credentials for CodeCommit").
//!
//! Invariant: a user has a key once, in whichever encoding it came.

use api::iam as model;
use api::iam::fault::{
    duplicate_ssh_public_key_exception, invalid_public_key_exception, limit_exceeded_exception,
    no_such_entity_exception, unrecognized_public_key_encoding_exception,
};
use crypto::random::IdPrefix;
use crypto::{SshKeyError, SshPublicKey};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::iam::owned::{self, Place};
use crate::iam::page::Page;
use crate::iam::user::{Holder, holder};

/// Keys that a user may have (AWS General Reference, "IAM endpoints and quotas").
const KEYS_PER_USER_MAX: usize = 5;

/// A key.
#[derive(Clone, Serialize, Deserialize)]
pub struct SshKey {
    /// `APKA…`
    pub id: String,
    /// As answers show it.
    pub user_name: String,
    /// As it was uploaded.
    pub body: String,
    /// MD5 of the key.
    pub fingerprint: String,
    pub active: bool,
    /// Milliseconds since the epoch.
    pub uploaded: i64,
}

store::record!(SshKey, 1);

pub(crate) static SSH_KEYS: Table<Place, SshKey> = Table::new(0x012c, "iam.ssh_keys");

impl SshKey {
    fn shown(&self, body: String) -> model::SSHPublicKey {
        model::SSHPublicKey {
            fingerprint: self.fingerprint.clone(),
            ssh_public_key_body: body,
            ssh_public_key_id: self.id.clone(),
            status: owned::status(self.active),
            upload_date: Some(Timestamp(self.uploaded)),
            user_name: self.user_name.clone(),
        }
    }
}

fn own(look: &mut Look<'_>, holder: &Holder, id: &str) -> Result<SshKey> {
    let key = look.get(&SSH_KEYS, &owned::place(holder, id))?;
    key.map(|key| (*key).clone())
        .ok_or_else(|| no_such_entity_exception(format!("The Public Key with id {id} cannot be found.")))
}

fn read(body: &str) -> Result<SshPublicKey> {
    SshPublicKey::read(body).map_err(|error| match error {
        SshKeyError::Encoding => unrecognized_public_key_encoding_exception(
            "The public key must be encoded in ssh-rsa format or PEM format.",
        ),
        SshKeyError::Key => invalid_public_key_exception(
            "The public key is malformed, or is not an RSA key of at least 2048 bits.",
        ),
    })
}

/// Gives a user a key, which is active at once.
pub struct UploadSSHPublicKey;

impl Operation for UploadSSHPublicKey {
    type Input = model::UploadSSHPublicKeyRequest;
    type Output = model::UploadSSHPublicKeyResponse;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UploadSSHPublicKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let fingerprint = read(&input.ssh_public_key_body)?.fingerprint();
        let account = call.account().to_owned();
        let held = owned::of_holder(call, &SSH_KEYS, &account, &holder.lower())?;
        if held.iter().any(|(_, key)| key.fingerprint == fingerprint) {
            let message = format!(
                "The SSH public key already exists for the user {}.",
                holder.name()
            );
            return Err(duplicate_ssh_public_key_exception(message));
        }
        if held.len() >= KEYS_PER_USER_MAX {
            let message = format!("Cannot exceed quota for SSHPublicKeysPerUser: {KEYS_PER_USER_MAX}");
            return Err(limit_exceeded_exception(message));
        }
        let key = SshKey {
            id: call.unique_id(IdPrefix::PublicKey)?,
            user_name: holder.name().to_owned(),
            body: input.ssh_public_key_body,
            fingerprint,
            active: true,
            uploaded: Timestamp::from_seconds(call.now.seconds()).0,
        };
        let shown = key.shown(key.body.clone());
        call.put(&SSH_KEYS, &owned::place(&holder, &key.id), key)?;
        Ok(model::UploadSSHPublicKeyResponse {
            ssh_public_key: Some(shown),
        })
    }
}

/// Shows a key in the encoding that is asked for.
pub struct GetSSHPublicKey;

impl Operation for GetSSHPublicKey {
    type Input = model::GetSSHPublicKeyRequest;
    type Output = model::GetSSHPublicKeyResponse;
    type Target = Holder;
    const ACCESS: Access = Access::read("iam:GetSSHPublicKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let key = own(call, &holder, &input.ssh_public_key_id)?;
        // It was read when it was uploaded.
        let read = SshPublicKey::read(&key.body)
            .map_err(|_| Fault::internal(format!("the stored SSH key {} does not read", key.id)))?;
        let body = match input.encoding {
            model::EncodingType::Ssh => read.openssh(),
            model::EncodingType::Pem => read.pem(),
        };
        Ok(model::GetSSHPublicKeyResponse {
            ssh_public_key: Some(key.shown(body)),
        })
    }
}

/// Lists a user's keys, or the caller's, without their bodies.
pub struct ListSSHPublicKeys;

impl Operation for ListSSHPublicKeys {
    type Input = model::ListSSHPublicKeysRequest;
    type Output = model::ListSSHPublicKeysResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:ListSSHPublicKeys");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListSSHPublicKeys/{}", holder.lower());
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let account = call.account().to_owned();
        let held = owned::of_holder(call, &SSH_KEYS, &account, &holder.lower())?;
        let paged = page.of_sorted(call, held)?;
        let shown = paged.items.iter().map(|key| model::SSHPublicKeyMetadata {
            ssh_public_key_id: key.id.clone(),
            status: owned::status(key.active),
            upload_date: Timestamp(key.uploaded),
            user_name: key.user_name.clone(),
        });
        Ok(model::ListSSHPublicKeysResponse {
            is_truncated: paged.truncated(),
            ssh_public_keys: Some(shown.collect()),
            marker: paged.marker,
        })
    }
}

/// Turns a key off or on.
pub struct UpdateSSHPublicKey;

impl Operation for UpdateSSHPublicKey {
    type Input = model::UpdateSSHPublicKeyRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UpdateSSHPublicKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let mut key = own(call, &holder, &input.ssh_public_key_id)?;
        key.active = owned::activity(input.status)?;
        call.put(&SSH_KEYS, &owned::place(&holder, &key.id), key)?;
        Ok(Empty)
    }
}

/// Takes a key from its user.
pub struct DeleteSSHPublicKey;

impl Operation for DeleteSSHPublicKey {
    type Input = model::DeleteSSHPublicKeyRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeleteSSHPublicKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let key = own(call, &holder, &input.ssh_public_key_id)?;
        call.delete(&SSH_KEYS, &owned::place(&holder, &key.id))?;
        Ok(Empty)
    }
}
