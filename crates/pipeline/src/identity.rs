//! Who is calling, and the directory that the identity service is to the pipeline.

use std::sync::Arc;

use crypto::Secret;
use policy::{Attached, Principal};
use serde::{Deserialize, Serialize};
use wire::Fault;

use crate::call::{Call, Look};
use crate::operation::Result;
use crate::organization::OrganizationFacts;
use crate::signin::{ConsoleSession, Step, Stepped};

/// CloudTrail's `userIdentity.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum IdentityType {
    Root,
    #[serde(rename = "IAMUser")]
    IamUser,
    AssumedRole,
    FederatedUser,
    #[serde(rename = "AWSAccount")]
    AwsAccount,
    #[serde(rename = "AWSService")]
    AwsService,
    WebIdentityUser,
    #[serde(rename = "SAMLUser")]
    SamlUser,
    Unknown,
}

/// Who a request was attributed to, once its credential was verified.
#[derive(Clone)]
pub struct Identity {
    pub kind: IdentityType,
    /// As policies see it.
    pub principal: Principal,
    pub account: Arc<str>,
    /// The ARN that CloudTrail and `GetCallerIdentity` show.
    pub arn: Arc<str>,
    /// `aws:userid`: `AIDA…`, `AROA…:session`, `123456789012:name`, or the account id for root.
    pub user_id: Arc<str>,
    /// `aws:username`, for IAM users only.
    pub user_name: Option<Arc<str>>,
    pub access_key_id: Arc<str>,
    /// `aws:PrincipalTag/…`: a user's tags, or a role's with the session's over them.
    pub tags: Arc<[(String, String)]>,
    /// Present for temporary credentials.
    pub session: Option<Arc<Session>>,
    /// Present for a caller whom an identity provider vouches for, until it holds credentials of a role.
    pub federation: Option<Arc<Federation>>,
}

/// What an identity provider's token or assertion says of its bearer, once verified (S6.1).
#[derive(Clone, Default)]
pub struct Federation {
    pub subject: String,
    pub audience: String,
    pub issuer: String,
    /// SAML's `NameID` format in AWS's short form (`persistent`), and its name qualifier.
    pub subject_type: Option<String>,
    pub name_qualifier: Option<String>,
    /// Condition keys that the provider set: `HOST:sub`, `saml:aud`.
    pub context: Vec<(String, Vec<String>)>,
    /// Those of them that stay with the session's every call (IAM User Guide, "Available in session").
    pub session_context: Vec<(String, Vec<String>)>,
    /// What the trail tells of the verification (`additionalEventData`).
    pub event_data: Vec<(&'static str, String)>,
    /// Session tags that the provider asks for, and which of them are transitive.
    pub tags: Vec<(String, String)>,
    pub transitive_tag_keys: Vec<String>,
    pub source_identity: Option<String>,
    /// The session name that the provider chose (SAML; for web identity the input names it).
    pub session_name: Option<String>,
    /// Seconds that the provider asks the session to last.
    pub session_seconds: Option<i64>,
    /// When the provider says that the bearer's own session ends, in milliseconds since the epoch.
    pub session_ends: Option<i64>,
}

impl Identity {
    /// Ringwork itself, at bootstrap and in the control plane.
    pub(crate) fn installation(account: &str) -> Self {
        let name = "ringwork.internal";
        Self {
            kind: IdentityType::AwsService,
            principal: Principal::Service {
                name: name.to_owned(),
            },
            account: account.into(),
            arn: name.into(),
            user_id: name.into(),
            user_name: None,
            access_key_id: "".into(),
            tags: Arc::default(),
            session: None,
            federation: None,
        }
    }

    /// A service that acts by itself in an account: jobs.
    pub(crate) fn service(name: &str, account: &str) -> Self {
        let principal = Principal::Service {
            name: name.to_owned(),
        };
        let shared: Arc<str> = name.into();
        Self {
            principal,
            account: account.into(),
            arn: Arc::clone(&shared),
            user_id: shared,
            ..Self::installation(account)
        }
    }

    /// A caller who has shown nothing yet.
    pub(crate) fn anonymous(account: &str) -> Self {
        Self {
            kind: IdentityType::Unknown,
            principal: Principal::Anonymous,
            arn: "".into(),
            user_id: "".into(),
            ..Self::installation(account)
        }
    }

    /// Somebody whom an identity provider vouches for (S6.1, S6.4). `provider` is the provider's ARN, which trust policies name;
    /// `user_id` and `user_name` are what the trail shows. The call runs in `account`.
    pub fn federated(
        kind: IdentityType,
        account: &str,
        provider: &str,
        (user_id, user_name): (&str, &str),
        federation: Federation,
    ) -> Self {
        Self {
            kind,
            principal: Principal::Federated {
                provider: provider.to_owned(),
            },
            arn: provider.into(),
            user_id: user_id.into(),
            user_name: Some(user_name.into()),
            federation: Some(Arc::new(federation)),
            ..Self::installation(account)
        }
    }

    /// The root user of an account, for calls that the installation makes in its name (seeds).
    pub fn root(account: &str) -> Self {
        Self {
            kind: IdentityType::Root,
            principal: Principal::Root {
                account: account.to_owned(),
            },
            account: account.into(),
            arn: format!("arn:aws:iam::{account}:root").into(),
            user_id: account.into(),
            user_name: None,
            access_key_id: "".into(),
            tags: Arc::default(),
            session: None,
            federation: None,
        }
    }
}

/// What a temporary credential carries beside its principal.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Session {
    /// Milliseconds since the epoch; `aws:TokenIssueTime`.
    pub issued: i64,
    /// Milliseconds since the epoch.
    pub expires: i64,
    /// When MFA was shown, in milliseconds since the epoch; `aws:MultiFactorAuthAge` counts from here.
    pub mfa: Option<i64>,
    /// CloudTrail's `sessionIssuer`.
    pub issuer: Option<SessionIssuer>,
    pub source_identity: Option<String>,
    /// `aws:FederatedProvider`: the provider whose token or assertion the session was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_provider: Option<String>,
    /// Condition keys that the provider set and that stay with the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provider_context: Vec<(String, Vec<String>)>,
    /// Session tags that pass on when roles are chained.
    pub transitive_tag_keys: Vec<String>,
    /// The session came of a session (one-hour limit).
    pub chained: bool,
    /// `aws:AssumedRoot`: the session is one of `AssumeRoot`, for a privileged task in a member account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assumed_root: bool,
    /// Somebody signed in to the console with a password, and this session came of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub console: bool,
    /// Session policies given at issue: the document, or the ARN of a managed policy.
    pub policies: Vec<SessionPolicy>,
}

/// A policy that narrows a session.
#[derive(Clone, Serialize, Deserialize)]
pub enum SessionPolicy {
    Document(String),
    Managed(String),
}

/// The role or user that a session was issued for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIssuer {
    #[serde(rename = "type")]
    pub kind: String,
    pub principal_id: String,
    pub arn: String,
    pub account_id: String,
    pub user_name: String,
}

/// A credential that the directory knows: the secret to verify the signature with, and who it stands for.
#[derive(Clone)]
pub struct Credential {
    pub secret: Secret,
    pub identity: Arc<Identity>,
}

/// Every policy that bears on a principal, other than those of the resource.
#[derive(Clone, Default)]
pub struct PrincipalPolicies {
    pub identity: Vec<Attached>,
    pub boundary: Option<Attached>,
    /// `None` for long-term credentials and sessions without session policies.
    pub session: Option<Vec<Attached>>,
    /// One list a level, from the root down; empty without an organization.
    pub service_control: Vec<Vec<Attached>>,
    /// The principal's account is a member of no organization, or the management account of one: neither service nor resource control
    /// policies bind it.
    pub unbound: bool,
}

/// Why a credential is refused before its signature is looked at.
pub enum Refusal {
    /// `InvalidClientTokenId`: no such key, or an inactive one (S3.7).
    Unknown,
    /// `ExpiredToken` (S1.27).
    Expired,
    /// The session token is not one of ours, or belongs to another key.
    BadToken,
    /// The store failed.
    Fault(Fault),
}

/// An instance profile, as EC2 sees it (S1.12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceProfile {
    pub arn: String,
    /// `AIPA…`
    pub id: String,
    pub name: String,
    /// Name and ARN of the role that it holds.
    pub role: Option<(String, String)>,
}

/// What the identity service is to the pipeline: it knows credentials and the policies of principals.
pub trait Directory: Send + Sync {
    /// The credential of an access key id, with the session token that came with it. Expiry is judged by `look.now`.
    fn credential(
        &self,
        look: &mut Look<'_>,
        access_key_id: &str,
        token: Option<&str>,
    ) -> std::result::Result<Credential, Refusal>;

    /// The policies of a principal, parsed. With an action, those may be left out that can say nothing to it. Called once a call; hot.
    fn policies(
        &self,
        look: &mut Look<'_>,
        identity: &Identity,
        action: Option<&str>,
    ) -> Result<PrincipalPolicies>;

    /// The resource control policies over an action on a resource that an account owns; empty without an organization, and
    /// where such policies do not reach.
    fn resource_control(
        &self,
        look: &mut Look<'_>,
        owner: &str,
        action: &str,
        resource: &str,
    ) -> Result<Vec<Attached>>;

    /// Where an account stands in its organization. Asked only where a policy at hand depends on it.
    fn organization(&self, _look: &mut Look<'_>, _account: &str) -> Result<Option<OrganizationFacts>> {
        Ok(None)
    }

    /// Notes that a long-term access key was used by a call that succeeded, in the call's transaction. It must write
    /// seldom: a note within the last minute will do.
    fn used(&self, call: &mut Call<'_>) -> Result<()>;

    /// Notes that the caller tried `action` (`iam:ListUsers`), whether it was allowed or not; of a refused call in a transaction
    /// that holds nothing else. It must write seldom, as `used`.
    fn attempted(&self, _call: &mut Call<'_>, _action: &'static str) -> Result<()> {
        Ok(())
    }

    /// Verifies the code of an MFA device of the caller's own, and makes it good no more in the call's transaction. A directory that keeps
    /// no devices refuses every code.
    ///
    /// # Errors
    /// `AccessDenied` for devices and codes that are not good.
    fn prove_mfa(&self, _call: &mut Call<'_>, _serial: &str, _code: &str) -> Result<()> {
        Err(Fault::access_denied("MultiFactorAuthentication failed."))
    }

    /// Takes a step of signing in to the console, or out of it. What it writes is kept whatever comes of the step. A directory that knows
    /// no passwords lets nobody in. `source` is the network that the browser is in.
    ///
    /// # Errors
    /// The store's alone: a proof that does not hold is an outcome.
    fn sign_in(&self, _call: &mut Call<'_>, _source: &str, _step: &Step) -> Result<Stepped> {
        Ok(Stepped::refused())
    }

    /// The console session of a cookie, while it lasts.
    fn console_session(&self, _look: &mut Look<'_>, _cookie: &str) -> Result<Option<ConsoleSession>> {
        Ok(None)
    }

    /// Forgets what is remembered of the store's content, after it was replaced.
    fn forget(&self) {}

    /// Whether a credential that was verified earlier would still be taken, of which `identity` is kept and no token: for what a service
    /// goes on to do for its caller after it answered. That a session ends, and that the user or role itself is still the one that it
    /// was, is looked at by the pipeline.
    ///
    /// # Errors
    /// The refusal that a call with it would get.
    fn lasts(&self, _look: &mut Look<'_>, _identity: &Identity) -> std::result::Result<(), Refusal> {
        Ok(())
    }

    /// Whether an account was closed: nothing runs for it any more.
    fn account_closed(&self, _look: &mut Look<'_>, _account: &str) -> Result<bool> {
        Ok(false)
    }

    /// Whether an account exists here.
    fn account_exists(&self, look: &mut Look<'_>, account: &str) -> Result<bool>;

    /// Whether a user or role exists here, by ARN: resource policies and grants may not name one that does not. A directory
    /// that cannot tell says yes.
    fn principal_exists(&self, _look: &mut Look<'_>, _arn: &str) -> Result<bool> {
        Ok(true)
    }

    /// The unique id (`AIDA…`, `AROA…`) of the user or role that bears an ARN now: what policies and grants are kept by, so that they
    /// end with the one they were given to. `None` for all others, and of a directory that knows no ids.
    fn principal_id(&self, _look: &mut Look<'_>, _arn: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// The instance profile that an account has by a name; `None` if there is none, and of a directory that knows none.
    fn instance_profile(
        &self,
        _look: &mut Look<'_>,
        _account: &str,
        _name: &str,
    ) -> Result<Option<InstanceProfile>> {
        Ok(None)
    }

    /// The ARN that the user or role of an account with a unique id bears now. It may read the whole account.
    fn principal_arn(&self, _look: &mut Look<'_>, _account: &str, _id: &str) -> Result<Option<String>> {
        Ok(None)
    }
}
