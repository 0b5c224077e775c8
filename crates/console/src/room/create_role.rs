//! The wizard that makes a role: whom it trusts, what it may do, and what it is called (S6.6).
//!
//! Invariant: nothing is kept between the steps but what the forms themselves carry, and nothing is made before the last one.

use askama::Template;
use http::StatusCode;
use pipeline::Answer;
use wire::protocol::told::Part;
use wire::sigv4::percent_encode;

use super::trust::{CLOUDTRAIL_ROLE, Entity, SERVICES, Trust};
use super::{kept, status};
use crate::answer::{page, redirect};
use crate::client::{IAM, Refusal, Result, with};
use crate::frame::Frame;
use crate::request::{Form, Visit};

/// Policies that one page of the search shows.
const FOUND_MAX: usize = 50;
/// Tags that a role can have (IAM User Guide, "IAM and AWS STS quotas").
const TAGS_MAX: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Trust,
    Permissions,
    Review,
}

struct Policy {
    arn: String,
    name: String,
    aws: bool,
    description: String,
}

/// All that the wizard has been told.
#[derive(Template)]
#[template(path = "create_role.html")]
struct Wizard {
    frame: Frame,
    step: Step,
    trust: Trust,
    own: String,
    document: String,
    policies: Vec<String>,
    boundary: String,
    search: String,
    found: Vec<Policy>,
    /// Identity providers of the kind that is chosen, as the form names them.
    providers: Vec<String>,
    /// How many more the search would find.
    more: usize,
    name: String,
    description: String,
    tags: Vec<(String, String)>,
    wrong: &'static str,
    refusals: Vec<Refusal>,
}

impl Wizard {
    fn of(visit: &Visit) -> Self {
        let form = &visit.guest.form;
        let own = visit.session.role.as_ref();
        let own = own.map_or(&visit.session.account, |(role, _)| &role.account);
        let mut policies: Vec<_> = form.all("policy").map(str::to_owned).collect();
        policies.sort();
        policies.dedup();
        let trust = Trust::of(form);
        Self {
            frame: Frame::of(visit, "roles", "Create role"),
            step: Step::Trust,
            own: own.clone(),
            document: String::new(),
            trust,
            policies,
            boundary: form.get("boundary").to_owned(),
            search: form.get("search").to_owned(),
            found: Vec::new(),
            providers: Vec::new(),
            more: 0,
            name: form.get("name").to_owned(),
            description: form.get("description").to_owned(),
            tags: tags(form),
            wrong: "",
            refusals: Vec::new(),
        }
    }

    fn is(&self, step: Step) -> bool {
        self.step == step
    }

    fn has(&self, arn: &str) -> bool {
        self.policies.iter().any(|policy| policy == arn)
    }

    /// Chosen policies that the search does not show, so that they stay chosen.
    fn unseen(&self) -> impl Iterator<Item = &String> {
        let seen = |arn: &String| self.found.iter().any(|policy| policy.arn == *arn);
        self.policies.iter().filter(move |arn| !seen(arn))
    }

    fn page(self) -> Answer {
        let status = if self.wrong.is_empty() {
            status(self.refusals.first())
        } else {
            StatusCode::BAD_REQUEST
        };
        page(status, &self)
    }
}

/// The tags that were typed. A row without a key is none.
fn tags(form: &Form) -> Vec<(String, String)> {
    let rows = form.all("tag-key").zip(form.all("tag-value"));
    let typed = rows.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    typed.filter(|(key, _)| !key.is_empty()).take(TAGS_MAX).collect()
}

/// Shows the step that is asked for, as far as those before it are complete.
pub(super) async fn step(visit: &Visit) -> Answer {
    let mut wizard = Wizard::of(visit);
    let go = visit.guest.form.get("go");
    if !visit.guest.posted || go == "trust" {
        providers(visit, &mut wizard).await;
        return wizard.page();
    }
    match wizard.trust.document(&wizard.own) {
        Ok(document) => wizard.document = document,
        Err(wrong) => {
            wizard.wrong = wrong;
            providers(visit, &mut wizard).await;
            return wizard.page();
        }
    }
    match go {
        "review" => {
            wizard.step = Step::Review;
            if wizard.name.is_empty() && wizard.trust.is_for_cloudtrail() {
                wizard.name = CLOUDTRAIL_ROLE.to_owned();
            }
            wizard.page()
        }
        "create" => {
            wizard.step = Step::Review;
            create(visit, wizard).await
        }
        _ => {
            wizard.step = Step::Permissions;
            search(visit, &mut wizard).await;
            wizard.page()
        }
    }
}

/// The account's identity providers, where one is to be chosen: of OpenID Connect with each audience that it has.
async fn providers(visit: &Visit, wizard: &mut Wizard) {
    let read = |part: Part<'_>| part.text("Arn").to_owned();
    let mut found = Vec::new();
    match wizard.trust.entity {
        Entity::Saml => {
            let asked = (IAM, "ListSAMLProviders", "SAMLProviderList");
            found = kept(visit.all_of(asked, Vec::new(), read).await, &mut wizard.refusals);
        }
        Entity::WebIdentity => {
            let asked = (IAM, "ListOpenIDConnectProviders", "OpenIDConnectProviderList");
            let arns = visit.all_of(asked, Vec::new(), read).await;
            for arn in kept(arns, &mut wizard.refusals) {
                let named = with([("OpenIDConnectProviderArn", &arn)]);
                let told = visit.ask(IAM, "GetOpenIDConnectProvider", &named).await;
                let told = kept(told, &mut wizard.refusals);
                let audiences = told.result().members("ClientIDList");
                found.extend(audiences.map(|audience| format!("{arn} {}", audience.own())));
            }
        }
        _ => {}
    }
    wizard.providers = found;
}

/// The policies whose names hold what was typed, those of the account first.
async fn search(visit: &Visit, wizard: &mut Wizard) {
    let wanted = wizard.search.to_lowercase();
    let read = |part: Part<'_>| Policy {
        arn: part.text("Arn").to_owned(),
        name: part.text("PolicyName").to_owned(),
        aws: part.text("Arn").starts_with("arn:aws:iam::aws:"),
        description: part.text("Description").to_owned(),
    };
    let asked = (IAM, "ListPolicies", "Policies");
    let mut found = Vec::new();
    for scope in ["Local", "AWS"] {
        let parameters = with([("Scope", scope), ("MaxItems", "1000")]);
        let policies = visit.all_of(asked, parameters, read).await;
        found.extend(kept(policies, &mut wizard.refusals));
        if !wizard.refusals.is_empty() {
            break;
        }
    }
    found.retain(|policy| policy.name.to_lowercase().contains(&wanted));
    wizard.more = found.len().saturating_sub(FOUND_MAX);
    found.truncate(FOUND_MAX);
    wizard.found = found;
}

async fn create(visit: &Visit, mut wizard: Wizard) -> Answer {
    if wizard.name.is_empty() {
        wizard.wrong = "A role has a name.";
        return wizard.page();
    }
    if let Err(refusal) = make(visit, &wizard).await {
        let refusal = visit.explained(refusal).await;
        wizard.refusals.push(refusal);
        return wizard.page();
    }
    // From here on there is a role: whatever is refused is told beside it.
    for policy in &wizard.policies {
        let attach = with([("RoleName", &wizard.name), ("PolicyArn", policy)]);
        if let Err(refusal) = visit.ask(IAM, "AttachRolePolicy", &attach).await {
            wizard.refusals.push(visit.explained(refusal).await);
        }
    }
    if wizard.trust.entity == Entity::Service && wizard.trust.service == "ec2.amazonaws.com" {
        // Instances get roles by way of a profile, which AWS's console makes under the role's name.
        if let Err(refusal) = profile(visit, &wizard.name).await {
            wizard.refusals.push(visit.explained(refusal).await);
        }
    }
    if wizard.refusals.is_empty() {
        return redirect(&format!(
            "iam/role?created=1&name={}",
            percent_encode(&wizard.name)
        ));
    }
    wizard.wrong = "The role was created, but not all of it: see what was refused.";
    wizard.page()
}

async fn make(visit: &Visit, wizard: &Wizard) -> Result<()> {
    let mut parameters = with([
        ("RoleName", wizard.name.as_str()),
        ("AssumeRolePolicyDocument", &wizard.document),
    ]);
    if !wizard.description.is_empty() {
        parameters.push(("Description".into(), wizard.description.as_str().into()));
    }
    if !wizard.boundary.is_empty() {
        parameters.push(("PermissionsBoundary".into(), wizard.boundary.as_str().into()));
    }
    for (place, (key, value)) in (1..).zip(&wizard.tags) {
        parameters.push((format!("Tags.member.{place}.Key").into(), key.as_str().into()));
        parameters.push((format!("Tags.member.{place}.Value").into(), value.as_str().into()));
    }
    visit.ask(IAM, "CreateRole", &parameters).await.map(|_| ())
}

async fn profile(visit: &Visit, name: &str) -> Result<()> {
    let own = with([("InstanceProfileName", name)]);
    visit.ask(IAM, "CreateInstanceProfile", &own).await?;
    let add = with([("InstanceProfileName", name), ("RoleName", name)]);
    visit.ask(IAM, "AddRoleToInstanceProfile", &add).await.map(|_| ())
}
