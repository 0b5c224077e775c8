//! The rooms of the console: the pages of somebody who is signed in.

mod create_role;
mod dashboard;
mod role;
mod trust;
mod user;

use http::StatusCode;
use pipeline::Answer;

use crate::answer::page;
use crate::client::{Parameter, Refusal, Result, Service};
use crate::frame::Notice;
use crate::request::Visit;
use crate::{Console, entrance};

/// Shows a room.
pub(crate) async fn enter(console: &Console, room: &str, visit: &Visit) -> Answer {
    let guest = &visit.guest;
    match (room, guest.posted) {
        ("", false) => dashboard::show(visit).await,
        ("switch", _) => entrance::switch(console, visit).await,
        ("switch/exit", true) => entrance::exit_role(console, guest).await,
        ("region", true) => entrance::region(guest),
        ("iam/roles", false) => role::list(visit).await,
        ("iam/role", false) => role::show(visit).await,
        ("iam/delete-role", _) => role::delete(visit).await,
        ("iam/create-role", _) => create_role::step(visit).await,
        ("iam/users", false) => user::list(visit).await,
        ("iam/user", false) => user::show(visit).await,
        _ => page(
            StatusCode::NOT_FOUND,
            &Notice::new("Not found", "The console has no such page."),
        ),
    }
}

/// The status of a page that says why there is nothing to see.
fn status(refusal: Option<&Refusal>) -> StatusCode {
    match refusal.map(|refusal| refusal.code.as_str()) {
        None => StatusCode::OK,
        Some("NoSuchEntity") => StatusCode::NOT_FOUND,
        Some("AccessDenied") => StatusCode::FORBIDDEN,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

/// One page of a list, and where the next one begins.
struct Listed<T> {
    items: Vec<T>,
    next: String,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: String::new(),
        }
    }
}

/// What a page shows of something that may be refused.
fn kept<T: Default>(result: Result<T>, refusals: &mut Vec<Refusal>) -> T {
    result.unwrap_or_else(|refusal| {
        refusals.push(refusal);
        T::default()
    })
}

impl Visit {
    /// One page of a list of an awsQuery service that pages by `Marker`.
    async fn page_of<T>(
        &self,
        (service, operation, list): (Service, &str, &str),
        mut parameters: Vec<Parameter<'_>>,
        marker: &str,
        read: impl Fn(wire::protocol::told::Part<'_>) -> T,
    ) -> Result<Listed<T>> {
        if !marker.is_empty() {
            parameters.push(("Marker".into(), marker.into()));
        }
        let told = self.ask(service, operation, &parameters).await?;
        Ok(Listed {
            items: told.result().members(list).map(read).collect(),
            next: told.result().text("Marker").to_owned(),
        })
    }

    /// All pages of a list that is short by AWS's quotas.
    async fn all_of<T>(
        &self,
        (service, operation, list): (Service, &str, &str),
        parameters: Vec<Parameter<'_>>,
        read: impl Fn(wire::protocol::told::Part<'_>) -> T,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut marker = String::new();
        loop {
            let asked = (service, operation, list);
            let mut page = self.page_of(asked, parameters.clone(), &marker, &read).await?;
            items.append(&mut page.items);
            if page.next.is_empty() {
                return Ok(items);
            }
            marker = page.next;
        }
    }
}
