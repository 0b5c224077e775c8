//! The federation endpoint: brokers get tokens for credentials, and browsers sign in with the tokens (IAM User Guide, "Enable custom
//! identity broker access to the AWS console").
//!
//! Invariant: nobody is sent on to a place that is not this console.

use crypto::Secret;
use http::{HeaderValue, StatusCode, header};
use pipeline::Answer;
use pipeline::signin::{Lasting, Outcome, Step};
use serde_json::json;

use crate::answer::{SESSION, json as told, page, plain, redirect, refusal, with_cookie};
use crate::frame::Notice;
use crate::request::{Form, Guest};
use crate::{Console, PATH, entrance};

const ACTION: &str = "The Action must be getSigninToken or login.";
const DURATION: &str = "A duration must be a number of seconds.";
const DESTINATION: &str = "The Destination must be a page of the console.";

pub(crate) async fn answer(console: &Console, guest: &Guest) -> Answer {
    let fields = if guest.posted { &guest.form } else { &guest.query };
    match fields.get("Action") {
        "getSigninToken" => token(console, guest, fields).await,
        "login" => login(console, guest, fields).await,
        _ => refusal(StatusCode::BAD_REQUEST, ACTION),
    }
}

/// Seconds, where the field is there.
fn seconds(fields: &Form, name: &str) -> Result<Option<i64>, ()> {
    if !fields.has(name) {
        return Ok(None);
    }
    fields.get(name).parse().map(Some).map_err(|_| ())
}

async fn token(console: &Console, guest: &Guest, fields: &Form) -> Answer {
    let (Ok(session), Ok(federated)) = (
        seconds(fields, "SessionDuration"),
        seconds(fields, "DurationSeconds"),
    ) else {
        return refusal(StatusCode::BAD_REQUEST, DURATION);
    };
    let step = Step::SigninToken {
        session: Secret::from(fields.raw("Session")),
        lasting: Lasting { session, federated },
    };
    match console.step(guest, step).await {
        Ok(Outcome::Token(token)) => told(&json!({ "SigninToken": token })),
        Ok(Outcome::Refused(words)) => refusal(StatusCode::BAD_REQUEST, words),
        Ok(Outcome::Next { .. } | Outcome::Done) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Err(answer) => answer,
    }
}

async fn login(console: &Console, guest: &Guest, fields: &Form) -> Answer {
    let host = guest.visitor.host.as_deref().unwrap_or_default();
    let Some(room) = room(fields.get("Destination"), host) else {
        return refusal(StatusCode::BAD_REQUEST, DESTINATION);
    };
    let step = Step::Login {
        token: Secret::from(fields.get("SigninToken")),
    };
    match console.step(guest, step).await {
        Ok(Outcome::Next { cookie, .. }) => {
            if let Err(answer) = entrance::leave(console, guest).await {
                return answer;
            }
            with_cookie(onward(guest, &room), SESSION, &cookie, guest.secure())
        }
        Ok(Outcome::Refused(words)) => refusal(StatusCode::BAD_REQUEST, words),
        Ok(Outcome::Token(_) | Outcome::Done) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Err(answer) => answer,
    }
}

/// On to a room. From another site's link a browser would follow a redirect without our cookie; from a page of ours it goes with it.
fn onward(guest: &Guest, room: &str) -> Answer {
    if !guest.is_from_elsewhere() {
        return redirect(room);
    }
    let mut answer = page(StatusCode::OK, &Notice::new("Signing in", "You are signed in."));
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={PATH}/{room}")) {
        answer.headers.insert(header::REFRESH, value);
    }
    answer
}

/// The room that a destination names: a page of this console, or its first one for any page of AWS's.
fn room(destination: &str, host: &str) -> Option<String> {
    let (scheme, rest) = destination.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (named, path) = rest.split_at(end);
    if named == "console.aws.amazon.com" || named.ends_with(".console.aws.amazon.com") {
        return Some(String::new());
    }
    let room = path.strip_prefix(PATH)?;
    let room = if room.is_empty() {
        room
    } else {
        room.strip_prefix('/')?
    };
    (named == host).then(|| room.to_owned())
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn destinations_are_pages_of_the_console() {
        let room = |destination| room(destination, "localhost:4566");
        for (destination, wanted) in [
            ("https://console.aws.amazon.com/", ""),
            ("https://console.aws.amazon.com/s3/home?region=eu-west-1", ""),
            ("https://us-east-1.console.aws.amazon.com/ec2", ""),
            ("http://localhost:4566/_ringwork/console", ""),
            (
                "http://localhost:4566/_ringwork/console/iam/roles?path=%2F",
                "iam/roles?path=%2F",
            ),
        ] {
            assert_eq!(room(destination).as_deref(), Some(wanted), "{destination}");
        }
        for other in [
            "",
            "/_ringwork/console/",
            "javascript://console.aws.amazon.com/",
            "https://evil.example/_ringwork/console/",
            "https://console.aws.amazon.com@evil.example/",
            "https://evil.example/console.aws.amazon.com",
            "https://evilconsole.aws.amazon.com/",
            "http://localhost:4566/_ringwork/consoles",
            "http://localhost:4566/other",
        ] {
            assert_eq!(room(other), None, "{other}");
        }
    }
}
