//! The console: pages for people, at `/_ringwork/console/` on the endpoint's own port.
//!
//! It is a client like any other. What it shows and changes it asks of the pipeline by requests that it signs with the credentials of
//! whoever is signed in, so that every page is authorized, recorded and refused as any call is. Pages are plain HTML with forms; there
//! is no script. `room` has a module for each service's pages; `entrance` is signing in and out.
//!
//! Invariants: no answer of a service is shown that was not asked for with the session's own credentials. Whatever comes from outside
//! reaches a page through a template alone, which escapes it. A request that changes something comes from a page of ours, and says so.

mod answer;
mod client;
mod entrance;
mod federation;
mod frame;
mod request;
mod room;

use std::sync::Arc;

use http::{Method, StatusCode};
use pipeline::signin::Stage;
use pipeline::{Answer, Gateway, Incoming};
use tokio::sync::Semaphore;

use crate::answer::{page, redirect, style};
use crate::frame::Notice;
use crate::request::{Guest, Visit};

/// Where the console is. Cookies are bound to this path.
pub const PATH: &str = "/_ringwork/console";

/// How many passwords are looked at in one moment: each takes 19 MiB.
const PASSWORDS_AT_ONCE: usize = 4;

/// The console of one Ringwork.
pub struct Console {
    gateway: Arc<Gateway>,
    passwords: Semaphore,
}

impl Console {
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self {
            gateway,
            passwords: Semaphore::new(PASSWORDS_AT_ONCE),
        }
    }

    /// Whether a path is the console's.
    pub fn owns(path: &str) -> bool {
        path.strip_prefix(PATH)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a browser.
    pub async fn serve(&self, incoming: Incoming) -> Answer {
        let Some(path) = incoming.path.strip_prefix(PATH).map(str::to_owned) else {
            return answer::plain(StatusCode::NOT_FOUND);
        };
        match (&incoming.method, path.as_str()) {
            (&Method::GET, "") => return redirect(""),
            (&Method::GET, "/style.css") => return style(),
            (&Method::GET | &Method::POST, _) => {}
            _ => return answer::plain(StatusCode::METHOD_NOT_ALLOWED),
        }
        let room = path.trim_start_matches('/');
        let guest = match Guest::of(&self.gateway, incoming) {
            Ok(guest) => guest,
            Err(status) => return answer::plain(status),
        };
        // Brokers are no pages of ours; what they show proves itself.
        if room == "federation" {
            return federation::answer(self, &guest).await;
        }
        let session = match guest.cookie.as_deref() {
            None => None,
            Some(cookie) => match self.gateway.console_session(cookie) {
                Ok(session) => session,
                Err(_) => return answer::plain(StatusCode::INTERNAL_SERVER_ERROR),
            },
        };
        if guest.posted && !guest.is_at_home() {
            return page(
                StatusCode::FORBIDDEN,
                &Notice::new(
                    "Request refused",
                    "This form was sent by a page of another origin.",
                ),
            );
        }
        let stage = session.as_ref().map(|session| session.stage);
        if stage == Some(Stage::In) {
            guest.prove();
        }
        // A form of the session's pages proves that it is one; signing in has no session yet, and the origin alone to go by.
        if guest.posted && stage.is_some() && room != "signin" && !guest.is_ours() {
            let notice = Notice::new(
                "Request refused",
                "This form belongs to a session that has ended.",
            );
            return page(StatusCode::FORBIDDEN, &notice);
        }
        match (room, session) {
            ("signin", _) => entrance::sign_in(self, &guest).await,
            ("code", Some(session)) if session.stage == Stage::Code => entrance::code(self, &guest).await,
            ("signout", Some(_)) if guest.posted => entrance::sign_out(self, &guest).await,
            ("password", Some(session)) if session.stage == Stage::NewPassword => {
                entrance::password(self, Visit::new(guest, session)).await
            }
            (room, Some(session)) if session.stage == Stage::In => {
                room::enter(self, room, &Visit::new(guest, session)).await
            }
            (_, Some(session)) if session.stage == Stage::NewPassword => redirect("password"),
            (_, Some(_)) => redirect("code"),
            (_, None) => redirect("signin"),
        }
    }
}
