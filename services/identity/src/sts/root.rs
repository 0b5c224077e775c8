//! Privileged sessions: the root user of a member account for a quarter of an hour, for one task and nothing else.
//!
//! Source: STS API Reference, "AssumeRoot"; IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
//! Invariant: only an account that stands for the member's organization in matters of IAM gets such a session, and never over itself
//! or the management account.

use std::sync::Arc;

use api::sts as model;
use pipeline::identity::{IdentityType, Session, SessionPolicy};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result};
use policy::{Arn, Attached, Context, Policy, PolicyKind};
use wire::Fault;

use super::grant::{self, grant};
use super::token::Holder;
use crate::iam::organizations_features::{self, Features, SERVICE};
use crate::iam::tag::Tags;
use crate::organizations::membership::{State, membership};
use crate::organizations::service_access;

/// Seconds that a session lasts unless the caller wants less; no session lasts longer.
const SECONDS_MAX: i32 = 900;
/// How the ARN of every policy of a task begins.
const TASKS: &str = "arn:aws:iam::aws:policy/root-task/";

/// What a session may be for.
#[derive(Clone, Copy)]
enum Task {
    AuditCredentials,
    CreatePassword,
    DeleteCredentials,
    UnlockBucket,
    UnlockQueue,
}

impl Task {
    fn of(arn: &str) -> Option<Self> {
        Some(match arn.strip_prefix(TASKS)? {
            "IAMAuditRootUserCredentials" => Self::AuditCredentials,
            "IAMCreateRootUserPassword" => Self::CreatePassword,
            "IAMDeleteRootUserCredentials" => Self::DeleteCredentials,
            "S3UnlockBucketPolicy" => Self::UnlockBucket,
            "SQSUnlockQueuePolicy" => Self::UnlockQueue,
            _ => return None,
        })
    }

    /// Whether the organization has the feature on that the task belongs to. To look at credentials, either will do.
    const fn is_enabled(self, features: Features) -> bool {
        match self {
            Self::AuditCredentials => features.credentials_management || features.sessions,
            Self::DeleteCredentials => features.credentials_management,
            Self::CreatePassword | Self::UnlockBucket | Self::UnlockQueue => features.sessions,
        }
    }
}

/// The root user of an account, as the target of `AssumeRoot`. It trusts whoever stands for the account's organization.
pub struct RootUser {
    account: String,
    /// The account that it trusts.
    trusts: Option<String>,
    /// What is turned on in the organization.
    features: Features,
}

impl Resource for RootUser {
    const TYPE: &'static str = "AWS::IAM::User";

    fn arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        // One who is not trusted is trusted by nobody: a service that does not exist.
        let principal = match &self.trusts {
            Some(account) => serde_json::json!({ "AWS": account }),
            None => serde_json::json!({"Service": "nobody.ringwork.invalid"}),
        };
        let text = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoot"}],
        });
        let policy = Policy::parse(&text.to_string(), PolicyKind::Trust).map_err(Fault::internal)?;
        let attached = Attached::new(Arc::new(policy), "central root access");
        Ok(ResourcePolicies::Policy(attached))
    }
}

/// The account that a request names: by its id, or by the ARN of its root user.
fn account_named(principal: &str) -> Option<String> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account(principal) {
        return Some(principal.to_owned());
    }
    let arn = Arn::parse(principal).filter(|arn| arn.service() == "iam" && arn.region().is_empty())?;
    let fits = arn.resource() == "root" && is_account(arn.account());
    fits.then(|| arn.account().to_owned())
}

fn root_of(look: &mut Look<'_>, account: String) -> Result<RootUser> {
    let nobody = RootUser {
        account: account.clone(),
        trusts: None,
        features: Features::default(),
    };
    let caller = look.account().to_owned();
    let Some(organization) = organizations_features::administered(look, &caller)? else {
        return Ok(nobody);
    };
    let member = membership(look, &account)?.filter(|member| {
        member.organization == organization.id
            && !member.is_management()
            && member.state == State::Active
            && member.account != caller
    });
    if member.is_none() || !service_access::is_enabled(look, &organization.management, SERVICE)? {
        return Ok(nobody);
    }
    Ok(RootUser {
        account,
        trusts: Some(caller),
        features: organizations_features::of_organization(look, &organization)?,
    })
}

/// Issues credentials of a member's root user, narrowed to a task.
pub struct AssumeRoot;

impl Operation for AssumeRoot {
    type Input = model::AssumeRootRequest;
    type Output = model::AssumeRootResponse;
    type Target = RootUser;
    const ACCESS: Access = Access::write("sts:AssumeRoot");
    const CONDITIONS: &'static [&'static str] = &["sts:TaskPolicyArn"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<RootUser>> {
        let principal = &input.target_principal;
        let account =
            account_named(principal).ok_or_else(|| Fault::validation(format!("{principal} is invalid")))?;
        root_of(look, account).map(Found::Here)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(arn) = &input.task_policy_arn.arn {
            context.insert("sts:TaskPolicyArn", arn.clone());
        }
    }

    fn handle(call: &mut Call<'_>, root: Authorized<RootUser>, input: Self::Input) -> Result<Self::Output> {
        if call.identity.kind == IdentityType::Root {
            return Err(Fault::access_denied(
                "Root sessions may not be started with root user credentials.",
            ));
        }
        let arn = input.task_policy_arn.arn.unwrap_or_default();
        let task = Task::of(&arn)
            .ok_or_else(|| Fault::validation(format!("{arn} is not the policy of a privileged task.")))?;
        if !task.is_enabled(root.features) {
            return Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: sts:AssumeRoot on resource: {} because the organization has not enabled \
                 the feature that the task belongs to",
                call.identity.arn,
                root.arn()
            )));
        }
        let asker = call.identity.session.as_ref();
        let source_identity = asker.and_then(|session| session.source_identity.clone());
        let session = Session {
            source_identity: source_identity.clone(),
            assumed_root: true,
            policies: vec![SessionPolicy::Managed(arn)],
            ..Session::default()
        };
        let seconds = i64::from(input.duration_seconds.unwrap_or(SECONDS_MAX).min(SECONDS_MAX));
        let size_min = input.minimum_session_token_size;
        let account = root.account.clone();
        let credentials = grant(
            call,
            &account,
            Holder::Root,
            Tags::new(),
            session,
            seconds,
            size_min,
        )?;
        call.share_with(&account);
        let (session_token_size, session_token_utilization) = grant::token_size(&credentials);
        Ok(model::AssumeRootResponse {
            credentials: Some(credentials),
            session_token_size,
            session_token_utilization,
            source_identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::managed::catalogue;

    #[test]
    fn every_policy_of_a_task_is_one_of_the_catalogue_and_the_other_way_about() {
        let tasks: Vec<String> = catalogue::all()
            .map(|entry| entry.arn())
            .filter(|arn| arn.starts_with(TASKS))
            .collect();
        assert_eq!(tasks.len(), 5);
        assert!(tasks.iter().all(|arn| Task::of(arn).is_some()), "{tasks:?}");
        assert!(Task::of("arn:aws:iam::aws:policy/AdministratorAccess").is_none());
    }

    #[test]
    fn accounts_are_named_by_id_or_by_their_root_user() {
        let root = "arn:aws:iam::111122223333:root";
        for text in ["111122223333", root] {
            assert_eq!(account_named(text).as_deref(), Some("111122223333"), "{text}");
        }
        for text in [
            "1111222233334",
            "11112222333x",
            "arn:aws:iam::111122223333:user/root",
            "arn:aws:sts::111122223333:root",
        ] {
            assert_eq!(account_named(text), None, "{text}");
        }
    }
}
