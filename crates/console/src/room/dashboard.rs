//! The first page: who is signed in, and what the account has.

use askama::Template;
use http::StatusCode;
use pipeline::Answer;

use super::kept;
use crate::answer::page;
use crate::client::{IAM, Refusal, STS};
use crate::frame::Frame;
use crate::request::Visit;

/// What the page shows of `GetAccountSummary`, in people's words, and where it leads.
const FIGURES: [(&str, &str, &str); 6] = [
    ("Users", "Users", "iam/users"),
    ("Groups", "Groups", ""),
    ("Roles", "Roles", "iam/roles"),
    ("Policies", "Customer managed policies", ""),
    ("Providers", "Identity providers", ""),
    ("MFADevicesInUse", "MFA devices in use", ""),
];

struct Figure {
    name: &'static str,
    value: String,
    room: &'static str,
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    frame: Frame,
    arn: String,
    user_id: String,
    account: String,
    alias: String,
    expires: String,
    figures: Vec<Figure>,
    root_mfa: bool,
    refusals: Vec<Refusal>,
}

pub(super) async fn show(visit: &Visit) -> Answer {
    let mut refusals = Vec::new();
    let caller = kept(visit.ask(STS, "GetCallerIdentity", &[]).await, &mut refusals);
    let aliases = kept(visit.ask(IAM, "ListAccountAliases", &[]).await, &mut refusals);
    let summary = visit.ask(IAM, "GetAccountSummary", &[]).await;
    let counted = summary.is_ok();
    let summary = kept(summary, &mut refusals);
    let number = |key: &str| {
        let mut entries = summary.result().members("SummaryMap");
        let found = entries.find(|entry| entry.text("key") == key);
        found.map(|entry| entry.text("value").to_owned())
    };
    let figures = FIGURES
        .into_iter()
        .filter_map(|(key, name, room)| number(key).map(|value| Figure { name, value, room }));
    let figures = figures.collect();
    let root_mfa = !counted || number("AccountMFAEnabled").is_some_and(|value| value == "1");
    let caller = caller.result();
    let alias = aliases
        .result()
        .members("AccountAliases")
        .next()
        .map(|alias| alias.own().to_owned());
    let dashboard = Dashboard {
        frame: Frame::of(visit, "", "Home"),
        arn: caller.text("Arn").to_owned(),
        user_id: caller.text("UserId").to_owned(),
        account: caller.text("Account").to_owned(),
        alias: alias.unwrap_or_default(),
        expires: visit.session.expires.iso8601(),
        figures,
        root_mfa,
        refusals,
    };
    page(StatusCode::OK, &dashboard)
}
