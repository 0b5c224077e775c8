//! Signing in and out, the forced change of a password, and switching roles.
//!
//! Invariant: a cookie is set only for what the pipeline let in; what it refused leaves no trace in the browser.

use std::sync::Arc;

use askama::Template;
use crypto::Secret;
use http::StatusCode;
use pipeline::Answer;
use pipeline::signin::{Keys, Outcome, Stage, Step, SwitchedRole};

use crate::Console;
use crate::answer::{REGION, SESSION, page, plain, redirect, with_cookie};
use crate::client::{IAM, Refusal, STS, with};
use crate::frame::Frame;
use crate::request::{Guest, Visit, is_region};

#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage {
    frame: Frame,
    account: String,
    user: String,
    refused: &'static str,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    frame: Frame,
    refused: &'static str,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    user: String,
    refused: &'static str,
    refusal: Option<Refusal>,
}

#[derive(Template)]
#[template(path = "switch.html")]
struct SwitchPage {
    frame: Frame,
    role: SwitchedRole,
    refusal: Option<Refusal>,
}

impl Console {
    /// Takes a step, beside the threads that serve.
    pub(crate) async fn step(&self, guest: &Guest, step: Step) -> Result<Outcome, Answer> {
        let failed = || plain(StatusCode::INTERNAL_SERVER_ERROR);
        let Some(_place) = self.gateway.place(&guest.visitor).await else {
            return Err(plain(StatusCode::SERVICE_UNAVAILABLE));
        };
        let Ok(_turn) = self.passwords.acquire().await else {
            return Err(failed());
        };
        let (gateway, visitor) = (Arc::clone(&self.gateway), guest.visitor.clone());
        let stepped = tokio::task::spawn_blocking(move || gateway.sign_in(&visitor, &step)).await;
        stepped.map_err(|_| failed())?.map_err(|_| failed())
    }
}

/// On to where a session of that stage belongs, under its new cookie.
fn onward(guest: &Guest, cookie: &str, stage: Stage) -> Answer {
    let room = match stage {
        Stage::Code => "code",
        Stage::NewPassword => "password",
        Stage::In => "",
    };
    with_cookie(redirect(room), SESSION, cookie, guest.secure())
}

pub(crate) async fn sign_in(console: &Console, guest: &Guest) -> Answer {
    let (account, user) = (guest.form.get("account"), guest.form.get("user"));
    let form = |status, refused| {
        let page_of = SignInPage {
            frame: Frame::open("Sign in", String::new()),
            account: if guest.posted {
                account
            } else {
                guest.query.get("account")
            }
            .to_owned(),
            user: user.to_owned(),
            refused,
        };
        page(status, &page_of)
    };
    if !guest.posted {
        return form(StatusCode::OK, "");
    }
    let step = Step::Password {
        account: account.to_owned(),
        user: user.to_owned(),
        password: Secret::from(guest.form.raw("password")),
    };
    match console.step(guest, step).await {
        Ok(Outcome::Next { cookie, stage }) => {
            if let Err(answer) = leave(console, guest).await {
                return answer;
            }
            onward(guest, &cookie, stage)
        }
        Ok(Outcome::Refused(message)) => form(StatusCode::UNAUTHORIZED, message),
        Ok(Outcome::Done | Outcome::Token(_)) => redirect(""),
        Err(answer) => answer,
    }
}

/// Ends the session that a browser had before it signed in anew: it forgets it, and so do we.
pub(crate) async fn leave(console: &Console, guest: &Guest) -> Result<(), Answer> {
    match guest.cookie.clone() {
        Some(cookie) => console.step(guest, Step::SignOut { cookie }).await.map(|_| ()),
        None => Ok(()),
    }
}

pub(crate) async fn code(console: &Console, guest: &Guest) -> Answer {
    let form = |status, refused| {
        let frame = Frame::open("Multi-factor authentication", guest.mark());
        page(status, &CodePage { frame, refused })
    };
    if !guest.posted {
        return form(StatusCode::OK, "");
    }
    let step = Step::Code {
        cookie: guest.cookie.clone().unwrap_or_default(),
        code: guest.form.get("code").to_owned(),
    };
    match console.step(guest, step).await {
        Ok(Outcome::Next { cookie, stage }) => onward(guest, &cookie, stage),
        Ok(Outcome::Refused(message)) => form(StatusCode::UNAUTHORIZED, message),
        Ok(Outcome::Done | Outcome::Token(_)) => redirect(""),
        Err(answer) => answer,
    }
}

/// The change that must come before anything else. IAM makes it, for the user, by the user's permissions and the account's policy.
pub(crate) async fn password(console: &Console, visit: Visit) -> Answer {
    let guest = &visit.guest;
    let form = |refused, refusal| {
        let page_of = PasswordPage {
            frame: Frame::open("Change your password", guest.mark()),
            user: visit.session.user_name.clone(),
            refused,
            refusal,
        };
        page(StatusCode::OK, &page_of)
    };
    if !guest.posted {
        return form("", None);
    }
    let (old, new) = (guest.form.raw("old"), guest.form.raw("new"));
    if new != guest.form.raw("again") {
        return form("The new passwords are not the same.", None);
    }
    let change = with([("OldPassword", old), ("NewPassword", new)]);
    if let Err(refusal) = visit.ask_and_explain(IAM, "ChangePassword", &change).await {
        return form("", Some(refusal));
    }
    let cookie = guest.cookie.clone().unwrap_or_default();
    match console.step(guest, Step::Renewed { cookie }).await {
        Ok(Outcome::Next { cookie, stage }) => onward(guest, &cookie, stage),
        Ok(Outcome::Refused(message)) => form(message, None),
        Ok(Outcome::Done | Outcome::Token(_)) => redirect(""),
        Err(answer) => answer,
    }
}

pub(crate) async fn sign_out(console: &Console, guest: &Guest) -> Answer {
    let cookie = guest.cookie.clone().unwrap_or_default();
    match console.step(guest, Step::SignOut { cookie }).await {
        Ok(_) => with_cookie(redirect("signin"), SESSION, "", guest.secure()),
        Err(answer) => answer,
    }
}

/// The region that calls of regional services are signed for.
pub(crate) fn region(guest: &Guest) -> Answer {
    let region = guest.form.get("region");
    if !is_region(region) {
        return plain(StatusCode::BAD_REQUEST);
    }
    with_cookie(redirect(""), REGION, region, guest.secure())
}

/// Switches to a role, of this account or another (S6.5): STS lends it to the user, by the role's trust and the user's permissions.
pub(crate) async fn switch(console: &Console, visit: &Visit) -> Answer {
    let guest = &visit.guest;
    let fields = if guest.posted { &guest.form } else { &guest.query };
    let role = SwitchedRole {
        account: fields.get("account").to_owned(),
        role: fields.get("role").trim_start_matches('/').to_owned(),
        display_name: fields.get("name").chars().take(64).collect(),
    };
    let form = |refusal| {
        let page_of = SwitchPage {
            frame: Frame::of(visit, "switch", "Switch role"),
            role: role.clone(),
            refusal,
        };
        page(StatusCode::OK, &page_of)
    };
    if !guest.posted {
        return form(None);
    }
    let Some(keys) = &visit.session.keys else {
        return redirect("signin");
    };
    let arn = format!("arn:aws:iam::{}:role/{}", role.account, role.role);
    let asked = with([
        ("RoleArn", &arn),
        ("RoleSessionName", &visit.session.session_name),
    ]);
    // From one role to another goes by way of the user, as on AWS.
    let own = crate::client::Asked {
        visitor: &guest.visitor,
        keys,
        region: &guest.region,
    };
    let told = match own.ask(&guest.gateway, STS, "AssumeRole", &asked).await {
        Ok(told) => told,
        Err(refusal) => return form(Some(visit.explained(refusal).await)),
    };
    let lent = told.result().part("Credentials");
    let expires = wire::Timestamp::from_iso8601(lent.text("Expiration"));
    let Some(expires) = expires else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let step = Step::SwitchRole {
        cookie: guest.cookie.clone().unwrap_or_default(),
        role: role.clone(),
        keys: Keys {
            access_key_id: lent.text("AccessKeyId").to_owned(),
            secret_access_key: Secret::from(lent.text("SecretAccessKey")),
            session_token: Secret::from(lent.text("SessionToken")),
        },
        expires,
    };
    match console.step(guest, step).await {
        Ok(_) => redirect(""),
        Err(answer) => answer,
    }
}

/// Back to the user.
pub(crate) async fn exit_role(console: &Console, guest: &Guest) -> Answer {
    let cookie = guest.cookie.clone().unwrap_or_default();
    match console.step(guest, Step::ExitRole { cookie }).await {
        Ok(_) => redirect(""),
        Err(answer) => answer,
    }
}
