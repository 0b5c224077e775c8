//! Roles as STS sees them: something that trusts, and that lends its permissions for a while (S1.10, S1.11, S4.3).
//!
//! Invariant: whether a role exists shows only to those whom it trusts; to all others a missing role and one that does not trust
//! them look the same, in any account.

use std::sync::{Arc, OnceLock};

use api::sts as model;
use pipeline::identity::{IdentityType, Session, SessionIssuer};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result};
use policy::{Arn, Attached, Context, Policy, PolicyKind};
use wire::Fault;

use super::grant::{self, grant};
use super::narrowing;
use super::token::Holder;
use crate::iam::role::{ROLES, Role};
use crate::iam::tag::{self, Tags};
use crate::iam::{account, mfa};

/// A role, or the lack of one, as the target of `AssumeRole`: its trust policy decides.
#[derive(Clone)]
pub struct TrustedRole {
    arn: String,
    account: String,
    role: Option<Arc<Role>>,
    /// The code that the request shows, verified.
    shown: Option<mfa::Shown>,
}

impl Resource for TrustedRole {
    const TYPE: &'static str = "AWS::IAM::Role";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let trust = match &self.role {
            Some(role) => role.trust.attached(|| format!("role/{} trust policy", role.name)),
            None => nobody()?,
        };
        Ok(ResourcePolicies::Policy(trust))
    }

    fn conditions(&self, context: &mut Context) {
        if let Some(role) = &self.role {
            tag::resource_conditions(&role.tags, context);
        }
        if self.shown.is_some() {
            context.insert("aws:MultiFactorAuthPresent", "true");
            context.insert("aws:MultiFactorAuthAge", "0");
        }
    }
}

/// The trust policy of a role that does not exist: it names a service that does not exist either.
fn nobody() -> Result<Attached> {
    const TEXT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"nobody.ringwork.invalid"},"Action":"sts:AssumeRole"}]}"#;
    static NOBODY: OnceLock<Attached> = OnceLock::new();
    if let Some(attached) = NOBODY.get() {
        return Ok(attached.clone());
    }
    let policy = Policy::parse(TEXT, PolicyKind::Trust).map_err(Fault::internal)?;
    Ok(NOBODY
        .get_or_init(|| Attached::new(Arc::new(policy), "role that does not exist"))
        .clone())
}

/// The role that an ARN names, in any account.
pub(super) fn trusted(look: &mut Look<'_>, text: &str) -> Result<TrustedRole> {
    let invalid = || Fault::validation(format!("{text} is invalid"));
    let arn = Arn::parse(text)
        .filter(|arn| arn.service() == "iam" && arn.region().is_empty())
        .ok_or_else(invalid)?;
    let path = arn.resource().strip_prefix("role/").ok_or_else(invalid)?;
    let name = path
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .ok_or_else(invalid)?;
    let account = arn.account().to_owned();
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let role = look.get(&ROLES, &(account.clone(), name.to_lowercase()))?;
    let closed = account::is_closed(look, &account)?;
    Ok(TrustedRole {
        role: role.filter(|role| !closed && role.arn() == text),
        arn: text.to_owned(),
        account,
        shown: None,
    })
}

/// Issues credentials of a role to a caller whom the role trusts, and whom its own account lets (S4.3).
pub struct AssumeRole;

pub(super) const TAG_SESSION: Access = Access::tagging("sts:TagSession");
pub(super) const SET_SOURCE_IDENTITY: Access = Access::write("sts:SetSourceIdentity");

impl Operation for AssumeRole {
    type Input = model::AssumeRoleRequest;
    type Output = model::AssumeRoleResponse;
    type Target = TrustedRole;
    const ACCESS: Access = Access::write("sts:AssumeRole");
    const CONDITIONS: &'static [&'static str] = &[
        "sts:ExternalId",
        "sts:RoleSessionName",
        "sts:SourceIdentity",
        "sts:TransitiveTagKeys",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    ];
    const ALSO: &'static [Access] = &[TAG_SESSION, SET_SOURCE_IDENTITY];
    // CloudTrail's events of it say readOnly, since nothing that is kept changes.
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<TrustedRole>> {
        let target = trusted(look, &input.role_arn)?;
        // A wrong code fails like a wrong signature: before anything is decided.
        let shown = mfa::show(look, input.serial_number.as_deref(), input.token_code.as_deref())?;
        Ok(Found::Here(TrustedRole { shown, ..target }))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("sts:RoleSessionName", input.role_session_name.clone());
        if let Some(id) = &input.external_id {
            context.insert("sts:ExternalId", id.clone());
        }
        if let Some(identity) = &input.source_identity {
            context.insert("sts:SourceIdentity", identity.clone());
        }
        if let Some(keys) = &input.transitive_tag_keys {
            context.insert_many("sts:TransitiveTagKeys", keys.clone());
        }
        let tags = input.tags.iter().flatten();
        tag::request_conditions(tags.map(|tag| (tag.key.as_str(), tag.value.as_str())), context);
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<TrustedRole>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        if call.identity.kind == IdentityType::Root {
            return Err(Fault::access_denied("Roles may not be assumed by root accounts."));
        }
        if input
            .provided_contexts
            .as_ref()
            .is_some_and(|contexts| !contexts.is_empty())
        {
            return Err(Fault::validation("No provider of trusted contexts is set up."));
        }
        let mut context = Context::new();
        Self::conditions(&input, &mut context);
        let target = target.into_inner();
        if let Some(shown) = &target.shown {
            shown.spend(call)?;
        }
        let terms = Terms {
            session_name: input.role_session_name,
            seconds: input.duration_seconds,
            ends: None,
            policy: input.policy,
            policy_arns: input.policy_arns,
            tags: input.tags,
            transitive_tag_keys: input.transitive_tag_keys.unwrap_or_default(),
            source_identity: input.source_identity,
            token_size_min: input.minimum_session_token_size,
        };
        let lent = lend(call, &target, terms, context)?;
        Ok(model::AssumeRoleResponse {
            assumed_role_user: Some(lent.user),
            credentials: Some(lent.credentials),
            packed_policy_size: lent.packed_percent,
            session_token_size: lent.token_size,
            session_token_utilization: lent.token_utilization,
            source_identity: lent.source_identity,
        })
    }
}

/// What a session of a role is asked for with, by whichever operation.
pub(super) struct Terms {
    pub(super) session_name: String,
    /// Seconds that the caller asks for.
    pub(super) seconds: Option<i32>,
    /// When the session ends at the latest, whatever was asked for: milliseconds since the epoch, by the cloud's clock.
    pub(super) ends: Option<i64>,
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Option<Vec<model::PolicyDescriptorType>>,
    pub(super) tags: Option<Vec<model::Tag>>,
    pub(super) transitive_tag_keys: Vec<String>,
    pub(super) source_identity: Option<String>,
    pub(super) token_size_min: Option<i32>,
}

/// A session of a role, as answers tell of it.
pub(super) struct Lent {
    pub(super) user: model::AssumedRoleUser,
    pub(super) credentials: model::Credentials,
    pub(super) packed_percent: Option<i32>,
    pub(super) token_size: Option<i32>,
    pub(super) token_utilization: Option<i32>,
    pub(super) source_identity: Option<String>,
}

/// Issues credentials of a role that trusts the caller. `context` is what the operation says of the request; tags and a source
/// identity must be allowed by the trust policy as well.
pub(super) fn lend(
    call: &mut Call<'_>,
    target: &TrustedRole,
    terms: Terms,
    context: Context,
) -> Result<Lent> {
    let account = target.account.clone();
    let Some(role) = target.role.clone() else {
        return Err(Fault::internal("a role that does not exist was assumed"));
    };
    let seconds = duration(call, &role, terms.seconds)?;
    let left = terms
        .ends
        .map(|ends| ends.saturating_sub(call.now.0).div_euclid(1000));
    let seconds = left.map_or(seconds, |left| seconds.min(left));
    let inherited = inherited_tags(call);
    let narrowing = narrowing::read(call, &account, terms.policy, terms.policy_arns, terms.tags)?;
    let (tags, transitive) = session_tags(inherited, narrowing.tags, terms.transitive_tag_keys)?;
    if !tags.is_empty() {
        call.authorize(TAG_SESSION, Found::Here(target.clone()), context.clone())?;
    }
    let source_identity = source_identity(call, target, terms.source_identity, context)?;
    let name = terms.session_name;
    let provider = call
        .identity
        .federation
        .as_ref()
        .map(|_| call.identity.arn.to_string());
    let session = Session {
        issuer: Some(issuer(&role)),
        mfa: target.shown.as_ref().map(|shown| shown.at),
        source_identity: source_identity.clone(),
        federated_provider: provider,
        transitive_tag_keys: transitive,
        chained: call.identity.kind == IdentityType::AssumedRole,
        console: call.identity.session.as_ref().is_some_and(|own| own.console),
        policies: narrowing.policies,
        ..Session::default()
    };
    let holder = Holder::Role {
        name: role.name.to_lowercase(),
        id: role.id.clone(),
        session: name.clone(),
    };
    let credentials = grant(
        call,
        &account,
        holder,
        tags,
        session,
        seconds,
        terms.token_size_min,
    )?;
    call.share_with(&account);
    let (token_size, token_utilization) = grant::token_size(&credentials);
    Ok(Lent {
        user: model::AssumedRoleUser {
            arn: session_arn(&account, &role.name, &name),
            assumed_role_id: format!("{}:{name}", role.id),
        },
        credentials,
        packed_percent: narrowing.packed_percent,
        token_size,
        token_utilization,
        source_identity,
    })
}

/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; it leaves the role's path out.
pub(crate) fn session_arn(account: &str, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

/// CloudTrail's `sessionIssuer`.
fn issuer(role: &Role) -> SessionIssuer {
    SessionIssuer {
        kind: "Role".to_owned(),
        principal_id: role.id.clone(),
        arn: role.arn(),
        account_id: role.account.clone(),
        user_name: role.name.clone(),
    }
}

/// Seconds of the session: what was asked or an hour, within the role's limit, and within an hour for chained roles (S4.7).
fn duration(call: &Call<'_>, role: &Role, asked: Option<i32>) -> Result<i64> {
    const HOUR: i64 = 3600;
    let session = call.identity.session.as_ref();
    let switching = session.filter(|session| session.console && call.identity.kind == IdentityType::IamUser);
    if let (Some(session), None) = (switching, asked) {
        // A user who switches roles in the console has the role for as long as may be (IAM User Guide, "IAM and AWS STS quotas").
        let left = session.expires.saturating_sub(call.now.0).div_euclid(1000);
        return Ok(left.min(i64::from(role.max_session_seconds)));
    }
    let seconds = asked.map_or(HOUR, i64::from);
    if call.identity.kind == IdentityType::AssumedRole && seconds > HOUR {
        return Err(Fault::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    // It binds whoever assumes the role by the API, and no service (IAM User Guide, "Update the maximum session duration for a role").
    let bound = call.identity.kind != IdentityType::AwsService;
    if bound && seconds > i64::from(role.max_session_seconds) {
        return Err(Fault::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

/// Tags of the calling session that pass on to sessions that it makes.
fn inherited_tags(call: &Call<'_>) -> Tags {
    let Some(session) = &call.identity.session else {
        return Tags::new();
    };
    let passes = |key: &str| {
        session
            .transitive_tag_keys
            .iter()
            .any(|known| known.eq_ignore_ascii_case(key))
    };
    call.identity
        .tags
        .iter()
        .filter(|(key, _)| passes(key))
        .cloned()
        .collect()
}

/// The tags of the new session, and which of them pass on further.
fn session_tags(inherited: Tags, asked: Tags, transitive: Vec<String>) -> Result<(Tags, Vec<String>)> {
    let has = |tags: &Tags, key: &str| tags.iter().any(|(known, _)| known.eq_ignore_ascii_case(key));
    if asked.iter().any(|(key, _)| has(&inherited, key)) {
        return Err(Fault::validation(
            "One of the specified tag keys can't be set because it conflicts with a transitive tag key from the calling \
             session.",
        ));
    }
    if transitive.iter().any(|key| !has(&asked, key)) {
        return Err(Fault::validation(
            "The specified transitive tag key must be included in the requested tags.",
        ));
    }
    let mut passing: Vec<String> = inherited.iter().map(|(key, _)| key.clone()).collect();
    passing.extend(transitive);
    let mut tags = inherited;
    tags.extend(asked);
    Ok((tags, passing))
}

/// Who is behind the session: what was asked, or what the calling session has, which cannot be changed any more.
fn source_identity(
    call: &mut Call<'_>,
    target: &TrustedRole,
    asked: Option<String>,
    mut context: Context,
) -> Result<Option<String>> {
    let held = call
        .identity
        .session
        .as_ref()
        .and_then(|session| session.source_identity.clone());
    if let (Some(held), Some(asked)) = (&held, &asked)
        && held != asked
    {
        let message = format!(
            "User: {} is not authorized to perform: sts:SetSourceIdentity on resource: {}",
            call.identity.arn, target.arn
        );
        return Err(Fault::access_denied(message));
    }
    let Some(effective) = held.or(asked) else {
        return Ok(None);
    };
    context.insert("sts:SourceIdentity", effective.clone());
    call.authorize(SET_SOURCE_IDENTITY, Found::Here(target.clone()), context)?;
    Ok(Some(effective))
}
