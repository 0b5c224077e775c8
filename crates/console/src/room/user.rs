//! Users: the list, and one user with what it signs in and signs with.

use askama::Template;
use pipeline::Answer;
use wire::protocol::told::Part;
use wire::sigv4::percent_encode;

use super::{Listed, kept, status};
use crate::answer::page;
use crate::client::{IAM, Refusal, with};
use crate::frame::Frame;
use crate::request::Visit;

struct Row {
    name: String,
    link: String,
    path: String,
    created: String,
    password_used: String,
}

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    frame: Frame,
    users: Listed<Row>,
    refusals: Vec<Refusal>,
}

struct Key {
    id: String,
    status: String,
    created: String,
}

#[derive(Template)]
#[template(path = "user.html")]
struct Shown {
    frame: Frame,
    name: String,
    arn: String,
    id: String,
    created: String,
    /// Whether there is a password; nothing if that is not told.
    password: Option<bool>,
    password_used: String,
    devices: Vec<(String, String)>,
    keys: Vec<Key>,
    groups: Vec<String>,
    policies: Vec<(String, String)>,
    refusals: Vec<Refusal>,
}

pub(super) async fn list(visit: &Visit) -> Answer {
    let row = |part: Part<'_>| Row {
        name: part.text("UserName").to_owned(),
        link: percent_encode(part.text("UserName")),
        path: part.text("Path").to_owned(),
        created: part.text("CreateDate").to_owned(),
        password_used: part.text("PasswordLastUsed").to_owned(),
    };
    let asked = (IAM, "ListUsers", "Users");
    let marker = visit.guest.query.get("marker");
    let users = visit
        .page_of(asked, with([("MaxItems", "50")]), marker, row)
        .await;
    let mut refusals = Vec::new();
    let users = match users {
        Ok(users) => users,
        Err(refusal) => {
            refusals.push(visit.explained(refusal).await);
            Listed::default()
        }
    };
    let shown = Users {
        frame: Frame::of(visit, "users", "Users"),
        users,
        refusals,
    };
    page(status(shown.refusals.first()), &shown)
}

pub(super) async fn show(visit: &Visit) -> Answer {
    let name = visit.guest.query.get("name").to_owned();
    let named = with([("UserName", &name)]);
    let mut refusals = Vec::new();
    let user = match visit.ask_and_explain(IAM, "GetUser", &named).await {
        Ok(told) => told,
        Err(refusal) => {
            refusals.push(refusal);
            Default::default()
        }
    };
    let status = status(refusals.first());
    let user = user.result().part("User");
    let (mut keys, mut devices, mut groups, mut policies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut password = None;
    if user.is_there() {
        let key = |part: Part<'_>| Key {
            id: part.text("AccessKeyId").to_owned(),
            status: part.text("Status").to_owned(),
            created: part.text("CreateDate").to_owned(),
        };
        let asked = (IAM, "ListAccessKeys", "AccessKeyMetadata");
        keys = kept(visit.all_of(asked, named.clone(), key).await, &mut refusals);
        let device = |part: Part<'_>| {
            let text = |name| part.text(name).to_owned();
            (text("SerialNumber"), text("EnableDate"))
        };
        let asked = (IAM, "ListMFADevices", "MFADevices");
        devices = kept(visit.all_of(asked, named.clone(), device).await, &mut refusals);
        let group = |part: Part<'_>| part.text("GroupName").to_owned();
        let asked = (IAM, "ListGroupsForUser", "Groups");
        groups = kept(visit.all_of(asked, named.clone(), group).await, &mut refusals);
        let policy = |part: Part<'_>| {
            let text = |name| part.text(name).to_owned();
            (text("PolicyName"), text("PolicyArn"))
        };
        let asked = (IAM, "ListAttachedUserPolicies", "AttachedPolicies");
        policies = kept(visit.all_of(asked, named.clone(), policy).await, &mut refusals);
        password = match visit.ask(IAM, "GetLoginProfile", &named).await {
            Ok(_) => Some(true),
            Err(refusal) if refusal.code == "NoSuchEntity" => Some(false),
            Err(refusal) => {
                refusals.push(refusal);
                None
            }
        };
    }
    let shown = Shown {
        frame: Frame::of(visit, "users", name.as_str()),
        arn: user.text("Arn").to_owned(),
        id: user.text("UserId").to_owned(),
        created: user.text("CreateDate").to_owned(),
        password_used: user.text("PasswordLastUsed").to_owned(),
        name,
        password,
        devices,
        keys,
        groups,
        policies,
        refusals,
    };
    page(status, &shown)
}
