//! A new account: asked for now, made a little later, as on AWS.

use api::organizations as model;
use pipeline::jobs::JobKind;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde_json::{Value, json};
use wire::{Fault, Timestamp};

use super::super::event;
use super::super::handshake;
use super::super::membership::{JoinedMethod, Membership, State, place};
use super::super::organization::{ORGANIZATIONS, Organization, organization};
use super::super::reach::{self, Reached, Who};
use super::super::tag::{self, TAG_RESOURCE};
use super::super::{SERVICE, id, refusal};
use super::status::{CREATE_ACCOUNT_STATUS, Creation, Outcome};
use crate::iam::account::ACCOUNTS;
use crate::iam::role::{self, Draft, SESSION_SECONDS_DEFAULT, linked};
use crate::iam::{attachment, bootstrap};

/// The role by which the management account reaches into an account that it made.
const ROLE_NAME: &str = "OrganizationAccountAccessRole";
/// What the role may do.
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// Draws of an account id before all of them seem taken.
const DRAWS_MAX: usize = 16;
/// Rows read at a time.
const STRIDE: usize = 256;

/// Asks for a new account that belongs to the organization from the start.
pub struct CreateAccount;

impl Operation for CreateAccount {
    type Input = model::CreateAccountRequest;
    type Output = model::CreateAccountResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:CreateAccount");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_RESOURCE];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Management)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        tag::ask(call, input.tags.as_ref(), &reached.arn(), reached.account())?;
        let organization = reached.organization();
        let role = input.role_name.unwrap_or_else(|| ROLE_NAME.to_owned());
        if role.to_lowercase().starts_with("awsservicerolefor") {
            return Err(refusal::invalid(
                "INVALID_ROLE_NAME",
                "You specified an invalid role name: it can't begin with AWSServiceRoleFor.",
            ));
        }
        let tags = tag::read(input.tags)?;
        if handshake::is_full(call, organization)? {
            return Err(refusal::constraint(
                "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the allowed number of AWS accounts.",
            ));
        }
        let creation = Creation {
            id: id::draw(call, "car-", 32)?,
            name: input.account_name,
            email: input.email,
            role,
            tags,
            requested: Timestamp::from_seconds(call.now.seconds()).0,
            outcome: None,
        };
        recount(call, organization, organization.accounts.saturating_add(1))?;
        let key = (organization.management.clone(), creation.id.clone());
        let shown = creation.shown();
        call.put(&CREATE_ACCOUNT_STATUS, &key, creation)?;
        call.schedule(CREATE.name, call.now, json!({ "request": key.1 }))?;
        Ok(model::CreateAccountResponse {
            create_account_status: Some(shown),
        })
    }
}

/// Writes how many accounts an organization has.
fn recount(call: &mut Call<'_>, organization: &Organization, accounts: u32) -> Result<()> {
    let row = Organization {
        accounts,
        ..organization.clone()
    };
    call.put(&ORGANIZATIONS, &organization.management, row)
}

/// Makes the account that was asked for.
pub(in super::super) const CREATE: JobKind = JobKind {
    name: "organizations.CreateAccount",
    service: "organizations",
    event: "CreateAccountResult",
    run: create,
};

fn create(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let management = call.account().to_owned();
    let request = payload.get("request").and_then(Value::as_str).unwrap_or_default();
    let key = (management.clone(), request.to_owned());
    // The organization may be gone by now, and the request with it.
    let (Some(creation), Some(organization)) = (
        call.get(&CREATE_ACCOUNT_STATUS, &key)?,
        organization(call, &management)?,
    ) else {
        return Ok(());
    };
    let completed = Timestamp::from_seconds(call.now.seconds()).0;
    let account = if email_is_taken(call, &creation.email)? {
        recount(call, &organization, organization.accounts.saturating_sub(1))?;
        Err("EMAIL_ALREADY_EXISTS".to_owned())
    } else {
        Ok(make(call, &organization, &creation, completed)?)
    };
    let creation = Creation {
        outcome: Some(Outcome { completed, account }),
        ..(*creation).clone()
    };
    let told = told(&creation, completed);
    call.add_event_data("createAccountStatus", told);
    call.put(&CREATE_ACCOUNT_STATUS, &key, creation)
}

/// What the event tells of a request; names are nobody else's business.
fn told(creation: &Creation, completed: i64) -> serde_json::Map<String, Value> {
    let shown = creation.shown();
    let time = |at| Value::from(Timestamp(at).iso8601());
    let members = [
        ("id", shown.id.map(Value::from)),
        ("state", Some(Value::from(creation.state().as_str()))),
        ("accountName", Some(Value::from("****"))),
        ("accountId", shown.account_id.map(Value::from)),
        (
            "failureReason",
            shown.failure_reason.map(|reason| Value::from(reason.as_str())),
        ),
        ("requestedTimestamp", Some(time(creation.requested))),
        ("completedTimestamp", Some(time(completed))),
    ];
    let present = members.into_iter();
    present
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// The account itself, its role, and its place below the root.
fn make(
    call: &mut Call<'_>,
    organization: &Organization,
    creation: &Creation,
    joined_at: i64,
) -> Result<String> {
    let account = draw_account(call)?;
    bootstrap::make_account(call, &account, &creation.name, creation.email.clone())?;
    let management = &organization.management;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{management}:root") },
            "Action": "sts:AssumeRole",
        }],
    });
    call.within(&account, |call| {
        let draft = Draft {
            name: creation.role.clone(),
            path: "/".to_owned(),
            trust: trust.to_string(),
            description: None,
            max_session_seconds: SESSION_SECONDS_DEFAULT,
            tags: Vec::new(),
            boundary: None,
        };
        let role = role::make(call, draft)?;
        attachment::attach(call, role, ADMINISTRATOR.to_owned())?;
        linked::provide(call, SERVICE)
    })?;
    let member = Membership {
        account: account.clone(),
        management: management.clone(),
        organization: organization.id.clone(),
        parent: organization.root_id.clone(),
        joined_method: JoinedMethod::Created,
        joined_at,
        state: State::Active,
        ending: None,
        tags: creation.tags.clone(),
    };
    place(call, member.clone())?;
    event::joined(call, &member)?;
    Ok(account)
}

/// Twelve digits that no account has.
fn draw_account(call: &mut Call<'_>) -> Result<String> {
    for _ in 0..DRAWS_MAX {
        let drawn = crypto::random::below(call.random(), 900_000_000_000).map_err(Fault::internal)?;
        let account = (drawn + 100_000_000_000).to_string();
        if call.get(&ACCOUNTS, &account)?.is_none() {
            return Ok(account);
        }
    }
    Err(Fault::internal("no account id is free"))
}

/// Whether an account has an address already; accounts are made too seldom for an index of them.
fn email_is_taken(look: &mut Look<'_>, email: &str) -> Result<bool> {
    Ok(by_email(look, email)?.is_some())
}

/// The account of an address.
pub(in super::super) fn by_email(look: &mut Look<'_>, email: &str) -> Result<Option<String>> {
    let mut after = None;
    loop {
        let rows = look.range(&ACCOUNTS, &(), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (id, account) in rows {
            if account.email.eq_ignore_ascii_case(email) {
                return Ok(Some(id));
            }
            after = Some(id);
        }
        if !full {
            return Ok(None);
        }
    }
}
