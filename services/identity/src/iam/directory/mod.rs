//! What IAM is to the pipeline: credentials, and the policies that bear on whoever they stand for.
//!
//! Invariant: what is remembered here is good only while the rows that it was made of are the very same; a changed key, user or
//! role is read anew. Remembering saves opening the seal, never a check.

pub(crate) mod attribution;
pub mod described;
mod permissions;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use pipeline::identity::{Credential, Identity, InstanceProfile, PrincipalPolicies, Refusal, Session};
use pipeline::organization::OrganizationFacts;
use pipeline::signin::{ConsoleSession, Step, Stepped};
use pipeline::{Call, Directory, Look, Result};
use policy::{Attached, Principal};

use attribution::{session_identity, user_identity};

use crate::iam::access_key::{ACCESS_KEYS, AccessKey, LastUsed};
use crate::iam::account::{self, ACCOUNTS};
use crate::iam::instance_profile;
use crate::iam::last_accessed;
use crate::iam::mfa;
use crate::iam::role::{ROLES, Role, trust};
use crate::iam::user::{USERS, User};
use crate::organizations;
use crate::signin;
use crate::sts::token::{Holder, Issued};

/// Credentials that are remembered; one more clears them all.
const KEPT_MAX: usize = 8192;
/// How seldom a use is noted, in milliseconds.
const USE_NOTED_EVERY: i64 = 60_000;

/// IAM as a directory.
#[derive(Default)]
pub struct IdentityDirectory {
    long_term: Kept<LongTerm>,
    temporary: Kept<Temporary>,
    attempts: last_accessed::Seen,
}

/// Credentials by access key id.
struct Kept<T>(RwLock<HashMap<String, Arc<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Kept<T> {
    fn get(&self, id: &str) -> Option<Arc<T>> {
        self.0.read().get(id).cloned()
    }

    /// Drops a secret that is of no use any more.
    fn forget(&self, id: &str) {
        if self.0.read().contains_key(id) {
            self.0.write().remove(id);
        }
    }

    fn put(&self, id: &str, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut kept = self.0.write();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(id.to_owned(), Arc::clone(&value));
        value
    }
}

/// An access key with its secret opened.
struct LongTerm {
    key: Arc<AccessKey>,
    standing: Standing,
    credential: Credential,
}

/// A session token that was read.
struct Temporary {
    token: String,
    issued: Issued,
    standing: Standing,
    credential: Credential,
    /// The session policies that the token carries, parsed.
    documents: Vec<Attached>,
}

/// The row of the identity behind a credential.
enum Standing {
    Root,
    User(Arc<User>),
    Role(Arc<Role>),
}

impl Standing {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Root, Self::Root) => true,
            (Self::User(one), Self::User(two)) => Arc::ptr_eq(one, two),
            (Self::Role(one), Self::Role(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

type Refused<T> = std::result::Result<T, Refusal>;

impl Directory for IdentityDirectory {
    fn credential(
        &self,
        look: &mut Look<'_>,
        access_key_id: &str,
        token: Option<&str>,
    ) -> Refused<Credential> {
        match token {
            Some(token) => self.temporary(look, access_key_id, token),
            None => self.long_term(look, access_key_id),
        }
    }

    fn policies(
        &self,
        look: &mut Look<'_>,
        identity: &Identity,
        action: Option<&str>,
    ) -> Result<PrincipalPolicies> {
        let mut policies = PrincipalPolicies::default();
        match &identity.principal {
            Principal::Root { .. } => {}
            Principal::User { account, id, .. } => {
                let name = identity.user_name.as_deref().unwrap_or_default();
                if let Some(user) = user_of(look, account, &name.to_lowercase(), id)? {
                    permissions::of_user(look, &user, action, &mut policies)?;
                }
            }
            Principal::AssumedRole {
                account,
                role_arn,
                role_id,
                ..
            } => {
                let name = role_arn.rsplit('/').next().unwrap_or_default();
                if let Some(role) = role_of(look, account, &name.to_lowercase(), role_id)? {
                    permissions::of_role(look, &role, &mut policies)?;
                }
            }
            Principal::FederatedUser { account, .. } => {
                permissions::of_federated(look, identity, account, action, &mut policies)?;
            }
            Principal::Service { .. } | Principal::Federated { .. } | Principal::Anonymous => {}
        }
        if let Some(account) = identity.principal.account() {
            match organizations::policy::control::over_account(look, account)? {
                Some(levels) => policies.service_control = levels,
                None => policies.unbound = true,
            }
        }
        if let Some(session) = &identity.session {
            let parsed = self.parsed(identity, session);
            policies.session = permissions::of_session(look, parsed, identity, session)?;
        }
        Ok(policies)
    }

    fn instance_profile(
        &self,
        look: &mut Look<'_>,
        account: &str,
        name: &str,
    ) -> Result<Option<InstanceProfile>> {
        instance_profile::facts(look, account, name)
    }

    fn resource_control(
        &self,
        look: &mut Look<'_>,
        owner: &str,
        action: &str,
        resource: &str,
    ) -> Result<Vec<Attached>> {
        organizations::policy::control::over_resource(look, owner, action, resource)
    }

    fn organization(&self, look: &mut Look<'_>, account: &str) -> Result<Option<OrganizationFacts>> {
        organizations::policy::control::facts(look, account)
    }

    fn attempted(&self, call: &mut Call<'_>, action: &'static str) -> Result<()> {
        last_accessed::note(call, &self.attempts, action)
    }

    fn forget(&self) {
        self.attempts.clear();
    }

    fn used(&self, call: &mut Call<'_>) -> Result<()> {
        let identity = call.identity;
        match (&identity.principal, &identity.session) {
            (_, None) => note_key(call, &identity.access_key_id),
            (
                Principal::AssumedRole {
                    account,
                    role_arn,
                    role_id,
                    ..
                },
                Some(_),
            ) => {
                let name = role_arn.rsplit('/').next().unwrap_or_default().to_lowercase();
                note_role(call, account, &name, role_id)
            }
            _ => Ok(()),
        }
    }

    fn lasts(&self, look: &mut Look<'_>, identity: &Identity) -> Refused<()> {
        if account::is_closed(look, &identity.account).map_err(Refusal::Fault)? {
            return Err(Refusal::Unknown);
        }
        let good = match &identity.session {
            None => key_lasts(look, identity),
            Some(session) => issuer_lasts(look, identity, session),
        };
        if good.map_err(Refusal::Fault)? {
            return Ok(());
        }
        Err(Refusal::Unknown)
    }

    fn account_closed(&self, look: &mut Look<'_>, account: &str) -> Result<bool> {
        account::is_closed(look, account)
    }

    fn account_exists(&self, look: &mut Look<'_>, account: &str) -> Result<bool> {
        Ok(look.get(&ACCOUNTS, account)?.is_some())
    }

    fn principal_exists(&self, look: &mut Look<'_>, arn: &str) -> Result<bool> {
        trust::exists(look, arn)
    }

    fn principal_id(&self, look: &mut Look<'_>, arn: &str) -> Result<Option<String>> {
        trust::id_of(look, arn)
    }

    fn principal_arn(&self, look: &mut Look<'_>, account: &str, id: &str) -> Result<Option<String>> {
        trust::by_id(look, account, id)
    }

    fn prove_mfa(&self, call: &mut Call<'_>, serial: &str, code: &str) -> Result<()> {
        match mfa::show(call, Some(serial), Some(code))? {
            Some(shown) => shown.spend(call),
            None => Ok(()),
        }
    }

    fn sign_in(&self, call: &mut Call<'_>, source: &str, step: &Step) -> Result<Stepped> {
        signin::step(call, source, step)
    }

    fn console_session(&self, look: &mut Look<'_>, cookie: &str) -> Result<Option<ConsoleSession>> {
        signin::session::shown(look, cookie)
    }
}

impl IdentityDirectory {
    fn long_term(&self, look: &mut Look<'_>, id: &str) -> Refused<Credential> {
        let key = look.get(&ACCESS_KEYS, id).map_err(Refusal::Fault)?;
        let Some(key) = key.filter(|key| key.active) else {
            self.long_term.forget(id);
            return Err(Refusal::Unknown);
        };
        if account::is_closed(look, &key.account).map_err(Refusal::Fault)? {
            self.long_term.forget(id);
            return Err(Refusal::Unknown);
        }
        let standing = match key.owner_name() {
            None => Standing::Root,
            Some(name) => {
                let row = look
                    .get(&USERS, &(key.account.clone(), name.to_owned()))
                    .map_err(Refusal::Fault)?;
                Standing::User(row.ok_or(Refusal::Unknown)?)
            }
        };
        let kept = self.long_term.get(id);
        if let Some(kept) = kept.filter(|kept| Arc::ptr_eq(&kept.key, &key) && kept.standing.is(&standing)) {
            return Ok(kept.credential.clone());
        }
        let secret = key.open(look).map_err(Refusal::Fault)?;
        let identity = match &standing {
            Standing::User(user) => user_identity(user, id, None),
            _ => Identity {
                access_key_id: id.into(),
                ..Identity::root(&key.account)
            },
        };
        let credential = Credential {
            secret,
            identity: Arc::new(identity),
        };
        Ok(self
            .long_term
            .put(
                id,
                LongTerm {
                    key,
                    standing,
                    credential,
                },
            )
            .credential
            .clone())
    }

    fn temporary(&self, look: &mut Look<'_>, id: &str, token: &str) -> Refused<Credential> {
        let kept = self.temporary.get(id).filter(|kept| kept.token == token);
        let read = match &kept {
            Some(_) => None,
            None => Some(
                Issued::unpack(look, token)
                    .filter(|issued| issued.access_key_id == id)
                    .ok_or(Refusal::BadToken)?,
            ),
        };
        let issued = read
            .as_ref()
            .or(kept.as_deref().map(|kept| &kept.issued))
            .ok_or(Refusal::BadToken)?;
        if look.now.0 >= issued.session.expires {
            self.temporary.forget(id);
            return Err(Refusal::Expired);
        }
        let standing = standing(look, issued)?;
        if let Some(kept) = kept.as_deref().filter(|kept| kept.standing.is(&standing)) {
            return Ok(kept.credential.clone());
        }
        let Some(issued) = read.or_else(|| Issued::unpack(look, token)) else {
            return Err(Refusal::BadToken);
        };
        let credential = Credential {
            secret: issued.secret(),
            identity: Arc::new(session_identity(&issued, &standing)),
        };
        let documents = permissions::documents(&issued.session).map_err(Refusal::Fault)?;
        let kept = Temporary {
            token: token.to_owned(),
            issued,
            standing,
            credential,
            documents,
        };
        Ok(self.temporary.put(id, kept).credential.clone())
    }

    /// The session policies of a remembered token, parsed when it was read.
    fn parsed(&self, identity: &Identity, session: &Arc<Session>) -> Option<Vec<Attached>> {
        let kept = self.temporary.get(&identity.access_key_id)?;
        let held = kept.credential.identity.session.as_ref()?;
        Arc::ptr_eq(held, session).then(|| kept.documents.clone())
    }
}

/// The user of a name, if it is still the one of the id.
fn user_of(look: &mut Look<'_>, account: &str, lower: &str, id: &str) -> Result<Option<Arc<User>>> {
    let user = look.get(&USERS, &(account, lower))?;
    Ok(user.filter(|user| user.id == id))
}

/// The role of a name, if it is still the one of the id.
fn role_of(look: &mut Look<'_>, account: &str, lower: &str, id: &str) -> Result<Option<Arc<Role>>> {
    let role = look.get(&ROLES, &(account, lower))?;
    Ok(role.filter(|role| role.id == id))
}

/// The row behind a session. Without it, or with another of the same name, the session is over. So it is when its account is
/// gone, or another bears its number: root has no row of its own.
fn standing(look: &mut Look<'_>, issued: &Issued) -> Refused<Standing> {
    let account = &issued.account;
    let closed = account::is_closed(look, account).map_err(Refusal::Fault)?;
    if closed || account::incarnation(look, account).map_err(Refusal::Fault)? != issued.incarnation {
        return Err(Refusal::Unknown);
    }
    let row = match &issued.holder {
        Holder::Root | Holder::Federated { of: None, .. } => return Ok(Standing::Root),
        Holder::User { name, id }
        | Holder::Federated {
            of: Some((name, id)), ..
        } => user_of(look, account, name, id)
            .map_err(Refusal::Fault)?
            .map(Standing::User),
        Holder::Role { name, id, .. } => role_of(look, account, name, id)
            .map_err(Refusal::Fault)?
            .map(Standing::Role),
    };
    row.ok_or(Refusal::Unknown)
}

/// Whether the access key of an identity is still turned on, and still its own. What the installation does itself in root's name needs
/// no key.
fn key_lasts(look: &mut Look<'_>, identity: &Identity) -> Result<bool> {
    if identity.access_key_id.is_empty() {
        return Ok(true);
    }
    let key = look.get(&ACCESS_KEYS, &identity.access_key_id.to_string())?;
    let owner = identity.user_name.as_deref().map(str::to_lowercase);
    Ok(key.is_some_and(|key| {
        key.active && *key.account == *identity.account && key.owner_name() == owner.as_deref()
    }))
}

/// Whether the user is still there who issued the session of a federated user. Users and roles that are principals themselves are looked
/// for by the pipeline.
fn issuer_lasts(look: &mut Look<'_>, identity: &Identity, session: &Session) -> Result<bool> {
    let issuer = session.issuer.as_ref().filter(|issuer| issuer.kind != "Root");
    match (&identity.principal, issuer) {
        (Principal::FederatedUser { account, .. }, Some(issuer)) => {
            let user = user_of(
                look,
                account,
                &issuer.user_name.to_lowercase(),
                &issuer.principal_id,
            )?;
            Ok(user.is_some())
        }
        _ => Ok(true),
    }
}

fn note_key(call: &mut Call<'_>, id: &str) -> Result<()> {
    let now = call.now.0;
    let Some(key) = call.get(&ACCESS_KEYS, id)? else {
        return Ok(());
    };
    if key
        .last_used
        .as_ref()
        .is_some_and(|used| now.saturating_sub(used.at) < USE_NOTED_EVERY)
    {
        return Ok(());
    }
    let mut key = (*key).clone();
    let (service, region) = (call.service().to_owned(), call.region().to_owned());
    key.last_used = Some(LastUsed {
        at: now,
        service,
        region,
    });
    call.put(&ACCESS_KEYS, &id.to_owned(), key)
}

fn note_role(call: &mut Call<'_>, account: &str, lower: &str, id: &str) -> Result<()> {
    let now = call.now.0;
    let Some(role) = role_of(call, account, lower, id)? else {
        return Ok(());
    };
    if role
        .last_used
        .as_ref()
        .is_some_and(|used| now.saturating_sub(used.at) < USE_NOTED_EVERY)
    {
        return Ok(());
    }
    let mut role = (*role).clone();
    role.last_used = Some(crate::iam::role::LastUsed {
        at: now,
        region: call.region().to_owned(),
    });
    call.put(&ROLES, &(account.to_owned(), lower.to_owned()), role)
}
