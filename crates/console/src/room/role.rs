//! Roles: the list, one role, and its deletion.

use askama::Template;
use pipeline::Answer;
use wire::protocol::told::Part;
use wire::sigv4::percent_encode;

use super::{Listed, kept, status};
use crate::answer::{page, redirect};
use crate::client::{IAM, Refusal, Result, with};
use crate::frame::Frame;
use crate::request::Visit;

struct Row {
    name: String,
    link: String,
    path: String,
    created: String,
    description: String,
}

#[derive(Template)]
#[template(path = "roles.html")]
struct Roles {
    frame: Frame,
    roles: Listed<Row>,
    /// The path prefix that the list is narrowed to.
    prefix: String,
    prefix_link: String,
    deleted: String,
    refusals: Vec<Refusal>,
}

#[derive(Default)]
struct Role {
    link: String,
    path: String,
    arn: String,
    id: String,
    created: String,
    description: String,
    session_seconds: String,
    boundary: String,
    last_used: String,
    last_region: String,
    trust: String,
    tags: Vec<(String, String)>,
}

struct Attached {
    name: String,
    arn: String,
}

struct Inline {
    name: String,
    document: String,
}

#[derive(Template)]
#[template(path = "role.html")]
struct Shown {
    frame: Frame,
    name: String,
    role: Option<Role>,
    attached: Vec<Attached>,
    inline: Vec<Inline>,
    created: bool,
    refusals: Vec<Refusal>,
}

#[derive(Template)]
#[template(path = "delete_role.html")]
struct Deletion {
    frame: Frame,
    name: String,
    link: String,
    typed_wrong: bool,
    refusal: Option<Refusal>,
}

/// A document as IAM's answers carry it: percent-encoded.
fn document(text: &str) -> String {
    wire::sigv4::percent_decode(text).into_owned()
}

fn role_of(part: Part<'_>) -> Role {
    let used = part.part("RoleLastUsed");
    let tags = part
        .members("Tags")
        .map(|tag| (tag.text("Key").to_owned(), tag.text("Value").to_owned()));
    let text = |name| part.text(name).to_owned();
    Role {
        link: percent_encode(part.text("RoleName")),
        path: text("Path"),
        arn: text("Arn"),
        id: text("RoleId"),
        created: text("CreateDate"),
        description: text("Description"),
        session_seconds: text("MaxSessionDuration"),
        boundary: part
            .part("PermissionsBoundary")
            .text("PermissionsBoundaryArn")
            .to_owned(),
        last_used: used.text("LastUsedDate").to_owned(),
        last_region: used.text("Region").to_owned(),
        trust: document(part.text("AssumeRolePolicyDocument")),
        tags: tags.collect(),
    }
}

pub(super) async fn list(visit: &Visit) -> Answer {
    let query = &visit.guest.query;
    let prefix = query.get("prefix").to_owned();
    let mut parameters = with([("MaxItems", "50")]);
    if !prefix.is_empty() {
        parameters.push(("PathPrefix".into(), prefix.as_str().into()));
    }
    let row = |part: Part<'_>| Row {
        name: part.text("RoleName").to_owned(),
        link: percent_encode(part.text("RoleName")),
        path: part.text("Path").to_owned(),
        created: part.text("CreateDate").to_owned(),
        description: part.text("Description").to_owned(),
    };
    let asked = (IAM, "ListRoles", "Roles");
    let roles = visit.page_of(asked, parameters, query.get("marker"), row).await;
    let mut refusals = Vec::new();
    let roles = match roles {
        Ok(roles) => roles,
        Err(refusal) => {
            refusals.push(visit.explained(refusal).await);
            Listed::default()
        }
    };
    let shown = Roles {
        frame: Frame::of(visit, "roles", "Roles"),
        roles,
        prefix_link: percent_encode(&prefix),
        prefix,
        deleted: query.get("deleted").to_owned(),
        refusals,
    };
    page(status(shown.refusals.first()), &shown)
}

async fn attached(visit: &Visit, name: &str) -> Result<Vec<Attached>> {
    let read = |part: Part<'_>| Attached {
        name: part.text("PolicyName").to_owned(),
        arn: part.text("PolicyArn").to_owned(),
    };
    let asked = (IAM, "ListAttachedRolePolicies", "AttachedPolicies");
    visit.all_of(asked, with([("RoleName", name)]), read).await
}

async fn inline_names(visit: &Visit, name: &str) -> Result<Vec<String>> {
    let read = |part: Part<'_>| part.own().to_owned();
    let asked = (IAM, "ListRolePolicies", "PolicyNames");
    visit.all_of(asked, with([("RoleName", name)]), read).await
}

async fn inline(visit: &Visit, name: &str) -> Result<Vec<Inline>> {
    let mut policies = Vec::new();
    for policy in inline_names(visit, name).await? {
        let named = with([("RoleName", name), ("PolicyName", &policy)]);
        let told = visit.ask(IAM, "GetRolePolicy", &named).await?;
        policies.push(Inline {
            document: document(told.result().text("PolicyDocument")),
            name: policy,
        });
    }
    Ok(policies)
}

pub(super) async fn show(visit: &Visit) -> Answer {
    let name = visit.guest.query.get("name").to_owned();
    let named = with([("RoleName", &name)]);
    let mut refusals = Vec::new();
    let role = match visit.ask_and_explain(IAM, "GetRole", &named).await {
        Ok(told) => Some(role_of(told.result().part("Role"))),
        Err(refusal) => {
            refusals.push(refusal);
            None
        }
    };
    let status = status(refusals.first());
    let (mut managed, mut embedded) = (Vec::new(), Vec::new());
    if role.is_some() {
        managed = kept(attached(visit, &name).await, &mut refusals);
        embedded = kept(inline(visit, &name).await, &mut refusals);
    }
    let shown = Shown {
        frame: Frame::of(visit, "roles", name.as_str()),
        name,
        role,
        attached: managed,
        inline: embedded,
        created: visit.guest.query.has("created"),
        refusals,
    };
    page(status, &shown)
}

/// Deletes a role with what hangs on it, once its name has been typed.
pub(super) async fn delete(visit: &Visit) -> Answer {
    let guest = &visit.guest;
    let fields = if guest.posted { &guest.form } else { &guest.query };
    let name = fields.get("name").to_owned();
    let form = |typed_wrong, refusal: Option<Refusal>| {
        let status = status(refusal.as_ref());
        let shown = Deletion {
            frame: Frame::of(visit, "roles", format!("Delete {name}")),
            link: percent_encode(&name),
            name: name.clone(),
            typed_wrong,
            refusal,
        };
        page(status, &shown)
    };
    if !guest.posted {
        return form(false, None);
    }
    if guest.form.get("typed") != name {
        return form(true, None);
    }
    match remove(visit, &name).await {
        Ok(()) => redirect(&format!("iam/roles?deleted={}", percent_encode(&name))),
        Err(refusal) => form(false, Some(visit.explained(refusal).await)),
    }
}

/// IAM deletes no role that something hangs on, so that goes first, each by an operation of its own.
async fn remove(visit: &Visit, name: &str) -> Result<()> {
    for policy in attached(visit, name).await? {
        let detach = with([("RoleName", name), ("PolicyArn", &policy.arn)]);
        visit.ask(IAM, "DetachRolePolicy", &detach).await?;
    }
    for policy in inline_names(visit, name).await? {
        let delete = with([("RoleName", name), ("PolicyName", &policy)]);
        visit.ask(IAM, "DeleteRolePolicy", &delete).await?;
    }
    let read = |part: Part<'_>| part.text("InstanceProfileName").to_owned();
    let asked = (IAM, "ListInstanceProfilesForRole", "InstanceProfiles");
    for profile in visit.all_of(asked, with([("RoleName", name)]), read).await? {
        let remove = with([("RoleName", name), ("InstanceProfileName", &profile)]);
        visit.ask(IAM, "RemoveRoleFromInstanceProfile", &remove).await?;
        if profile == name {
            // The console made it with the role.
            let own = with([("InstanceProfileName", &profile)]);
            visit.ask(IAM, "DeleteInstanceProfile", &own).await?;
        }
    }
    visit
        .ask(IAM, "DeleteRole", &with([("RoleName", name)]))
        .await
        .map(|_| ())
}
