//! STS: temporary credentials with limited privileges, for users, roles and federated users (S4.1).
//!
//! A session is not kept anywhere: its token carries all of it, authenticated and encrypted by the seal, and the directory reads it
//! with every request. It ends when its time is over by the cloud's clock, or when the identity behind it is deleted.
//!
//! Invariant: a session never has more than the identity behind it had and the policies given at its issue leave.

use pipeline::{Endpoint, TrailRules, operations};

pub mod caller;
pub mod federation;
pub(crate) mod grant;
pub mod key;
pub mod message;
mod narrowing;
pub mod outbound;
pub mod role;
pub mod root;
pub mod saml;
pub mod session;
pub(crate) mod token;
pub mod web_identity;

/// How STS's calls look in the trail. AWS shows session tokens there; a token is half of a live credential, whose reader
/// needs only the access key id to follow the session, so ours does not.
pub static TRAIL: TrailRules = TrailRules {
    drop: &["SessionToken", "TokenCode", "SAMLAssertion", "WebIdentityToken"],
    shown_reads: &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"],
    hides_denied: true,
    names_resources: true,
    ..TrailRules::new("sts")
};

/// STS's operations.
pub static OPERATIONS: &[Endpoint] = operations!["sts";
    caller::{GetCallerIdentity},
    federation::{GetFederationToken},
    key::{GetAccessKeyInfo},
    message::{DecodeAuthorizationMessage},
    outbound::{GetWebIdentityToken},
    role::{AssumeRole},
    root::{AssumeRoot},
    saml::{AssumeRoleWithSAML},
    session::{GetSessionToken},
    web_identity::{AssumeRoleWithWebIdentity},
];
