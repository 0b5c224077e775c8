//! Federated users: people whom a user's own program knows, with at most that user's permissions (S4.2, S4.4).

use api::sts as model;
use pipeline::identity::{Session, SessionIssuer};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::grant::{self, grant};
use super::narrowing;
use super::token::Holder;
use crate::iam::tag;

/// Issues credentials of a federated user: the caller's permissions, as far as the session policies allow (S4.4).
pub struct GetFederationToken;

const TAG_SESSION: Access = Access::tagging("sts:TagSession");

impl Operation for GetFederationToken {
    type Input = model::GetFederationTokenRequest;
    type Output = model::GetFederationTokenResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("sts:GetFederationToken");
    // So CloudTrail has it (IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail").
    const READ_ONLY: bool = false;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_SESSION];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = format!("arn:aws:sts::{}:federated-user/{}", look.account(), input.name);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let tags = input.tags.iter().flatten();
        tag::request_conditions(tags.map(|tag| (tag.key.as_str(), tag.value.as_str())), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let of = match grant::long_term_holder(call, "GetFederationToken")? {
            Holder::User { name, id } => Some((name, id)),
            _ => None,
        };
        let account = call.account().to_owned();
        let arn = target.arn();
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_SESSION, &arn, &account, context)?;
        }
        let narrowing = narrowing::read(call, &account, input.policy, input.policy_arns, input.tags)?;
        let asker = if of.is_some() {
            Holder::User {
                name: String::new(),
                id: String::new(),
            }
        } else {
            Holder::Root
        };
        let seconds = grant::seconds(&asker, input.duration_seconds);
        let holder = Holder::Federated {
            name: input.name.clone(),
            of,
        };
        let session = Session {
            issuer: Some(issuer(call)),
            policies: narrowing.policies,
            ..Session::default()
        };
        let size_min = input.minimum_session_token_size;
        let credentials = grant(call, &account, holder, narrowing.tags, session, seconds, size_min)?;
        let (session_token_size, session_token_utilization) = grant::token_size(&credentials);
        let federated_user = model::FederatedUser {
            arn,
            federated_user_id: format!("{account}:{}", input.name),
        };
        Ok(model::GetFederationTokenResponse {
            credentials: Some(credentials),
            federated_user: Some(federated_user),
            packed_policy_size: narrowing.packed_percent,
            session_token_size,
            session_token_utilization,
        })
    }
}

/// CloudTrail's `sessionIssuer`: the user or root who asked.
fn issuer(call: &Call<'_>) -> SessionIssuer {
    let identity = call.identity;
    let user = identity.user_name.as_deref();
    SessionIssuer {
        kind: if user.is_some() { "IAMUser" } else { "Root" }.to_owned(),
        principal_id: identity.user_id.to_string(),
        arn: identity.arn.to_string(),
        account_id: identity.account.to_string(),
        user_name: user.unwrap_or_default().to_owned(),
    }
}
