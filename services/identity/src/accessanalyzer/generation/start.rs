//! The request for a policy.

use api::accessanalyzer as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::{Arn, Context};
use wire::Timestamp;

use super::{GENERATIONS, Generation, JOB, NamedTrail, State, all, row};
use crate::accessanalyzer::activity::Activity;
use crate::accessanalyzer::fault::{invalid, quota};
use crate::iam::role::{self, Role};

const PASS_ROLE: Access = Access::write("iam:PassRole");
/// Milliseconds.
const DAY: i64 = 86_400_000;
/// Milliseconds that a policy looks back at most.
const RANGE_MAX: i64 = 90 * DAY;
/// Milliseconds between the request and the policy.
const DELAY: i64 = 2_000;
/// Requests of one day.
const DAILY_MAX: usize = 50;

/// Asks for a policy of what a user or role did.
pub struct StartPolicyGeneration;

impl Operation for StartPolicyGeneration {
    type Input = model::StartPolicyGenerationRequest;
    type Output = model::StartPolicyGenerationResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("access-analyzer:StartPolicyGeneration");
    const ALSO: &'static [Access] = &[PASS_ROLE];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let principal = input.policy_generation_details.principal_arn;
        let own = Arn::parse(&principal).is_some_and(|arn| arn.account() == call.account());
        if !own {
            return Err(invalid(format!(
                "The principal {principal} does not belong to the account."
            )));
        }
        if let Some(details) = &input.cloud_trail_details {
            pass(call, &details.access_role)?;
        }
        let held = all(call)?;
        let token = input.client_token;
        let same = held
            .iter()
            .find(|held| token.is_some() && held.token == token && held.principal == principal);
        if let Some(same) = same {
            return Ok(model::StartPolicyGenerationResponse {
                job_id: same.id.clone(),
            });
        }
        expect_room(call, &held)?;
        let (from, to) = range(call, input.cloud_trail_details.as_ref())?;
        let id = call.uuid()?;
        let trails = input.cloud_trail_details.map(|details| {
            let trails = details.trails.into_iter().map(|trail| NamedTrail {
                arn: trail.cloud_trail_arn,
                regions: trail.regions,
                all_regions: trail.all_regions,
            });
            trails.collect()
        });
        let generation = Generation {
            id: id.clone(),
            principal,
            started: call.now.0,
            completed: None,
            state: State::InProgress,
            from,
            to,
            trails,
            token,
            activity: Activity::new(),
            cursor: None,
            error: None,
        };
        let due = Timestamp(call.now.0.saturating_add(DELAY));
        call.schedule(JOB, due, id.as_str().into())?;
        let key = row(call, &id);
        call.put(&GENERATIONS, &key, generation)?;
        Ok(model::StartPolicyGenerationResponse { job_id: id })
    }
}

/// The role that reads the trails is handed to the service.
fn pass(call: &mut Call<'_>, arn: &str) -> Result<()> {
    let name = arn.rsplit('/').next().unwrap_or(arn).to_owned();
    let held = role::find(call, &name)?.filter(|role| pipeline::Resource::arn(&**role) == arn);
    let found: Found<Role> = Found::or_absent(held.map(|role| (*role).clone()), || {
        (arn.to_owned(), invalid(format!("The role {arn} was not found.")))
    });
    let context = Context::new().with("iam:PassedToService", "access-analyzer.amazonaws.com");
    call.authorize(PASS_ROLE, found, context)?;
    Ok(())
}

fn expect_room(call: &Call<'_>, held: &[std::sync::Arc<Generation>]) -> Result<()> {
    let kind = "PolicyGeneration";
    if let Some(running) = held.iter().find(|held| held.state == State::InProgress) {
        let message = "The maximum of 1 concurrent policy generation is reached.";
        return Err(quota(message, kind, &running.id));
    }
    let day = call.now.0.saturating_sub(DAY);
    if held.iter().filter(|held| held.started > day).count() >= DAILY_MAX {
        let message = format!("The maximum of {DAILY_MAX} policy generations per day is reached.");
        return Err(quota(&message, kind, ""));
    }
    Ok(())
}

/// The time that the policy looks at.
fn range(call: &Call<'_>, details: Option<&model::CloudTrailDetails>) -> Result<(i64, i64)> {
    let now = call.now.0;
    let to = details
        .and_then(|details| details.end_time)
        .map_or(now, |end| end.0);
    let from = details.map_or_else(|| to.saturating_sub(RANGE_MAX), |details| details.start_time.0);
    if from > to || from > now {
        return Err(invalid(
            "The startTime must be before the endTime and not in the future.",
        ));
    }
    if to.saturating_sub(from) > RANGE_MAX {
        return Err(invalid(
            "The time between startTime and endTime must not exceed 90 days.",
        ));
    }
    Ok((from, to))
}
