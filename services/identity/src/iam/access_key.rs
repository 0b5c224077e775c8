//! Access keys: the long-term credentials of users and of the root user (S3.1–S3.9).
//!
//! Invariant: the secret leaves once, in the answer to `CreateAccessKey`; at rest it is sealed to its row, and no operation
//! reads it back (S3.4).

use api::iam as model;
use api::iam::fault::{limit_exceeded_exception, no_such_entity_exception};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::iam::index::Present;
use crate::iam::page::Page;
use crate::iam::user::{self, Holder, holder};

/// Two, so that a key can be rotated without a gap (S3.5).
pub(crate) const KEYS_PER_USER_MAX: usize = 2;

/// Keys read of one holder. Operators may give root more keys than its two, and none of them may be out of its sight.
const KEYS_READ_MAX: usize = 1000;

/// The table's name, to which secrets are sealed.
const SEALED_IN: &str = "iam.access_keys";

/// Whose key it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    Root,
    /// The lower-case name.
    User(String),
}

/// A long-term access key.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    pub account: String,
    pub owner: Owner,
    /// As answers show it.
    pub user_name: String,
    /// Sealed, in Base64.
    pub(super) secret: String,
    pub active: bool,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// When it was last turned on or off, in milliseconds since the epoch.
    #[serde(default)]
    pub changed: Option<i64>,
    pub last_used: Option<LastUsed>,
    /// Whether the operator chose it for the root user by an option, which may name another one day.
    #[serde(default)]
    pub(super) given: bool,
}

/// The last use that was noted.
#[derive(Clone, Serialize, Deserialize)]
pub struct LastUsed {
    /// Milliseconds since the epoch.
    pub at: i64,
    pub service: String,
    pub region: String,
}

store::record!(AccessKey, 1);

/// By key id, over all accounts.
pub static ACCESS_KEYS: Table<String, AccessKey> = Table::new(0x0107, SEALED_IN);

/// By account, lower-case user (empty for root) and key id.
static KEYS_OF: Table<(String, String, String), Present> = Table::new(0x0109, "iam.keys_of");

impl AccessKey {
    /// Opens the secret, to verify a signature with.
    pub(crate) fn open(&self, look: &Look<'_>) -> Result<Secret> {
        let sealed = STANDARD.decode(&self.secret).map_err(Fault::internal)?;
        look.open(SEALED_IN, self.id.as_bytes(), &sealed)
    }

    /// The lower-case name of the user who owns it; none for the root user.
    pub(crate) fn owner_name(&self) -> Option<&str> {
        match &self.owner {
            Owner::Root => None,
            Owner::User(name) => Some(name),
        }
    }

    /// Whether the holder of the lower-case name owns it.
    fn is_of(&self, account: &str, lower: &str) -> bool {
        self.owner_name().unwrap_or_default() == lower && self.account == account
    }

    fn status(&self) -> model::StatusType {
        if self.active {
            model::StatusType::Active
        } else {
            model::StatusType::Inactive
        }
    }
}

/// Ids of the keys of a user, or of the root user if `lower` is empty.
pub(crate) fn of_holder(look: &mut Look<'_>, account: &str, lower: &str) -> Result<Vec<String>> {
    let rows = look.range(&KEYS_OF, &(account, lower), None, KEYS_READ_MAX)?;
    Ok(rows.into_iter().map(|((_, _, id), _)| id).collect())
}

/// Writes a new key and the row that finds it by its holder.
pub(crate) fn store(
    call: &mut Call<'_>,
    id: &str,
    secret: &Secret,
    account: &str,
    owner: Owner,
    user_name: &str,
) -> Result<()> {
    let lower = match &owner {
        Owner::Root => String::new(),
        Owner::User(lower) => lower.clone(),
    };
    let sealed = call.seal(SEALED_IN, id.as_bytes(), secret.expose())?;
    let key = AccessKey {
        id: id.to_owned(),
        account: account.to_owned(),
        owner,
        user_name: user_name.to_owned(),
        secret: STANDARD.encode(sealed),
        active: true,
        created: Timestamp::from_seconds(call.now.seconds()).0,
        changed: None,
        last_used: None,
        given: false,
    };
    call.put(&KEYS_OF, &(account.to_owned(), lower, id.to_owned()), Present)?;
    call.put(&ACCESS_KEYS, &id.to_owned(), key)
}

/// Removes a key and the row that finds it by its holder.
pub(crate) fn remove(call: &mut Call<'_>, key: &AccessKey) -> Result<()> {
    let holder = key.owner_name().unwrap_or_default().to_owned();
    call.delete(&KEYS_OF, &(key.account.clone(), holder, key.id.clone()))?;
    call.delete(&ACCESS_KEYS, &key.id)
}

/// Whose an access key of a user is, if there is one with this id: the account, and whether it is active.
///
/// # Errors
/// The store's.
pub fn standing(look: &mut Look<'_>, id: &str) -> Result<Option<(String, bool)>> {
    let key = look.get(&ACCESS_KEYS, id)?;
    Ok(key.map(|key| (key.account.clone(), key.active)))
}

/// Gives a key to its user's new name.
pub(crate) fn rename_owner(call: &mut Call<'_>, id: &str, name: &str) -> Result<()> {
    let Some(key) = call.get(&ACCESS_KEYS, id)? else {
        return Ok(());
    };
    let mut key = (*key).clone();
    let Owner::User(old) = std::mem::replace(&mut key.owner, Owner::User(name.to_lowercase())) else {
        return Ok(());
    };
    key.user_name = name.to_owned();
    call.delete(&KEYS_OF, &(key.account.clone(), old, id.to_owned()))?;
    call.put(
        &KEYS_OF,
        &(key.account.clone(), name.to_lowercase(), id.to_owned()),
        Present,
    )?;
    call.put(&ACCESS_KEYS, &id.to_owned(), key)
}

fn missing(id: &str) -> Fault {
    no_such_entity_exception(format!("The Access Key with id {id} cannot be found."))
}

/// The key of an id, if the holder owns it.
fn own(look: &mut Look<'_>, holder: &Holder, id: &str) -> Result<AccessKey> {
    use pipeline::Resource as _;
    let key = look.get(&ACCESS_KEYS, id)?;
    let key = key.filter(|key| key.is_of(holder.account(), &holder.lower()));
    key.map(|key| (*key).clone()).ok_or_else(|| missing(id))
}

/// Makes a key; the answer is the only one that shows its secret (S3.3–S3.5).
pub struct CreateAccessKey;

impl Operation for CreateAccessKey {
    type Input = model::CreateAccessKeyRequest;
    type Output = model::CreateAccessKeyResponse;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:CreateAccessKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let lower = holder.lower();
        if of_holder(call, &account, &lower)?.len() >= KEYS_PER_USER_MAX {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER_MAX}");
            return Err(limit_exceeded_exception(message));
        }
        let id = crypto::random::access_key_id(call.random()).map_err(Fault::internal)?;
        let secret = crypto::random::secret_access_key(call.random()).map_err(Fault::internal)?;
        let owner = if lower.is_empty() {
            Owner::Root
        } else {
            Owner::User(lower)
        };
        store(call, &id, &secret, &account, owner, holder.name())?;
        let access_key = model::AccessKey {
            access_key_id: id,
            create_date: Some(Timestamp::from_seconds(call.now.seconds())),
            secret_access_key: secret.expose_text().map_err(Fault::internal)?.to_owned(),
            status: model::StatusType::Active,
            user_name: holder.name().to_owned(),
        };
        Ok(model::CreateAccessKeyResponse { access_key })
    }
}

/// Lists a holder's keys, without their secrets.
pub struct ListAccessKeys;

impl Operation for ListAccessKeys {
    type Input = model::ListAccessKeysRequest;
    type Output = model::ListAccessKeysResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:ListAccessKeys");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let list = format!("ListAccessKeys/{}", holder.lower());
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let ids = of_holder(call, &account, &holder.lower())?;
        let paged = page.of_sorted(call, ids.into_iter().map(|id| (id.clone(), id)))?;
        let mut keys = Vec::with_capacity(paged.items.len());
        for id in &paged.items {
            keys.extend(call.get(&ACCESS_KEYS, id)?.map(|key| model::AccessKeyMetadata {
                access_key_id: Some(key.id.clone()),
                create_date: Some(Timestamp(key.created)),
                status: Some(key.status()),
                user_name: Some(key.user_name.clone()),
            }));
        }
        Ok(model::ListAccessKeysResponse {
            access_key_metadata: keys,
            is_truncated: paged.truncated(),
            marker: paged.marker,
        })
    }
}

/// Turns a key off or on; while it is off, calls with it are refused and it is kept (S3.7).
pub struct UpdateAccessKey;

impl Operation for UpdateAccessKey {
    type Input = model::UpdateAccessKeyRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UpdateAccessKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let mut key = own(call, &holder, &input.access_key_id)?;
        key.active = match input.status {
            model::StatusType::Active => true,
            model::StatusType::Inactive => false,
            model::StatusType::Expired => {
                return Err(Fault::validation(
                    "Access keys cannot be set to the status Expired.",
                ));
            }
        };
        key.changed = Some(Timestamp::from_seconds(call.now.seconds()).0);
        call.put(&ACCESS_KEYS, &input.access_key_id, key)?;
        Ok(Empty)
    }
}

/// Deletes a key for good (S3.9).
pub struct DeleteAccessKey;

impl Operation for DeleteAccessKey {
    type Input = model::DeleteAccessKeyRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeleteAccessKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let key = own(call, &holder, &input.access_key_id)?;
        remove(call, &key)?;
        Ok(Empty)
    }
}

/// Tells when, where and for which service a key was last used; uses are noted once a minute.
pub struct GetAccessKeyLastUsed;

impl Operation for GetAccessKeyLastUsed {
    type Input = model::GetAccessKeyLastUsedRequest;
    type Output = model::GetAccessKeyLastUsedResponse;
    type Target = Holder;
    const ACCESS: Access = Access::read("iam:GetAccessKeyLastUsed");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        let account = look.account_shared();
        let key = look
            .get(&ACCESS_KEYS, &input.access_key_id)?
            .filter(|key| *key.account == *account);
        let found = match key.as_deref().map(|key| &key.owner) {
            Some(Owner::Root) => Some(Holder::Root {
                account: account.clone(),
            }),
            Some(Owner::User(lower)) => user::find(look, lower)?.map(Holder::User),
            None => None,
        };
        Ok(Found::or_absent(found, || {
            (user::arn(&account, "/", "*"), missing(&input.access_key_id))
        }))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let key = own(call, &holder, &input.access_key_id)?;
        let last_used = match key.last_used {
            Some(LastUsed { at, service, region }) => model::AccessKeyLastUsed {
                last_used_date: Some(Timestamp(at)),
                region,
                service_name: service,
            },
            None => model::AccessKeyLastUsed {
                last_used_date: None,
                region: "N/A".to_owned(),
                service_name: "N/A".to_owned(),
            },
        };
        Ok(model::GetAccessKeyLastUsedResponse {
            access_key_last_used: Some(last_used),
            user_name: Some(key.user_name),
        })
    }
}
