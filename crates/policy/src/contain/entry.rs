//! Entries of `Principal` elements as sets of callers.
//!
//! Invariant: both answers are proofs, as those on patterns are.

use crate::principal::Entry;

/// Whether whoever `inner` names is named by `outer`; if `directly`, no less directly than by `inner`, since a grant to an
/// account leaves the rest to its identity policies, and a grant to a user does not.
pub(crate) fn names_all(outer: &Entry, inner: &Entry, directly: bool) -> bool {
    if *outer == Entry::Everyone || outer == inner {
        return true;
    }
    if directly {
        return false;
    }
    match (outer, inner) {
        (Entry::Account(account), Entry::Arn(arn)) => account_of(arn) == Some(account),
        // A session belongs to its role.
        (Entry::Arn(role), Entry::Arn(session)) => {
            account_of(role) == account_of(session)
                && role_of(session).is_some_and(|name| kind(role) == Some(("role", name)))
        }
        _ => false,
    }
}

/// Whether nobody is named by both.
pub(crate) fn apart(one: &Entry, two: &Entry) -> bool {
    match (one, two) {
        (Entry::Service(a), Entry::Service(b)) | (Entry::Federated(a), Entry::Federated(b)) => a != b,
        (Entry::Account(a), Entry::Account(b)) => a != b,
        (Entry::Account(account), Entry::Arn(arn)) | (Entry::Arn(arn), Entry::Account(account)) => {
            account_of(arn) != Some(account)
        }
        (Entry::Arn(a), Entry::Arn(b)) => account_of(a) != account_of(b) || named_apart(a, b),
        (Entry::Service(_) | Entry::Federated(_), Entry::Account(_) | Entry::Arn(_) | Entry::Id(_))
        | (Entry::Account(_) | Entry::Arn(_) | Entry::Id(_), Entry::Service(_) | Entry::Federated(_))
        | (Entry::Service(_), Entry::Federated(_))
        | (Entry::Federated(_), Entry::Service(_)) => true,
        _ => false,
    }
}

fn named_apart(one: &str, two: &str) -> bool {
    match (kind(one), kind(two)) {
        (Some(("user", a)), Some(("user", b))) | (Some(("role", a)), Some(("role", b))) => a != b,
        (Some(("user", _)), Some(("role", _))) | (Some(("role", _)), Some(("user", _))) => true,
        _ => false,
    }
}

/// `user` or `role`, and the name without its path.
fn kind(arn: &str) -> Option<(&'static str, &str)> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let (kind, name) = resource.split_once('/')?;
    let kind = ["user", "role"].into_iter().find(|known| *known == kind)?;
    Some((kind, name.rsplit('/').next().unwrap_or(name)))
}

/// The name of the role whose session an ARN names.
fn role_of(arn: &str) -> Option<&str> {
    let (_, rest) = arn.split_once(":assumed-role/")?;
    rest.split_once('/').map(|(role, _)| role)
}

fn account_of(arn: &str) -> Option<&str> {
    crate::arn::account_of(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry::aws(text).unwrap()
    }

    #[test]
    fn accounts_name_their_users_and_roles_their_sessions() {
        let account = entry("111122223333");
        let user = entry("arn:aws:iam::111122223333:user/a/alice");
        let role = entry("arn:aws:iam::111122223333:role/jobs/reader");
        let session = entry("arn:aws:sts::111122223333:assumed-role/reader/night");
        assert!(names_all(&account, &user, false) && !names_all(&account, &user, true));
        assert!(names_all(&role, &session, false) && !names_all(&session, &role, false));
        assert!(names_all(&Entry::Everyone, &user, true));
        assert!(apart(&user, &role) && apart(&entry("444455556666"), &user));
        assert!(!apart(&role, &session) && !apart(&account, &session));
        assert!(apart(&Entry::Service("sns.amazonaws.com".into()), &account));
    }
}
