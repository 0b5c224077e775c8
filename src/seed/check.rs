//! What can be known to be wrong before anything is changed: names, doubles, documents, and references to nothing.
//!
//! Invariant: nothing here changes anything, so a seed that is refused here leaves the cloud as it was.

use std::collections::BTreeSet;

use identity::iam::access_key::{ACCESS_KEYS, Owner};
use pipeline::Gateway;
use policy::{Policy, PolicyKind};
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::document::{Document, place};
use super::file::{AccessKey, Account, Bearer, SeedFile};
use super::problem::{Spot, Stop};
use super::root::{self, Root};

/// As `CreateAccessKey` lets a user have.
const KEYS_PER_USER_MAX: usize = 2;

/// Collects what is wrong with the file by itself.
pub(super) fn file(file: &SeedFile) -> Vec<Stop> {
    let mut check = Check::default();
    for (index, item) in file.accounts.iter().enumerate() {
        let account = &item.value;
        let id = &account.id.value;
        let spot = Spot::of("accounts", index, id, place(&account.id));
        check.once(&spot, &format!("account {id}"));
        check.account(&spot, account);
        check.policies(account);
        for (group, bearer) in account.group_bearers() {
            check.once(
                &bearer.spot,
                &format!("group {}/{}", id, group.name.to_lowercase()),
            );
            check.input(&bearer.spot, "CreateGroup", &group.create());
            check.bearer(account, &bearer);
        }
        for (role, bearer) in account.role_bearers() {
            check.once(&bearer.spot, &format!("role {}/{}", id, role.name.to_lowercase()));
            check.input(
                &bearer.spot,
                "CreateRole",
                &account.create_role(role, &role.trust.value.text),
            );
            check.document(&bearer.spot, &role.trust, PolicyKind::Trust);
            check.bearer(account, &bearer);
        }
        for (user, bearer) in account.user_bearers() {
            check.once(&bearer.spot, &format!("user {}/{}", id, user.name.to_lowercase()));
            check.input(&bearer.spot, "CreateUser", &account.create_user(user));
            for group in &user.groups {
                let add = json!({"UserName": user.name, "GroupName": group.value});
                check.input(&bearer.spot.at(place(group)), "AddUserToGroup", &add);
            }
            check.bearer(account, &bearer);
            check.keys(&bearer.spot, &user.access_keys);
        }
    }
    check.found
}

#[derive(Default)]
struct Check {
    found: Vec<Stop>,
    seen: BTreeSet<String>,
}

impl Check {
    /// Refuses the second item that is the same thing.
    fn once(&mut self, spot: &Spot, thing: &str) {
        if !self.seen.insert(thing.to_owned()) {
            let kind = thing.split(' ').next().unwrap_or_default();
            self.found
                .push(spot.refuse(format!("this {kind} is in the file twice")));
        }
    }

    fn input(&mut self, spot: &Spot, operation: &str, input: &Value) {
        if let Err(fault) = root::check(operation, input) {
            self.found.push(spot.fault(&fault));
        }
    }

    fn document(&mut self, spot: &Spot, document: &Spanned<Document>, kind: PolicyKind) {
        if let Err(error) = Policy::parse(&document.value.text, kind) {
            let (exact, message) = document.value.refusal(&error);
            self.found
                .push(spot.at(exact.unwrap_or_else(|| place(document))).refuse(message));
        }
    }

    fn account(&mut self, spot: &Spot, account: &Account) {
        let id = &account.id.value;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            self.found.push(spot.refuse("an account's id is twelve digits"));
        }
        if let Some(name) = &account.name {
            let length = name.value.chars().count();
            if !(1..=50).contains(&length) || name.value.chars().any(char::is_control) {
                self.found.push(
                    spot.at(place(name))
                        .refuse("an account's name is 1 to 50 printable characters"),
                );
            }
        }
        if let Some(alias) = &account.alias {
            let spot = spot.at(place(alias));
            self.once(&spot, &format!("alias {}", alias.value));
            self.input(&spot, "CreateAccountAlias", &json!({"AccountAlias": alias.value}));
        }
    }

    fn policies(&mut self, account: &Account) {
        for (policy, spot) in account.placed_policies() {
            self.once(
                &spot,
                &format!("policy {}/{}", account.id.value, policy.name.to_lowercase()),
            );
            self.input(&spot, "CreatePolicy", &policy.create());
            self.document(&spot, &policy.document, PolicyKind::Identity);
        }
    }

    fn bearer(&mut self, account: &Account, bearer: &Bearer<'_>) {
        let kind = bearer.kind;
        for policy in bearer.policies {
            let spot = bearer.spot.at(place(policy));
            let arn = account.policy_arn(&policy.value);
            let thing = format!(
                "attachment {kind}/{}/{}/{arn}",
                account.id.value,
                bearer.name.to_lowercase()
            );
            self.once(&spot, &thing);
            let input = json!({format!("{kind}Name"): bearer.name, "PolicyArn": arn});
            self.input(&spot, &format!("Attach{kind}Policy"), &input);
        }
        for (name, document) in bearer.inline {
            let spot = bearer.spot.at(place(document));
            let input = json!({
                format!("{kind}Name"): bearer.name, "PolicyName": name, "PolicyDocument": document.value.text,
            });
            self.input(&spot, &format!("Put{kind}Policy"), &input);
            self.document(&spot, document, PolicyKind::Identity);
        }
    }

    fn keys(&mut self, spot: &Spot, keys: &[Spanned<AccessKey>]) {
        if keys.len() > KEYS_PER_USER_MAX {
            self.found
                .push(spot.refuse(format!("a user has at most {KEYS_PER_USER_MAX} access keys")));
        }
        for item in keys {
            let spot = spot.at(place(item));
            let key = &item.value;
            match (&key.id, &key.secret, key.generate) {
                (None, None, true) => {}
                (Some(id), Some(secret), false) => {
                    self.once(&spot, &format!("access-key {id}"));
                    let word = id
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                    if !(16..=128).contains(&id.len()) || !word {
                        self.found.push(
                            spot.refuse("an access key's id is 16 to 128 letters, digits and underscores"),
                        );
                    }
                    let printable = secret.expose().iter().all(u8::is_ascii_graphic);
                    if !(16..=128).contains(&secret.len()) || !printable {
                        let message =
                            "an access key's secret is 16 to 128 printable ASCII characters without spaces";
                        self.found.push(spot.refuse(message));
                    }
                }
                _ => self
                    .found
                    .push(spot.refuse("an access key has an id and a secret, or generate: true")),
            }
        }
    }
}

/// Collects references to what neither the file nor the cloud has.
pub(super) async fn references(gateway: &Gateway, file: &SeedFile) -> Result<Vec<Stop>, Stop> {
    let mut found = Vec::new();
    for item in &file.accounts {
        let account = &item.value;
        let root = Root::of(gateway, &account.id.value);
        let mut known = BTreeSet::new();
        for (user, bearer) in account.user_bearers() {
            for group in &user.groups {
                let spot = bearer.spot.at(place(group));
                let own = account
                    .groups
                    .iter()
                    .any(|own| own.value.name.eq_ignore_ascii_case(&group.value));
                if own || known.contains(&format!("group/{}", group.value)) {
                    continue;
                }
                let input = json!({"GroupName": group.value});
                match root
                    .find("GetGroup", input)
                    .await
                    .map_err(|fault| spot.fault(&fault))?
                {
                    Some(_) => drop(known.insert(format!("group/{}", group.value))),
                    None => found.push(spot.refuse(format!("there is no group {}", group.value))),
                }
            }
        }
        for (user, bearer) in account.user_bearers() {
            for item in &user.access_keys {
                let Some(id) = &item.value.id else { continue };
                let spot = bearer.spot.at(place(item));
                if taken(gateway, &account.id.value, &user.name, id).map_err(|fault| spot.fault(&fault))? {
                    found.push(spot.refuse(format!("the access key id {id} belongs to someone else")));
                }
            }
        }
        for (spot, reference) in policy_references(account) {
            let arn = account.policy_arn(reference);
            let own = account
                .policies
                .iter()
                .any(|own| own.value.arn(&account.id.value) == arn);
            if own || known.contains(&arn) {
                continue;
            }
            match root
                .find("GetPolicy", json!({"PolicyArn": arn}))
                .await
                .map_err(|fault| spot.fault(&fault))?
            {
                Some(_) => drop(known.insert(arn)),
                None => found.push(spot.refuse(format!("there is no policy {reference}"))),
            }
        }
        for (role, bearer) in account.role_bearers() {
            for name in trusted(&role.trust.value.text) {
                if let Some(message) = untrusted(gateway, file, &bearer.spot, &name).await? {
                    found.push(bearer.spot.at(place(&role.trust)).refuse(message));
                }
            }
        }
    }
    Ok(found)
}

/// Whether someone else has an access key of the id.
fn taken(gateway: &Gateway, account: &str, user: &str, id: &str) -> pipeline::Result<bool> {
    let owner = Owner::User(user.to_lowercase());
    let held = gateway.system("us-east-1", |call| call.get(&ACCESS_KEYS, &id.to_owned()))?;
    Ok(held.is_some_and(|held| held.account != account || held.owner != owner))
}

fn policy_references(account: &Account) -> Vec<(Spot, &str)> {
    let users = account.user_bearers().map(|(_, bearer)| bearer);
    let groups = account.group_bearers().map(|(_, bearer)| bearer);
    let roles = account.role_bearers().map(|(_, bearer)| bearer);
    users
        .chain(groups)
        .chain(roles)
        .flat_map(|bearer| {
            let all = bearer.policies.iter().chain(bearer.boundary);
            all.map(|policy| (bearer.spot.at(place(policy)), policy.value.as_str()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The ARNs, accounts and ids that a trust policy names under `AWS`.
pub(super) fn trusted(trust: &str) -> Vec<String> {
    let Ok(policy) = Policy::parse(trust, PolicyKind::Trust) else {
        return Vec::new();
    };
    let principals = policy
        .statements()
        .flat_map(|statement| statement.principals().collect::<Vec<_>>());
    principals
        .filter(|(class, _)| *class == "AWS")
        .map(|(_, name)| name)
        .collect()
}

/// Why a principal cannot be trusted, if it cannot. What lies in accounts that the file does not name is left to the API.
async fn untrusted(
    gateway: &Gateway,
    file: &SeedFile,
    spot: &Spot,
    name: &str,
) -> Result<Option<String>, Stop> {
    let refusal = Some(format!(
        "MalformedPolicyDocument: Invalid principal in policy: \"AWS\":\"{name}\""
    ));
    if name.starts_with("AIDA") || name.starts_with("AROA") {
        // The cloud would show an ARN in its place, so the file would never be found to agree with it.
        return Ok(Some(format!(
            "a seed names principals by their ARNs, not by unique ids such as {name}"
        )));
    }
    let resource = name
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(':'));
    let Some((id, resource)) = resource else {
        return Ok(None);
    };
    let Some(account) = file.accounts.iter().find(|item| item.value.id.value == id) else {
        return Ok(None);
    };
    if in_file(&account.value, name) {
        return Ok(None);
    }
    let last = resource.rsplit('/').next().unwrap_or_default();
    let (operation, member, kind) = match resource.split('/').next() {
        Some("user") => ("GetUser", "UserName", "User"),
        Some("role") => ("GetRole", "RoleName", "Role"),
        _ => return Ok(None),
    };
    let input = json!({ member: last });
    if root::check(operation, &input).is_err() {
        return Ok(refusal);
    }
    let found = Root::of(gateway, id)
        .find(operation, input)
        .await
        .map_err(|fault| spot.fault(&fault))?;
    let same = found
        .is_some_and(|found| found.pointer(&format!("/{kind}/Arn")).and_then(Value::as_str) == Some(name));
    Ok(refusal.filter(|_| !same))
}

/// Whether an ARN is that of a user or role of the file.
fn in_file(account: &Account, arn: &str) -> bool {
    let own = |kind: &str, path: Option<&str>, name: &str| {
        arn == format!(
            "arn:aws:iam::{}:{kind}{}{name}",
            account.id.value,
            path.unwrap_or("/")
        )
    };
    account
        .users
        .iter()
        .any(|user| own("user", user.value.path.as_deref(), &user.value.name))
        || account
            .roles
            .iter()
            .any(|role| own("role", role.value.path.as_deref(), &role.value.name))
}
