//! Brings the cloud to what the file says, by reading first and calling only what changes something.
//!
//! Invariant: what the file does not name stays as it is; applied twice, the second run writes nothing.

use pipeline::Gateway;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::check::trusted;
use super::document::place;
use super::file::{Account, Bearer, Group, ManagedPolicy, Role, SeedFile, Tags, User, tags};
use super::problem::{Spot, Stop};
use super::root::Root;

/// Versions that a managed policy may have; the oldest one gives way.
const VERSIONS_MAX: usize = 5;

/// Trusts nobody, until those whom the file's trust policy names are made.
const TRUSTS_NOBODY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

type Settled = Result<(), Stop>;

/// Settles all but access keys. Whole kinds after each other, over all accounts, since trust reaches across them.
pub(super) async fn settle(gateway: &Gateway, file: &SeedFile) -> Settled {
    let accounts = || {
        file.accounts
            .iter()
            .map(|item| (&item.value, Root::of(gateway, &item.value.id.value)))
    };
    for (index, (account, root)) in accounts().enumerate() {
        self::account(gateway, index, account, &root).await?;
        for (policy, spot) in account.placed_policies() {
            managed(&root, account, policy, &spot).await?;
        }
        for (group, bearer) in account.group_bearers() {
            self::group(&root, account, group, &bearer).await?;
        }
    }
    for (account, root) in accounts() {
        for (user, bearer) in account.user_bearers() {
            self::user(&root, account, user, &bearer).await?;
        }
    }
    for (account, root) in accounts() {
        for (role, bearer) in account.role_bearers() {
            make_role(&root, file, account, role, &bearer.spot).await?;
        }
    }
    for (account, root) in accounts() {
        for (role, bearer) in account.role_bearers() {
            self::role(&root, account, role, &bearer).await?;
        }
    }
    Ok(())
}

/// Calls what changes something.
async fn change(root: &Root<'_>, spot: &Spot, operation: &str, input: Value) -> Settled {
    root.output(operation, &input)
        .await
        .map(drop)
        .map_err(|fault| spot.fault(&fault))
}

async fn find(root: &Root<'_>, spot: &Spot, operation: &str, input: Value) -> Result<Option<Value>, Stop> {
    root.find(operation, input)
        .await
        .map_err(|fault| spot.fault(&fault))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether a list of an answer has an item whose `member` is `wanted`.
fn lists(answer: &Value, list: &str, member: &str, wanted: &str) -> bool {
    let items = answer.get(list).and_then(Value::as_array);
    items.is_some_and(|items| {
        items
            .iter()
            .any(|item| text(item, member).is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
    })
}

async fn account(gateway: &Gateway, index: usize, account: &Account, root: &Root<'_>) -> Settled {
    let id = &account.id.value;
    let spot = Spot::of("accounts", index, id, place(&account.id));
    let name = account.name.as_ref().map(|name| name.value.as_str());
    let made = gateway.system("us-east-1", |call| {
        identity::iam::bootstrap::ensure_account(call, id, name)
    });
    made.map_err(|fault| spot.fault(&fault))?;
    let Some(alias) = &account.alias else {
        return Ok(());
    };
    let spot = spot.at(place(alias));
    let held = root
        .call("ListAccountAliases", json!({}))
        .await
        .map_err(|fault| spot.fault(&fault))?;
    if text(&held, "/AccountAliases/0") == Some(&alias.value) {
        return Ok(());
    }
    change(
        root,
        &spot,
        "CreateAccountAlias",
        json!({"AccountAlias": alias.value}),
    )
    .await
}

async fn managed(root: &Root<'_>, account: &Account, policy: &ManagedPolicy, spot: &Spot) -> Settled {
    let arn = policy.arn(&account.id.value);
    let Some(held) = find(root, spot, "GetPolicy", json!({"PolicyArn": arn})).await? else {
        return change(root, spot, "CreatePolicy", policy.create()).await;
    };
    if policy
        .description
        .as_deref()
        .is_some_and(|wanted| wanted != text(&held, "/Policy/Description").unwrap_or_default())
    {
        return Err(spot.refuse("the description of a policy cannot be changed once it is made"));
    }
    let version = text(&held, "/Policy/DefaultVersionId").unwrap_or_default();
    let query = json!({"PolicyArn": arn, "VersionId": version});
    let shown = find(root, spot, "GetPolicyVersion", query)
        .await?
        .unwrap_or_default();
    let document = &policy.document.value;
    if !text(&shown, "/PolicyVersion/Document").is_some_and(|held| document.equals(&decoded(held))) {
        make_room(root, spot, &arn).await?;
        let input = json!({"PolicyArn": arn, "PolicyDocument": document.text, "SetAsDefault": true});
        change(
            root,
            &spot.at(place(&policy.document)),
            "CreatePolicyVersion",
            input,
        )
        .await?;
    }
    retag(
        root,
        spot,
        "TagPolicy",
        ("PolicyArn", &arn),
        &policy.tags,
        held.pointer("/Policy/Tags"),
    )
    .await
}

/// Deletes the oldest version that does not count, if there is no room for another.
async fn make_room(root: &Root<'_>, spot: &Spot, arn: &str) -> Settled {
    let listed = find(root, spot, "ListPolicyVersions", json!({"PolicyArn": arn}))
        .await?
        .unwrap_or_default();
    let versions = listed
        .get("Versions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let number =
        |version: &Value| text(version, "/VersionId").and_then(|id| id.get(1..)?.parse::<u32>().ok());
    let spare = versions
        .iter()
        .filter(|version| version.get("IsDefaultVersion") != Some(&json!(true)));
    match spare.filter_map(number).min() {
        Some(oldest) if versions.len() >= VERSIONS_MAX => {
            let input = json!({"PolicyArn": arn, "VersionId": format!("v{oldest}")});
            change(root, spot, "DeletePolicyVersion", input).await
        }
        _ => Ok(()),
    }
}

async fn group(root: &Root<'_>, account: &Account, group: &Group, bearer: &Bearer<'_>) -> Settled {
    let spot = &bearer.spot;
    match find(root, spot, "GetGroup", json!({"GroupName": group.name})).await? {
        None => change(root, spot, "CreateGroup", group.create()).await?,
        Some(held) => {
            let path = group
                .path
                .as_deref()
                .filter(|path| text(&held, "/Group/Path") != Some(path));
            if let Some(path) = path {
                change(
                    root,
                    spot,
                    "UpdateGroup",
                    json!({"GroupName": group.name, "NewPath": path}),
                )
                .await?;
            }
        }
    }
    policies(root, account, bearer).await
}

async fn user(root: &Root<'_>, account: &Account, user: &User, bearer: &Bearer<'_>) -> Settled {
    let spot = &bearer.spot;
    match find(root, spot, "GetUser", json!({"UserName": user.name})).await? {
        None => change(root, spot, "CreateUser", account.create_user(user)).await?,
        Some(held) => {
            let path = user
                .path
                .as_deref()
                .filter(|path| text(&held, "/User/Path") != Some(path));
            if let Some(path) = path {
                change(
                    root,
                    spot,
                    "UpdateUser",
                    json!({"UserName": user.name, "NewPath": path}),
                )
                .await?;
            }
            bounds_and_tags(root, account, bearer, held.get("User").unwrap_or(&Value::Null)).await?;
        }
    }
    if !user.groups.is_empty() {
        let held = find(root, spot, "ListGroupsForUser", json!({"UserName": user.name}))
            .await?
            .unwrap_or_default();
        for group in user
            .groups
            .iter()
            .filter(|group| !lists(&held, "Groups", "/GroupName", &group.value))
        {
            let input = json!({"UserName": user.name, "GroupName": group.value});
            change(root, &spot.at(place(group)), "AddUserToGroup", input).await?;
        }
    }
    policies(root, account, bearer).await
}

/// Makes a role that is not there. One that trusts roles of the file gets its trust policy when all roles are made.
async fn make_role(root: &Root<'_>, file: &SeedFile, account: &Account, role: &Role, spot: &Spot) -> Settled {
    if find(root, spot, "GetRole", json!({"RoleName": role.name}))
        .await?
        .is_some()
    {
        return Ok(());
    }
    let trust = role.trust.value.text.as_str();
    let waits = trusted(trust).iter().any(|name| {
        file.accounts
            .iter()
            .any(|item| name.starts_with(&format!("arn:aws:iam::{}:role/", item.value.id.value)))
    });
    let input = account.create_role(role, if waits { TRUSTS_NOBODY } else { trust });
    change(root, &spot.at(place(&role.trust)), "CreateRole", input).await
}

async fn role(root: &Root<'_>, account: &Account, role: &Role, bearer: &Bearer<'_>) -> Settled {
    let spot = &bearer.spot;
    let found = find(root, spot, "GetRole", json!({"RoleName": role.name})).await?;
    let held = found
        .as_ref()
        .and_then(|found| found.get("Role"))
        .unwrap_or(&Value::Null);
    if role
        .path
        .as_deref()
        .is_some_and(|path| text(held, "/Path") != Some(path))
    {
        return Err(spot.refuse("the path of a role cannot be changed once it is made"));
    }
    let trust = &role.trust.value;
    if !text(held, "/AssumeRolePolicyDocument").is_some_and(|held| trust.equals(&decoded(held))) {
        let input = json!({"RoleName": role.name, "PolicyDocument": trust.text});
        change(
            root,
            &spot.at(place(&role.trust)),
            "UpdateAssumeRolePolicy",
            input,
        )
        .await?;
    }
    let mut update = Map::from_iter([("RoleName".to_owned(), json!(role.name))]);
    if let Some(wanted) = role.description.as_ref()
        && wanted != text(held, "/Description").unwrap_or_default()
    {
        update.insert("Description".to_owned(), json!(wanted));
    }
    if let Some(wanted) = role.max_session_duration
        && held.get("MaxSessionDuration") != Some(&json!(wanted))
    {
        update.insert("MaxSessionDuration".to_owned(), json!(wanted));
    }
    if update.len() > 1 {
        change(root, spot, "UpdateRole", update.into()).await?;
    }
    bounds_and_tags(root, account, bearer, held).await?;
    policies(root, account, bearer).await
}

/// The boundary and the tags of a user or role that was there.
async fn bounds_and_tags(root: &Root<'_>, account: &Account, bearer: &Bearer<'_>, held: &Value) -> Settled {
    let kind = bearer.kind;
    let member = format!("{kind}Name");
    if let Some(boundary) = bearer.boundary {
        let arn = account.policy_arn(&boundary.value);
        if text(held, "/PermissionsBoundary/PermissionsBoundaryArn") != Some(&arn) {
            let operation = format!("Put{kind}PermissionsBoundary");
            let input = json!({member.as_str(): bearer.name, "PermissionsBoundary": arn});
            change(root, &bearer.spot.at(place(boundary)), &operation, input).await?;
        }
    }
    let Some(wanted) = bearer.tags else { return Ok(()) };
    retag(
        root,
        &bearer.spot,
        &format!("Tag{kind}"),
        (&member, bearer.name),
        wanted,
        held.get("Tags"),
    )
    .await
}

/// Sets the tags that are missing or have another value.
async fn retag(
    root: &Root<'_>,
    spot: &Spot,
    operation: &str,
    (member, name): (&str, &str),
    wanted: &Tags,
    held: Option<&Value>,
) -> Settled {
    let held = held
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let stands = |key: &str, value: &str| held.contains(&json!({"Key": key, "Value": value}));
    let missing = wanted.iter().filter(|(key, value)| !stands(key, value));
    let missing: Tags = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
    match tags(&missing) {
        None => Ok(()),
        Some(tags) => change(root, spot, operation, json!({member: name, "Tags": tags})).await,
    }
}

/// The managed and inline policies of a user, group or role.
async fn policies(root: &Root<'_>, account: &Account, bearer: &Bearer<'_>) -> Settled {
    let Bearer { spot, kind, name, .. } = bearer;
    let member = format!("{kind}Name");
    if !bearer.policies.is_empty() {
        let operation = format!("ListAttached{kind}Policies");
        let held = find(root, spot, &operation, json!({member.as_str(): name}))
            .await?
            .unwrap_or_default();
        for policy in bearer.policies {
            let arn = account.policy_arn(&policy.value);
            if !lists(&held, "AttachedPolicies", "/PolicyArn", &arn) {
                let input = json!({member.as_str(): name, "PolicyArn": arn});
                change(
                    root,
                    &spot.at(place(policy)),
                    &format!("Attach{kind}Policy"),
                    input,
                )
                .await?;
            }
        }
    }
    for (policy, document) in bearer.inline {
        inline(root, bearer, &member, policy, document).await?;
    }
    Ok(())
}

async fn inline(
    root: &Root<'_>,
    bearer: &Bearer<'_>,
    member: &str,
    policy: &str,
    document: &Spanned<super::document::Document>,
) -> Settled {
    let Bearer { kind, name, .. } = bearer;
    let spot = bearer.spot.at(place(document));
    let query = json!({member: name, "PolicyName": policy});
    let held = find(root, &spot, &format!("Get{kind}Policy"), query)
        .await?
        .unwrap_or_default();
    if text(&held, "/PolicyDocument").is_some_and(|held| document.value.equals(&decoded(held))) {
        return Ok(());
    }
    let input = json!({member: name, "PolicyName": policy, "PolicyDocument": document.value.text});
    change(root, &spot, &format!("Put{kind}Policy"), input).await
}

/// A document out of its percent-encoding (RFC 3986, section 2.1).
fn decoded(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let escape = tail
            .get(..2)
            .filter(|_| *byte == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_out_of_their_encoding() {
        assert_eq!(decoded("%7B%22%C3%A9%22%3A1%7D%"), "{\"é\":1}%");
    }
}
