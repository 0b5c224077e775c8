//! Which credentials there are, of one user or of all.

use api::iam as model;
use api::iam::fault::service_not_supported_exception;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use super::{SERVICE_CREDENTIALS, service};
use crate::iam::owned;
use crate::iam::page::Page;
use crate::iam::user::{self, Holder, holder};

/// A user, or all users of the account.
pub enum Users {
    One(Holder),
    All(Denoted),
}

impl Resource for Users {
    const TYPE: &'static str = Holder::TYPE;

    fn arn(&self) -> String {
        match self {
            Self::One(holder) => holder.arn(),
            Self::All(users) => users.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::One(holder) => holder.account(),
            Self::All(users) => users.account(),
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::One(holder) = self {
            holder.conditions(context);
        }
    }
}

fn map<T, U>(found: Found<T>, change: impl FnOnce(T) -> U) -> Found<U> {
    match found {
        Found::Here(here) => Found::Here(change(here)),
        Found::Absent { arn, fault } => Found::Absent { arn, fault },
    }
}

/// Lists credentials without their secrets.
pub struct ListServiceSpecificCredentials;

impl Operation for ListServiceSpecificCredentials {
    type Input = model::ListServiceSpecificCredentialsRequest;
    type Output = model::ListServiceSpecificCredentialsResponse;
    type Target = Users;
    const ACCESS: Access = Access::list("iam:ListServiceSpecificCredentials");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Users>> {
        if input.all_users != Some(true) {
            return Ok(map(holder(look, input.user_name.as_deref())?, Users::One));
        }
        if input.user_name.is_some() {
            return Err(Fault::validation(
                "UserName and AllUsers cannot be given together.",
            ));
        }
        let arn = user::arn(look.account(), "/", "*");
        Ok(map(Denoted::new(look, arn), Users::All))
    }

    fn handle(call: &mut Call<'_>, users: Authorized<Users>, input: Self::Input) -> Result<Self::Output> {
        let wanted = input.service_name;
        if let Some(name) = wanted.as_deref().filter(|name| !service::is_known(name)) {
            let message = format!("No service-specific credentials are supported for the service {name}.");
            return Err(service_not_supported_exception(message));
        }
        let account = call.account().to_owned();
        let (whose, held) = match &*users {
            Users::One(holder) => {
                let lower = holder.lower();
                let held = owned::of_holder(call, &SERVICE_CREDENTIALS, &account, &lower)?;
                (lower, held)
            }
            Users::All(_) => ("*".to_owned(), everybodys(call, &account)?),
        };
        let filter = wanted.as_deref().unwrap_or_default();
        let list = format!("ListServiceSpecificCredentials/{whose}/{filter}");
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let fits = |service: &str| wanted.as_deref().is_none_or(|wanted| wanted == service);
        let paged = page.of_sorted(call, held.into_iter().filter(|(_, row)| fits(&row.service)))?;
        let now = call.now;
        Ok(model::ListServiceSpecificCredentialsResponse {
            is_truncated: paged.truncated(),
            service_specific_credentials: Some(paged.items.iter().map(|row| row.metadata(now)).collect()),
            marker: paged.marker,
        })
    }
}

type Rows = Vec<(String, std::sync::Arc<super::ServiceCredential>)>;

/// The credentials of all users, by user and id.
fn everybodys(call: &mut Call<'_>, account: &str) -> Result<Rows> {
    let rows = call.every(&SERVICE_CREDENTIALS, &(account,))?.into_iter();
    let mut all: Rows = rows
        .map(|((_, user, id), row)| (format!("{user}/{id}"), row))
        .collect();
    // Names sort otherwise as parts of one text than as parts of a key.
    all.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(all)
}
