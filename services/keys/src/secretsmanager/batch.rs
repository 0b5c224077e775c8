//! Many values by one call: each is judged by itself.
//!
//! Invariant: what a caller may not read one by one comes back as an error of its own, never as a value.

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_parameter_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::fault::{Code, Common};

use super::filter::Filters;
use super::list::LIST;
use super::naming::resolve;
use super::page::{self, Order};
use super::place::Walk;
use super::secret::{CURRENT, Secret};
use super::value::{self, GET};

/// Values of one answer.
const VALUES_MAX: usize = 20;

/// Reads the current values of the secrets that ids or filters name.
pub struct BatchGetSecretValue;

impl Operation for BatchGetSecretValue {
    type Input = model::BatchGetSecretValueRequest;
    type Output = model::BatchGetSecretValueResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("secretsmanager:BatchGetSecretValue");
    const ALSO: &'static [Access] = &[GET, LIST];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let (ids, next_token) = match (input.secret_id_list, input.filters) {
            (Some(_), Some(_)) => {
                return Err(invalid_parameter_exception(
                    "You can't use both SecretIdList and Filters. Choose one or the other.",
                ));
            }
            (None, None) => {
                return Err(invalid_parameter_exception(
                    "You must provide either SecretIdList or Filters.",
                ));
            }
            (Some(_), None) if input.max_results.is_some() => {
                return Err(invalid_parameter_exception(
                    "MaxResults can only be used together with Filters.",
                ));
            }
            (Some(ids), None) => (ids, None),
            (None, Some(filters)) => {
                let scope = AccountScope::of(call);
                call.authorize(LIST, scope, Context::default())?;
                let filters = Filters::read(Some(filters))?;
                let walk = Walk {
                    told: format!("BatchGetSecretValue {}", filters.told()),
                    by: model::SortByType::Name,
                    order: Order::Ascending,
                    token: input.next_token.as_deref(),
                    limit: page::size(input.max_results, VALUES_MAX),
                };
                let accept = |secret: &Secret| secret.deletion.is_none() && filters.accept(secret);
                let (found, next_token) = walk.take(call, accept)?;
                (found.iter().map(|secret| secret.arn()).collect(), next_token)
            }
        };
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            match one(call, &id) {
                Ok(value) => values.push(value),
                Err(fault) => errors.push(told(id, fault)?),
            }
        }
        Ok(model::BatchGetSecretValueResponse {
            errors: Some(errors),
            next_token,
            secret_values: Some(values),
        })
    }
}

fn one(call: &mut Call<'_>, id: &str) -> Result<model::SecretValueEntry> {
    let found = resolve(call, id)?;
    let mut context = Context::default();
    context.insert("secretsmanager:VersionStage", CURRENT);
    let secret = call.authorize(GET, found, context)?;
    value::show(call, &secret, None, None)
}

/// A refusal as a part of the answer; what failed inside fails the call.
fn told(id: String, fault: Fault) -> Result<model::APIErrorType> {
    let code = match &fault.code {
        Code::Common(Common::AccessDenied) => "AccessDeniedException".to_owned(),
        Code::Common(Common::Validation) => "ValidationException".to_owned(),
        Code::Modeled {
            code, status: 400, ..
        } => (*code).to_owned(),
        _ => return Err(fault),
    };
    Ok(model::APIErrorType {
        error_code: Some(code),
        message: Some(fault.message),
        secret_id: Some(id),
    })
}
