//! The names of a secret's resource policies (Secrets Manager API Reference, `ListResourcePolicies`).
//!
//! Invariant: what is listed is what `GetResourcePolicy` shows, and what decides who may come.

use api::secretsmanager as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::cross_account::POLICY;
use super::naming::resolve;
use super::page::{self, Order};
use super::policy::NAME;
use super::secret::{Secret, SecretTarget};

/// Names of one page, unless told.
const NAMES_MAX: usize = 100;

/// Lists the names of a secret's policies: `default` first, the others by the alphabet.
pub struct ListResourcePolicies;

impl Operation for ListResourcePolicies {
    type Input = model::ListResourcePoliciesRequest;
    type Output = model::ListResourcePoliciesResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::list("secretsmanager:ListResourcePolicies");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_staying()?;
        let list = format!("ListResourcePolicies {}", secret.arn());
        let asked = (
            input.next_token.as_deref(),
            page::size(input.max_results, NAMES_MAX),
        );
        let (names, next_token) = page::take(call, &list, asked, Order::Ascending, named(&secret))?;
        let summary = |name: &str| model::ResourcePolicySummary {
            policy_name: Some(name.to_owned()),
        };
        Ok(model::ListResourcePoliciesResponse {
            next_token,
            resource_policies: names.into_iter().map(summary).collect(),
        })
    }
}

/// The names, each with its place in the list.
fn named(secret: &Secret) -> Vec<(String, &'static str)> {
    let own = secret.policy.as_ref().map(|_| (String::new(), NAME));
    let managed = secret.followed.as_ref().map(|_| (POLICY.to_owned(), POLICY));
    own.into_iter().chain(managed).collect()
}
