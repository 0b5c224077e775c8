//! A caller in whose name a service goes on after the call has been answered: CloudFormation's stacks.
//!
//! What is kept says who called, and with which session; it is no credential: nothing outside the pipeline makes or changes one, and each
//! call that is made with it is judged by the policies of its own moment. It lasts as long as the credential of the call itself: a session
//! until it ends, an access key until it is turned off or deleted, either no longer than its user, role and account. (AWS makes a
//! session of the caller's credentials and does not say what becomes of it when the access key is turned off; somebody who turns off a key
//! that was stolen must be sure that nothing goes on in its name, so it ends here.)
//!
//! Source: IAM User Guide, "Forward access sessions"; CloudFormation User Guide, "CloudFormation service role".
//!
//! Invariant: a `Forwarded` is made of the verified caller of a running call, and of nothing else.

use std::sync::Arc;

use bytes::Bytes;
use policy::Principal;
use serde::{Deserialize, Serialize};
use wire::fault::Common;
use wire::{Document, Fault};

use crate::authenticate::refusal_fault;
use crate::call::Call;
use crate::identity::{Identity, IdentityType, Session};
use crate::invoke::Sent;
use crate::operation::Result;

/// A verified caller, to be kept in a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Forwarded {
    kind: IdentityType,
    principal: Kept,
    account: String,
    arn: String,
    user_id: String,
    user_name: Option<String>,
    access_key_id: String,
    tags: Vec<(String, String)>,
    session: Option<Session>,
}

/// `policy::Principal`, of those kinds that a service can go on for.
#[derive(Clone, Serialize, Deserialize)]
enum Kept {
    Root,
    User { arn: String, id: String },
    AssumedRole { role_arn: String, role_id: String },
    FederatedUser { user_arn: String },
}

/// In whose name a service calls others.
#[derive(Clone)]
pub struct Acting {
    identity: Arc<Identity>,
    /// The caller's own name is used by the service: policies see `aws:CalledVia`.
    forwarded: bool,
}

impl Forwarded {
    fn identity(&self) -> Identity {
        let account = self.account.clone();
        let principal = match self.principal.clone() {
            Kept::Root => Principal::Root { account },
            Kept::User { arn, id } => Principal::User { arn, account, id },
            Kept::AssumedRole { role_arn, role_id } => Principal::AssumedRole {
                arn: self.arn.clone(),
                role_arn,
                account,
                role_id,
            },
            Kept::FederatedUser { user_arn } => Principal::FederatedUser {
                arn: self.arn.clone(),
                account,
                user_arn,
            },
        };
        Identity {
            kind: self.kind,
            principal,
            account: self.account.as_str().into(),
            arn: self.arn.as_str().into(),
            user_id: self.user_id.as_str().into(),
            user_name: self.user_name.as_deref().map(Into::into),
            access_key_id: self.access_key_id.as_str().into(),
            tags: self.tags.clone().into(),
            session: self.session.clone().map(Arc::new),
            federation: None,
        }
    }
}

impl Call<'_> {
    /// The caller, to be kept for what the service does for it later.
    ///
    /// # Errors
    /// `AccessDenied` for callers without an account of their own, for whom nothing is done later.
    pub fn forward(&self) -> Result<Forwarded> {
        let identity = self.identity;
        let principal = match &identity.principal {
            Principal::Root { .. } => Kept::Root,
            Principal::User { arn, id, .. } => Kept::User {
                arn: arn.clone(),
                id: id.clone(),
            },
            Principal::AssumedRole {
                role_arn, role_id, ..
            } => Kept::AssumedRole {
                role_arn: role_arn.clone(),
                role_id: role_id.clone(),
            },
            Principal::FederatedUser { user_arn, .. } => Kept::FederatedUser {
                user_arn: user_arn.clone(),
            },
            Principal::Service { .. } | Principal::Federated { .. } | Principal::Anonymous => {
                return Err(Fault::access_denied(
                    "Only principals of an account can have this done for them.",
                ));
            }
        };
        Ok(Forwarded {
            kind: identity.kind,
            principal,
            account: identity.account.to_string(),
            arn: identity.arn.to_string(),
            user_id: identity.user_id.to_string(),
            user_name: identity.user_name.as_deref().map(str::to_owned),
            access_key_id: identity.access_key_id.to_string(),
            tags: identity.tags.to_vec(),
            session: identity.session.as_deref().cloned(),
        })
    }

    /// Goes on in the name of a caller of earlier.
    ///
    /// # Errors
    /// `ExpiredToken` once the caller's session has ended; `AccessDenied` once the user or role is gone, or another bears its name: what
    /// resources allow to everybody is not for a principal that there is not. `InvalidClientTokenId` once the caller's access key was
    /// turned off or deleted, the user is gone who issued the session, or the account was closed.
    pub fn act_as(&mut self, forwarded: &Forwarded) -> Result<Acting> {
        let ended = |session: &Session| session.expires <= self.now.0;
        if forwarded.session.as_ref().is_some_and(ended) {
            let message = "The security token included in the request is expired";
            return Err(Fault::common(Common::ExpiredToken, message));
        }
        let named = match &forwarded.principal {
            Kept::User { arn, id } => Some((arn, id)),
            Kept::AssumedRole { role_arn, role_id } => Some((role_arn, role_id)),
            Kept::Root | Kept::FederatedUser { .. } => None,
        };
        let directory = self.look.directory();
        if let Some((arn, id)) = named
            && directory.principal_id(&mut self.look, arn)?.as_ref() != Some(id)
        {
            return Err(Fault::access_denied(format!(
                "The principal {arn} no longer exists."
            )));
        }
        let identity = Arc::new(forwarded.identity());
        directory
            .lasts(&mut self.look, &identity)
            .map_err(|refusal| refusal_fault(refusal, None))?;
        Ok(Acting {
            identity,
            forwarded: true,
        })
    }

    /// Goes on with a session that was issued a moment ago, of a role that was handed to the service.
    ///
    /// # Errors
    /// A denial for a session that is not known or has expired.
    pub fn act_for_session(&mut self, access_key_id: &str, token: &crypto::Secret) -> Result<Acting> {
        Ok(Acting {
            identity: self.session((access_key_id, token))?,
            forwarded: false,
        })
    }

    /// Runs another service's operation for whom `acting` stands. See `invoke`.
    ///
    /// # Errors
    /// As `invoke`.
    pub fn invoke_acting(
        &mut self,
        by: &'static str,
        acting: &Acting,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document> {
        let identity = Arc::clone(&acting.identity);
        let sent = Sent {
            input,
            payload: None,
            whole_bytes: 0,
        };
        let via = acting.forwarded.then_some(by);
        self.ask_whole(&identity, (via, None, by), service, operation, sent)
            .map(|(answer, _)| answer)
    }

    /// Runs another service's operation for this call's own caller, and gives the payload of its answer (an object's bytes) if it is no
    /// larger than `bytes_max`.
    ///
    /// # Errors
    /// As `invoke`.
    pub fn invoke_for_bytes(
        &mut self,
        by: &'static str,
        (service, operation): (&str, &str),
        input: Document,
        bytes_max: u64,
    ) -> Result<(Document, Option<Bytes>)> {
        let sent = Sent {
            input,
            payload: None,
            whole_bytes: bytes_max,
        };
        let (answer, bytes) =
            self.ask_whole(self.identity, (Some(by), None, by), service, operation, sent)?;
        let small = |bytes: &Bytes| u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max);
        Ok((answer, bytes.filter(small)))
    }
}
