//! Who asks, and the entries of `Principal` elements that name them.
//!
//! Sources: IAM User Guide, "AWS JSON policy elements: Principal" and "NotPrincipal"; checklist S2.14.

use crate::{arn::Arn, context::Context};

/// The one who makes a request, once authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The root user of an account.
    Root {
        /// Twelve digits.
        account: String,
    },
    /// An IAM user, by long-term or GetSessionToken credentials.
    User {
        /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`
        arn: String,
        /// Twelve digits.
        account: String,
        /// The unique id (`AIDA…`), which trust policies keep in place of the ARN.
        id: String,
    },
    /// A session of a role.
    AssumedRole {
        /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`
        arn: String,
        /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`
        role_arn: String,
        /// Twelve digits.
        account: String,
        /// The role's unique id (`AROA…`).
        role_id: String,
    },
    /// A GetFederationToken session.
    FederatedUser {
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
        arn: String,
        /// Twelve digits.
        account: String,
        /// The ARN of the user (or account root) who asked for the token; its policies are the identity layer.
        user_arn: String,
    },
    /// An AWS service acting by itself.
    Service {
        /// `sns.amazonaws.com`
        name: String,
    },
    /// A caller of AssumeRoleWithWebIdentity or AssumeRoleWithSAML, known by the provider.
    Federated {
        /// The provider's ARN, or the host name of a built-in one.
        provider: String,
    },
    /// An unsigned request.
    Anonymous,
}

impl Principal {
    /// The account, for principals that belong to one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Service { .. } | Self::Federated { .. } | Self::Anonymous => None,
        }
    }

    /// A session of a role that only a service may assume: SCPs and RCPs do not bind it.
    pub fn is_service_linked_role(&self) -> bool {
        matches!(self, Self::AssumedRole { role_arn, .. } if role_arn.contains(":role/aws-service-role/"))
    }

    /// What `{"AWS": …}`, `{"Service": …}` or `{"Federated": …}` would say to name exactly this principal (for a session,
    /// its role); `None` for an anonymous one.
    pub(crate) fn naming(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::Root { account } => ("AWS", format!("arn:aws:iam::{account}:root")),
            Self::User { arn, .. } | Self::FederatedUser { arn, .. } => ("AWS", arn.clone()),
            Self::AssumedRole { role_arn, .. } => ("AWS", role_arn.clone()),
            Self::Service { name } => ("Service", name.clone()),
            Self::Federated { provider } => ("Federated", provider.clone()),
            Self::Anonymous => return None,
        })
    }

    /// How the principal is shown in a ladder.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::AssumedRole { arn, .. } => arn.clone(),
            Self::Anonymous => "anonymous".to_owned(),
            other => other.naming().map(|(_, name)| name).unwrap_or_default(),
        }
    }
}

/// How directly an element named the caller; decides which other layers still limit the grant.
///
/// Source: IAM User Guide, "How AWS enforcement code logic evaluates requests", Resource-based policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// Only the account: the rest is delegated to its identity policies.
    Account,
    /// The role behind a session, or the user behind a federated one: boundary and session policies still limit.
    Behind,
    /// The caller itself, or everyone.
    Direct,
}

/// One entry of a `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Everyone,
    Account(Box<str>),
    Arn(Box<str>),
    /// A unique id, which AWS puts where the ARN of a user or role was.
    Id(Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    Canonical(Box<str>),
}

impl Entry {
    /// Reads one string of the class `AWS`; `None` if AWS would refuse it.
    pub(crate) fn aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone);
        }
        if is_account(text) {
            return Some(Self::Account(text.into()));
        }
        let unique_id = text.starts_with("AIDA") || text.starts_with("AROA");
        if unique_id && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Some(Self::Id(text.into()));
        }
        let arn = Arn::parse(text)?;
        if !is_account(arn.account()) || !arn.region().is_empty() || text.contains(['*', '?']) {
            return None;
        }
        match (arn.service(), arn.resource()) {
            ("iam", "root") => Some(Self::Account(arn.account().into())),
            ("iam", resource) if named(resource, &["user/", "role/"]) => Some(Self::Arn(text.into())),
            ("sts", resource) if named(resource, &["assumed-role/", "federated-user/"]) => {
                Some(Self::Arn(text.into()))
            }
            _ => None,
        }
    }

    /// The key of the principal map that it stood under.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Everyone | Self::Account(_) | Self::Arn(_) | Self::Id(_) => "AWS",
            Self::Service(_) => "Service",
            Self::Federated(_) => "Federated",
            Self::Canonical(_) => "CanonicalUser",
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Everyone => "*".to_owned(),
            Self::Account(text)
            | Self::Arn(text)
            | Self::Id(text)
            | Self::Service(text)
            | Self::Federated(text)
            | Self::Canonical(text) => text.to_string(),
        }
    }

    /// How directly this entry names the caller; `None` if not at all.
    pub(crate) fn names(&self, caller: &Principal, context: &Context) -> Option<Strength> {
        let when = |holds: bool, strength| holds.then_some(strength);
        match self {
            Self::Everyone => Some(Strength::Direct),
            Self::Account(account) => when(caller.account() == Some(account), own_account_strength(caller)),
            Self::Arn(named) => match caller {
                Principal::User { arn, .. } => when(**named == **arn, Strength::Direct),
                Principal::AssumedRole { arn, role_arn, .. } => when(**named == **arn, Strength::Direct)
                    .or_else(|| when(**named == **role_arn, Strength::Behind)),
                Principal::FederatedUser { arn, user_arn, .. } => when(**named == **arn, Strength::Direct)
                    .or_else(|| when(**named == **user_arn, Strength::Behind)),
                _ => None,
            },
            Self::Id(named) => match caller {
                Principal::User { id, .. } => when(**named == **id, Strength::Direct),
                Principal::AssumedRole { role_id, .. } => when(**named == **role_id, Strength::Behind),
                _ => None,
            },
            Self::Service(named) => {
                let service = matches!(caller, Principal::Service { name } if **named == **name);
                when(service, Strength::Direct)
            }
            Self::Federated(named) => {
                let provider = matches!(caller, Principal::Federated { provider } if **named == **provider);
                when(provider, Strength::Direct)
            }
            Self::Canonical(id) => when(context.canonical_user() == Some(id), own_account_strength(caller)),
        }
    }
}

/// The root user is its account.
fn own_account_strength(caller: &Principal) -> Strength {
    if matches!(caller, Principal::Root { .. }) {
        Strength::Direct
    } else {
        Strength::Account
    }
}

/// Says whether `NotPrincipal` spares the caller: every level of its identity must be listed (account; user, or role and
/// session), since AWS checks the account first, then the role, then the session.
pub(crate) fn spared(entries: &[Entry], caller: &Principal, context: &Context) -> bool {
    let listed = |strength| {
        entries
            .iter()
            .any(|entry| entry.names(caller, context) == Some(strength))
    };
    if entries.contains(&Entry::Everyone) {
        return true;
    }
    match caller {
        Principal::User { .. } | Principal::FederatedUser { .. } => {
            listed(Strength::Account) && listed(Strength::Direct)
        }
        Principal::AssumedRole { .. } => {
            listed(Strength::Account) && listed(Strength::Behind) && listed(Strength::Direct)
        }
        Principal::Root { .. } | Principal::Service { .. } | Principal::Federated { .. } => {
            listed(Strength::Direct)
        }
        Principal::Anonymous => false,
    }
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `resource` is one of the prefixes and a name.
fn named(resource: &str, prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty()))
}
