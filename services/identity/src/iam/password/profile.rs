//! Login profiles: the password that a user signs in with.
//!
//! Invariant: hashes of earlier passwords stay as long as the profile does, up to the most that a policy can forbid, so that a
//! policy that comes later finds them.

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{entity_already_exists_exception, no_such_entity_exception};
use crypto::{Secret, password};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use super::{account, rules};
use crate::iam::account::ACCOUNTS;
use crate::iam::user::{Holder, User, holder};

/// The most passwords that a policy can forbid to use again, the present one among them.
const HASHES_MAX: usize = 24;

/// A user's password. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginProfile {
    pub created: i64,
    pub changed: i64,
    pub reset_required: bool,
    /// The present one first, then the earlier ones.
    hashes: Vec<String>,
}

store::record!(LoginProfile, 1);

/// By account and lower-case user.
static PROFILES: Table<(String, String), LoginProfile> = Table::new(0x0121, "iam.login_profiles");

impl LoginProfile {
    /// Whether `given` is the present password.
    pub(super) fn is(&self, given: &Secret) -> Result<bool> {
        match self.hashes.first() {
            Some(hash) => password::verify(hash, given).map_err(Fault::internal),
            None => Ok(false),
        }
    }
}

/// The password of the user of a lower-case name.
pub(crate) fn of_user(look: &mut Look<'_>, account: &str, lower: &str) -> Result<Option<Arc<LoginProfile>>> {
    look.get(&PROFILES, &(account, lower))
}

/// Whether `given` is the password of a profile. Without one it takes as long, so that nobody learns from the time who has one.
pub(crate) fn is_of(profile: Option<&LoginProfile>, given: &Secret) -> Result<bool> {
    /// Of the cost that `crypto::password` hashes with, and of no password.
    const NOBODYS: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    match profile.filter(|profile| !profile.hashes.is_empty()) {
        Some(profile) => profile.is(given),
        None => {
            password::verify(NOBODYS, given).map_err(Fault::internal)?;
            Ok(false)
        }
    }
}

/// Moves the password along with its user's name.
pub(crate) fn rename_owner(call: &mut Call<'_>, account: &str, old: &str, new: &str) -> Result<()> {
    let Some(profile) = of_user(call, account, old)? else {
        return Ok(());
    };
    call.delete(&PROFILES, &(account.to_owned(), old.to_owned()))?;
    call.put(
        &PROFILES,
        &(account.to_owned(), new.to_owned()),
        (*profile).clone(),
    )
}

/// What the root user's row is found by, in place of a user's name.
const ROOT: &str = "";

/// Whether the root user's password can be set: the account was allowed to recover it. The password itself is no matter of IAM.
pub(crate) fn root_has_profile(look: &mut Look<'_>, account: &str) -> Result<bool> {
    Ok(of_user(look, account, ROOT)?.is_some())
}

/// Lets the root user's password be recovered; only a session of `AssumeRoot` asks for it.
fn allow_recovery(
    call: &mut Call<'_>,
    account: &str,
    input: &model::CreateLoginProfileRequest,
) -> Result<model::LoginProfile> {
    let session = call.identity.session.as_ref();
    if !session.is_some_and(|session| session.assumed_root) {
        return Err(Fault::validation(
            "Must specify userName when calling with non-User credentials",
        ));
    }
    if input.password.is_some() || input.password_reset_required.is_some() {
        return Err(Fault::validation("A password can't be given for the root user."));
    }
    if root_has_profile(call, account)? {
        return Err(entity_already_exists_exception(
            "Login Profile for user root already exists.",
        ));
    }
    let now = Timestamp::from_seconds(call.now.seconds()).0;
    let profile = LoginProfile {
        created: now,
        changed: now,
        reset_required: false,
        hashes: Vec::new(),
    };
    call.put(&PROFILES, &(account.to_owned(), ROOT.to_owned()), profile.clone())?;
    Ok(shown("root", &profile))
}

/// The user of a holder. The root user's password is no matter of the other operations.
pub(super) fn user_of(holder: Holder) -> Result<Arc<User>> {
    match holder {
        Holder::User(user) => Ok(user),
        Holder::Root { .. } => Err(Fault::validation(
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

fn missing(name: &str) -> Fault {
    no_such_entity_exception(format!("Login Profile for User {name} cannot be found."))
}

/// The user's password, or the refusal that it has none.
pub(super) fn own(look: &mut Look<'_>, user: &User) -> Result<LoginProfile> {
    let found = of_user(look, &user.account, &user.lower())?;
    found
        .map(|profile| (*profile).clone())
        .ok_or_else(|| missing(&user.name))
}

/// Sets a password that the account's policy lets pass, and that is none of the last ones.
pub(super) fn set(
    call: &mut Call<'_>,
    user: &User,
    held: Option<LoginProfile>,
    given: &str,
    reset_required: bool,
) -> Result<LoginProfile> {
    let account = user.account.clone();
    let policy = account::of_account(call, &account)?;
    let row = call.get(&ACCOUNTS, &account)?;
    let names = row.as_deref().map_or(["", ""], |row| [&row.name, &row.email]);
    rules::check(policy.as_deref(), names, given)?;
    let secret = Secret::from(given);
    let mut hashes = held.as_ref().map(|held| held.hashes.clone()).unwrap_or_default();
    let forbidden = policy.as_ref().and_then(|policy| policy.reuse_prevention);
    let forbidden = forbidden
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0);
    for hash in hashes.iter().take(forbidden) {
        if password::verify(hash, &secret).map_err(Fault::internal)? {
            return Err(rules::violation("Password has been used too recently"));
        }
    }
    hashes.insert(
        0,
        password::hash(call.random(), &secret).map_err(Fault::internal)?,
    );
    hashes.truncate(HASHES_MAX);
    let now = Timestamp::from_seconds(call.now.seconds()).0;
    let profile = LoginProfile {
        created: held.map_or(now, |held| held.created),
        changed: now,
        reset_required,
        hashes,
    };
    call.put(&PROFILES, &user.key(), profile.clone())?;
    Ok(profile)
}

fn shown(name: &str, profile: &LoginProfile) -> model::LoginProfile {
    model::LoginProfile {
        create_date: Timestamp(profile.created),
        password_reset_required: Some(profile.reset_required),
        user_name: name.to_owned(),
    }
}

/// Gives a user a password.
pub struct CreateLoginProfile;

impl Operation for CreateLoginProfile {
    type Input = model::CreateLoginProfileRequest;
    type Output = model::CreateLoginProfileResponse;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:CreateLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        if let Holder::Root { account } = &*holder {
            let login_profile = allow_recovery(call, account, &input)?;
            return Ok(model::CreateLoginProfileResponse { login_profile });
        }
        let user = user_of(holder.into_inner())?;
        let given = input
            .password
            .ok_or_else(|| Fault::validation("A password must be given for an IAM user."))?;
        if of_user(call, &user.account, &user.lower())?.is_some() {
            let message = format!("Login Profile for user {} already exists.", user.name);
            return Err(entity_already_exists_exception(message));
        }
        let reset = input.password_reset_required.unwrap_or(false);
        let profile = set(call, &user, None, &given, reset)?;
        Ok(model::CreateLoginProfileResponse {
            login_profile: shown(&user.name, &profile),
        })
    }
}

/// Shows whether and since when a user has a password.
pub struct GetLoginProfile;

impl Operation for GetLoginProfile {
    type Input = model::GetLoginProfileRequest;
    type Output = model::GetLoginProfileResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:GetLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Self::Output> {
        let account = holder.account().to_owned();
        let profile = of_user(call, &account, &holder.lower())?;
        let profile = profile.ok_or_else(|| missing(holder.name()))?;
        Ok(model::GetLoginProfileResponse {
            login_profile: shown(holder.name(), &profile),
        })
    }
}

/// Gives a user another password, or settles whether it must be changed.
pub struct UpdateLoginProfile;

impl Operation for UpdateLoginProfile {
    type Input = model::UpdateLoginProfileRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UpdateLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let user = user_of(holder.into_inner())?;
        let mut profile = own(call, &user)?;
        let reset_required = input.password_reset_required.unwrap_or(profile.reset_required);
        match input.password {
            Some(given) => {
                set(call, &user, Some(profile), &given, reset_required)?;
            }
            None => {
                profile.reset_required = reset_required;
                call.put(&PROFILES, &user.key(), profile)?;
            }
        }
        Ok(Empty)
    }
}

/// Takes a user's password away.
pub struct DeleteLoginProfile;

impl Operation for DeleteLoginProfile {
    type Input = model::DeleteLoginProfileRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeleteLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Empty> {
        let key = (holder.account().to_owned(), holder.lower());
        if of_user(call, &key.0, &key.1)?.is_none() {
            return Err(missing(holder.name()));
        }
        call.delete(&PROFILES, &key)?;
        Ok(Empty)
    }
}
