//! Outbound federation: an account as an issuer of identity tokens, which services outside of AWS verify by its public pages.
//!
//! Invariant: an account keeps its issuer and its keys for good, whether the feature is on or not, so that tokens are never
//! verified by the keys of another; private keys lie sealed.

use api::iam as model;
use api::iam::fault::{feature_disabled_exception, feature_enabled_exception};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::issuer::IssuerKey;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::Fault;
use wire::typed::Empty;

/// The path under which the pages of all issuers lie at this Ringwork's endpoint.
pub const PATH: &str = "/_ringwork/oidc/";
/// What rows of sealed keys are bound to.
const SEALED_RSA: &str = "iam.outbound.rs256";
const SEALED_EC: &str = "iam.outbound.es384";
/// Key ids, as AWS's issuers have them.
pub(crate) const RSA_ID: &str = "RSA_0";
pub(crate) const EC_ID: &str = "EC384_0";

/// An account's issuer.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Outbound {
    pub(crate) account: String,
    /// `https://…`
    pub(crate) issuer: String,
    pub(crate) enabled: bool,
    rs256: Vec<u8>,
    es384: Vec<u8>,
    /// The public keys as a JSON Web Key Set.
    keys: String,
}

store::record!(Outbound, 1);

/// Whose issuer an id stands for.
#[derive(Clone, Serialize, Deserialize)]
struct Owner {
    account: String,
}

store::record!(Owner, 1);

/// By account.
static OUTBOUND: Table<String, Outbound> = Table::new(0x0126, "iam.outbound");
/// Accounts by the id in their issuer.
static ISSUERS: Table<String, Owner> = Table::new(0x0127, "iam.outbound_issuers");

/// An account's issuer, if outbound federation is on.
pub(crate) fn enabled(look: &mut Look<'_>, account: &str) -> Result<Option<Outbound>> {
    let row = look.get(&OUTBOUND, account)?;
    Ok(row.filter(|row| row.enabled).map(|row| (*row).clone()))
}

impl Outbound {
    /// The key for RS256.
    pub(crate) fn rs256(&self, look: &Look<'_>) -> Result<IssuerKey> {
        let secret = look.open(SEALED_RSA, self.account.as_bytes(), &self.rs256)?;
        IssuerKey::rs256_from(&secret).map_err(Fault::internal)
    }

    /// The key for ES384.
    pub(crate) fn es384(&self, look: &Look<'_>) -> Result<IssuerKey> {
        let secret = look.open(SEALED_EC, self.account.as_bytes(), &self.es384)?;
        IssuerKey::es384_from(&secret).map_err(Fault::internal)
    }

    /// Makes an issuer with new keys, at the endpoint that the request came to.
    fn make(call: &mut Call<'_>) -> Result<Self> {
        let (rsa, ec) = (
            IssuerKey::rs256().map_err(Fault::internal)?,
            IssuerKey::es384().map_err(Fault::internal)?,
        );
        let account = call.account().to_owned();
        let row = account.as_bytes();
        let sealed = |name: &str, key: &IssuerKey| {
            let secret = key.secret().map_err(Fault::internal)?;
            call.seal(name, row, secret.expose())
        };
        let (rs256, es384) = (sealed(SEALED_RSA, &rsa)?, sealed(SEALED_EC, &ec)?);
        let id = format!("a{}", call.uuid()?.get(1..).unwrap_or_default());
        let host = call.request.host.as_deref().unwrap_or("localhost:4566");
        let made = Self {
            issuer: format!("https://{host}{PATH}{id}"),
            account: account.clone(),
            enabled: true,
            rs256,
            es384,
            keys: key_set(&rsa, &ec)?.to_string(),
        };
        call.put(&ISSUERS, &id, Owner { account })?;
        Ok(made)
    }
}

/// The public keys (RFC 7517).
fn key_set(rsa: &IssuerKey, ec: &IssuerKey) -> Result<Value> {
    let lost = || Fault::internal("a key pair without a public half");
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (rsa, ec) = (rsa.public().ok_or_else(lost)?, ec.public().ok_or_else(lost)?);
    let (modulus, exponent) = rsa.numbers().ok_or_else(lost)?;
    let (x, y) = ec.numbers().ok_or_else(lost)?;
    Ok(json!({"keys": [
        {"kty": "RSA", "kid": RSA_ID, "use": "sig", "alg": "RS256", "n": text(modulus), "e": text(exponent)},
        {"kty": "EC", "kid": EC_ID, "use": "sig", "alg": "ES384", "crv": "P-384", "x": text(x), "y": text(y)},
    ]}))
}

/// One of the public pages of an issuer, by the path behind `PATH`; `None` if there is none.
///
/// # Errors
/// The store's, as a fault.
pub fn page(look: &mut Look<'_>, path: &str) -> Result<Option<String>> {
    let Some((id, page)) = path.split_once('/') else {
        return Ok(None);
    };
    let Some(owner) = look.get(&ISSUERS, id)? else {
        return Ok(None);
    };
    let Some(row) = enabled(look, &owner.account)? else {
        return Ok(None);
    };
    let issuer = &row.issuer;
    Ok(match page {
        ".well-known/openid-configuration" => Some(
            json!({
                "issuer": issuer,
                "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", "https://sts.amazonaws.com/"],
                "id_token_signing_alg_values_supported": ["RS256", "ES384"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            })
            .to_string(),
        ),
        ".well-known/jwks.json" => Some(row.keys),
        _ => None,
    })
}

fn disabled() -> Fault {
    feature_disabled_exception("Outbound web identity federation is disabled for this account.")
}

/// Turns outbound federation on. The first time, the account gets its issuer.
pub struct EnableOutboundWebIdentityFederation;

impl Operation for EnableOutboundWebIdentityFederation {
    type Input = Empty;
    type Output = model::EnableOutboundWebIdentityFederationResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:EnableOutboundWebIdentityFederation");

    fn target(look: &mut Look<'_>, _input: &Empty) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Empty) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let held = call.get(&OUTBOUND, &account)?;
        if held.as_ref().is_some_and(|held| held.enabled) {
            return Err(feature_enabled_exception(
                "Outbound web identity federation is already enabled for this account.",
            ));
        }
        let row = match held {
            Some(held) => Outbound {
                enabled: true,
                ..(*held).clone()
            },
            None => Outbound::make(call)?,
        };
        let issuer = row.issuer.clone();
        call.put(&OUTBOUND, &account, row)?;
        Ok(model::EnableOutboundWebIdentityFederationResponse {
            issuer_identifier: Some(issuer),
        })
    }
}

/// Turns outbound federation off: no new tokens, and no pages to verify the old ones by.
pub struct DisableOutboundWebIdentityFederation;

impl Operation for DisableOutboundWebIdentityFederation {
    type Input = Empty;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:DisableOutboundWebIdentityFederation");

    fn target(look: &mut Look<'_>, _input: &Empty) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Empty) -> Result<Empty> {
        let account = call.account().to_owned();
        let mut row = enabled(call, &account)?.ok_or_else(disabled)?;
        row.enabled = false;
        call.put(&OUTBOUND, &account, row)?;
        Ok(Empty)
    }
}

/// Tells the account's issuer.
pub struct GetOutboundWebIdentityFederationInfo;

impl Operation for GetOutboundWebIdentityFederationInfo {
    type Input = Empty;
    type Output = model::GetOutboundWebIdentityFederationInfoResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetOutboundWebIdentityFederationInfo");

    fn target(look: &mut Look<'_>, _input: &Empty) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Empty) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let row = enabled(call, &account)?.ok_or_else(disabled)?;
        Ok(model::GetOutboundWebIdentityFederationInfoResponse {
            issuer_identifier: Some(row.issuer),
            jwt_vending_enabled: Some(true),
        })
    }
}
