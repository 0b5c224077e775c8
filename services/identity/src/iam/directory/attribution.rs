//! Who a credential stands for, as policies and the record see it.

use std::sync::Arc;

use pipeline::Resource as _;
use pipeline::identity::{Identity, IdentityType, Session};
use policy::Principal;

use super::Standing;
use crate::iam::tag::{self, Tags};
use crate::iam::user::User;
use crate::sts::role::session_arn;
use crate::sts::token::{Holder, Issued};

/// A user, by a long-term key or a session of its own.
pub(crate) fn user_identity(user: &User, key_id: &str, session: Option<Arc<Session>>) -> Identity {
    let arn = user.arn();
    Identity {
        kind: IdentityType::IamUser,
        account: user.account.as_str().into(),
        arn: arn.as_str().into(),
        user_id: user.id.as_str().into(),
        user_name: Some(user.name.as_str().into()),
        access_key_id: key_id.into(),
        tags: user.tags.as_slice().into(),
        session,
        federation: None,
        principal: Principal::User {
            arn,
            account: user.account.clone(),
            id: user.id.clone(),
        },
    }
}

/// Whoever a session was issued for.
pub(super) fn session_identity(issued: &Issued, standing: &Standing) -> Identity {
    let session = Some(Arc::new(issued.session.clone()));
    let key_id = issued.access_key_id.as_str();
    let account = issued.account.as_str();
    match (&issued.holder, standing) {
        (Holder::Federated { name, .. }, standing) => {
            let held = if let Standing::User(user) = standing {
                user.tags.clone()
            } else {
                Tags::new()
            };
            let user_arn = match standing {
                Standing::User(user) => user.arn(),
                _ => format!("arn:aws:iam::{account}:root"),
            };
            let arn = format!("arn:aws:sts::{account}:federated-user/{name}");
            Identity {
                kind: IdentityType::FederatedUser,
                account: account.into(),
                arn: arn.as_str().into(),
                user_id: format!("{account}:{name}").into(),
                user_name: None,
                access_key_id: key_id.into(),
                tags: overlaid(held, &issued.tags),
                session,
                federation: None,
                principal: Principal::FederatedUser {
                    arn,
                    account: account.to_owned(),
                    user_arn,
                },
            }
        }
        (Holder::Role { session: name, .. }, Standing::Role(role)) => {
            let arn = session_arn(account, &role.name, name);
            Identity {
                kind: IdentityType::AssumedRole,
                account: account.into(),
                arn: arn.as_str().into(),
                user_id: format!("{}:{name}", role.id).into(),
                user_name: None,
                access_key_id: key_id.into(),
                tags: overlaid(role.tags.clone(), &issued.tags),
                session,
                federation: None,
                principal: Principal::AssumedRole {
                    arn,
                    role_arn: role.arn(),
                    account: account.to_owned(),
                    role_id: role.id.clone(),
                },
            }
        }
        (_, Standing::User(user)) => user_identity(user, key_id, session),
        _ => Identity {
            access_key_id: key_id.into(),
            session,
            ..Identity::root(account)
        },
    }
}

/// An identity's tags with the session's over them.
fn overlaid(mut held: Tags, session: &[(String, String)]) -> Arc<[(String, String)]> {
    tag::overlay(&mut held, session.iter().cloned());
    held.into()
}
