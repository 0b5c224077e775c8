//! The lines of a credential report (IAM User Guide, "Understanding the report format").
//!
//! Invariant: a cell holds what the rows say, or AWS's word for what there is not: `N/A`, `no_information`, `not_supported`.

use std::sync::Arc;

use pipeline::{Call, Look, Resource as _, Result};
use wire::Timestamp;

use crate::iam::access_key::{self, ACCESS_KEYS, AccessKey};
use crate::iam::account::ACCOUNTS;
use crate::iam::mfa;
use crate::iam::password::{self, PasswordPolicy};
use crate::iam::signing_certificate;
use crate::iam::user::{USERS, User};

/// AWS's columns in AWS's order.
const COLUMNS: [&str; 22] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];
const NOT_APPLICABLE: &str = "N/A";
/// Users read at a time.
const STRIDE: usize = 256;

/// The whole report: the root user first, then all users by name.
pub(super) fn text(call: &mut Call<'_>, account: &str) -> Result<String> {
    let mut text = COLUMNS.join(",");
    text.push_str(",additional_credentials_info\n");
    line(&mut text, root(call, account)?);
    let policy = password::of_account(call, account)?;
    let mut after = None;
    loop {
        let rows = call.range(&USERS, &(account,), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, user) in rows {
            line(&mut text, of_user(call, &user, policy.as_deref())?);
            after = Some(key);
        }
        if !full {
            return Ok(text);
        }
    }
}

fn line(text: &mut String, cells: Vec<String>) {
    // Names may hold commas and equals signs, but neither quotes nor line ends.
    let quoted = cells.into_iter().map(|cell| {
        if cell.contains(',') {
            format!("\"{cell}\"")
        } else {
            cell
        }
    });
    text.push_str(&quoted.collect::<Vec<_>>().join(","));
    text.push('\n');
}

fn root(look: &mut Look<'_>, account: &str) -> Result<Vec<String>> {
    let created = look
        .get(&ACCOUNTS, &account.to_owned())?
        .map_or(0, |row| row.created);
    let mut cells = vec![
        "<root_account>".to_owned(),
        format!("arn:aws:iam::{account}:root"),
        time(created),
        // As AWS's reports say of root, whose password is no matter of IAM; nothing tells of its use.
        "not_supported".to_owned(),
        "no_information".to_owned(),
        "not_supported".to_owned(),
        "not_supported".to_owned(),
        flag(mfa::present(look, account, "")?),
    ];
    credentials(look, account, "", &mut cells)?;
    Ok(cells)
}

fn of_user(look: &mut Look<'_>, user: &Arc<User>, policy: Option<&PasswordPolicy>) -> Result<Vec<String>> {
    let (account, lower) = (user.account.clone(), user.lower());
    let profile = password::of_user(look, &account, &lower)?;
    let mut cells = vec![
        user.name.clone(),
        user.arn(),
        time(user.created),
        flag(profile.is_some()),
    ];
    match &profile {
        Some(profile) => {
            let used = user.password_last_used.map(time);
            cells.push(used.unwrap_or_else(|| "no_information".to_owned()));
            cells.push(time(profile.changed));
            let expiry = policy.and_then(|policy| policy.expiry(profile.changed));
            cells.push(expiry.map_or_else(|| NOT_APPLICABLE.to_owned(), time));
        }
        None => cells.extend(std::iter::repeat_n(NOT_APPLICABLE.to_owned(), 3)),
    }
    cells.push(flag(mfa::present(look, &account, &lower)?));
    credentials(look, &account, &lower, &mut cells)?;
    Ok(cells)
}

/// Two access keys, two signing certificates, and what is beyond.
fn credentials(look: &mut Look<'_>, account: &str, lower: &str, cells: &mut Vec<String>) -> Result<()> {
    let mut keys = Vec::new();
    for id in access_key::of_holder(look, account, lower)? {
        keys.extend(look.get(&ACCESS_KEYS, &id)?);
    }
    keys.sort_by(|one, two| (one.created, &one.id).cmp(&(two.created, &two.id)));
    for place in 0..2 {
        cells.extend(key(keys.get(place).map(|key| &**key)));
    }
    let certificates = signing_certificate::reported(look, account, lower)?;
    for place in 0..2 {
        cells.extend(match certificates.get(place) {
            Some((active, changed)) => [flag(*active), time(*changed)],
            None => [flag(false), NOT_APPLICABLE.to_owned()],
        });
    }
    cells.push(NOT_APPLICABLE.to_owned());
    Ok(())
}

fn key(key: Option<&AccessKey>) -> [String; 5] {
    let absent = || NOT_APPLICABLE.to_owned();
    let Some(key) = key else {
        return [flag(false), absent(), absent(), absent(), absent()];
    };
    let used = key.last_used.as_ref();
    [
        flag(key.active),
        time(key.changed.unwrap_or(key.created)),
        used.map_or_else(absent, |used| time(used.at)),
        used.map_or_else(absent, |used| used.region.clone()),
        used.map_or_else(absent, |used| used.service.clone()),
    ]
}

fn flag(value: bool) -> String {
    if value { "true" } else { "false" }.to_owned()
}

/// ISO 8601 to the second, with a numeric offset as AWS's reports have it.
fn time(milliseconds: i64) -> String {
    let whole = Timestamp::from_seconds(Timestamp(milliseconds).seconds()).iso8601();
    format!("{}+00:00", whole.trim_end_matches('Z'))
}
