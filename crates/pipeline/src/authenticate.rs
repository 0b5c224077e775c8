//! Who sent a request: the signature's claim, the credential behind it, and the proof.
//!
//! Invariant: no field of a request is believed before `verify` has returned an identity.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use crypto::signature::SigningKey;
use parking_lot::Mutex;
use wire::fault::Common;
use wire::protocol::Parts;
use wire::route::Route;
use wire::signature::FormClaim;
use wire::sigv4::{self, Claim, PathStyle, PayloadRule};
use wire::{Document, Fault, Timestamp, sigv2};

use crate::call::Look;
use crate::identity::{Credential, Identity, Refusal};
use crate::recorder;

/// Derived signing keys that are kept; one is derived with four HMACs and serves for a day.
const SIGNING_KEYS_MAX: usize = 4096;

/// A derived signing key with all that it was derived from, so that it never outlives a change of the secret. Whether
/// the access key may still be used is asked of the directory on every call.
struct Derived {
    access_key_id: String,
    secret: crypto::Secret,
    date: String,
    region: String,
    service: String,
    key: Arc<SigningKey>,
}

impl Derived {
    fn is_of(&self, claim: &Claim<'_>, secret: &crypto::Secret) -> bool {
        let scope = &claim.scope;
        self.access_key_id == claim.access_key_id
            && self.date == scope.date
            && self.region == scope.region
            && self.service == scope.service
            && self.secret == *secret
    }
}

/// Derived signing keys by a hash of their scope.
#[derive(Default)]
pub(crate) struct SigningKeys(Mutex<HashMap<u64, Derived>>);

impl SigningKeys {
    fn get(&self, claim: &Claim<'_>, secret: &crypto::Secret) -> Arc<SigningKey> {
        let scope = &claim.scope;
        let hash = fold(&[&claim.access_key_id, &scope.date, &scope.region, &scope.service]);
        if let Some(derived) = self
            .0
            .lock()
            .get(&hash)
            .filter(|derived| derived.is_of(claim, secret))
        {
            return Arc::clone(&derived.key);
        }
        let key = Arc::new(SigningKey::derive(
            secret,
            &scope.date,
            &scope.region,
            &scope.service,
        ));
        let derived = Derived {
            access_key_id: claim.access_key_id.to_string(),
            secret: secret.clone(),
            date: scope.date.to_string(),
            region: scope.region.to_string(),
            service: scope.service.to_string(),
            key: Arc::clone(&key),
        };
        let mut keys = self.0.lock();
        if keys.len() >= SIGNING_KEYS_MAX {
            keys.clear();
        }
        keys.insert(hash, derived);
        key
    }
}

fn fold(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A verified caller, or a refusal with what is known of who tried.
pub(crate) struct Refused {
    pub(crate) fault: Fault,
    /// The owner of the access key, if the key exists: whose trail shows the refusal.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            identity: None,
        }
    }
}

/// A verified caller, and the key that the request was signed with, which chunks of its payload are signed with too.
pub(crate) struct Proven {
    pub(crate) identity: Arc<Identity>,
    /// Of Signature Version 4.
    pub(crate) key: Option<Arc<SigningKey>>,
}

/// Verifies a claim against the directory and the wall's time. Of a payload that is still `arriving` only the kind is checked.
pub(crate) fn verify(
    look: &mut Look<'_>,
    parts: &Parts<'_>,
    claim: &Claim<'_>,
    route: Option<Route>,
    wall: Timestamp,
    arriving: bool,
) -> Result<Proven, Refused> {
    let style = path_style(route, claim);
    sigv4::check_time(claim, wall.seconds(), style)?;
    if let Some(Route {
        service, operation, ..
    }) = route
    {
        sigv4::check_scope(claim, &[service.signing_name], &[])?;
        if !recorder::is_region(&claim.scope.region) {
            if style == PathStyle::Raw {
                return Err(sigv4::wrong_region(&claim.scope.region, "us-east-1").into());
            }
            let message = "Credential should be scoped to a valid region. ";
            return Err(Fault::common(Common::SignatureDoesNotMatch, message).into());
        }
        sigv4::check_signed_headers(claim, parts, style)?;
        let raw = style == PathStyle::Raw;
        let rule = PayloadRule {
            style,
            unsigned: operation.unsigned_payload || raw,
            streaming: raw,
        };
        if arriving {
            sigv4::check_payload_kind(claim, rule)?;
        } else {
            sigv4::check_payload(claim, parts.body, rule, crypto::digest::sha256)?;
        }
    } else {
        // What the request is for is not known, but whose it is must be proven all the same: a signed hash binds the body.
        let rule = PayloadRule {
            style,
            unsigned: true,
            streaming: true,
        };
        sigv4::check_payload(claim, parts.body, rule, crypto::digest::sha256)?;
    }
    let directory = look.directory();
    let credential = directory
        .credential(look, &claim.access_key_id, claim.session_token.as_deref())
        .map_err(|refusal| {
            let key_id = (style == PathStyle::Raw).then_some(&*claim.access_key_id);
            Refused::from(refusal_fault(refusal, key_id))
        })?;
    let text = sigv4::string_to_sign(claim, parts, style, crypto::digest::sha256);
    let key = look.environment.signing_keys.get(claim, &credential.secret);
    if key.verify_hex(&text.text, &claim.signature) {
        return Ok(Proven {
            identity: credential.identity,
            key: Some(key),
        });
    }
    let fault = match style {
        PathStyle::Raw => sigv4::signature_mismatch_of_objects(claim, &text),
        PathStyle::Normalised => sigv4::signature_mismatch(&text.canonical_request, &text.text),
    };
    Err(Refused {
        fault,
        identity: Some(credential.identity),
    })
}

/// Verifies a claim of Signature Version 2, which S3 alone takes, in regions that are old enough. `look` is of the region that the
/// request is for.
pub(crate) fn verify_old(
    look: &mut Look<'_>,
    parts: &Parts<'_>,
    claim: &sigv2::Claim<'_>,
    wall: Timestamp,
) -> Result<Arc<Identity>, Refused> {
    if !sigv2::is_known_in(look.region()) {
        return Err(sigv2::unsupported().into());
    }
    sigv2::check_time(claim, wall.seconds())?;
    sigv2::check_query(parts)?;
    let credential = credential_of_objects(look, &claim.access_key_id, claim.session_token.as_deref())?;
    let text = sigv2::string_to_sign(claim, parts);
    let given = base64::engine::general_purpose::STANDARD.decode(claim.signature.as_bytes());
    let given = given.unwrap_or_default();
    let right = |text: &str| crypto::signature::verify_sha1(&credential.secret, text, &given);
    // Both forms name the same bucket.
    if right(&text) || sigv2::string_with_slash(claim, parts).is_some_and(|text| right(&text)) {
        return Ok(credential.identity);
    }
    Err(Refused {
        fault: sigv2::mismatch(&claim.access_key_id, &claim.signature, &text),
        identity: Some(credential.identity),
    })
}

/// How long the policy of a form may be used with one signing key.
const FORM_SECONDS_MAX: i64 = 7 * 24 * 60 * 60;

/// Verifies a form's claim: its policy's signature. What the policy says is the service's to judge. `look` is of the region that the form
/// is for.
pub(crate) fn verify_form(
    look: &mut Look<'_>,
    claim: &FormClaim<'_>,
    wall: Timestamp,
) -> Result<Arc<Identity>, Refused> {
    if let Some((scope, at)) = &claim.scope {
        if scope.service != "s3" || !recorder::is_region(&scope.region) {
            return Err(sigv4::wrong_region(&scope.region, "us-east-1").into());
        }
        if at.seconds > wall.seconds().saturating_add(sigv4::WINDOW_SECONDS) {
            return Err(Fault::common(Common::AccessDenied, "Request is not valid yet").into());
        }
        if at.seconds.saturating_add(FORM_SECONDS_MAX) < wall.seconds() {
            return Err(Fault::common(Common::AccessDenied, "Request has expired").into());
        }
    } else if !sigv2::is_known_in(look.region()) {
        return Err(sigv2::unsupported().into());
    }
    let credential = credential_of_objects(look, claim.access_key_id, claim.session_token)?;
    let right = match &claim.scope {
        Some((scope, _)) => {
            let key = SigningKey::derive(&credential.secret, &scope.date, &scope.region, &scope.service);
            key.verify_hex(claim.policy, claim.signature)
        }
        None => {
            let given = base64::engine::general_purpose::STANDARD.decode(claim.signature.as_bytes());
            given.is_ok_and(|given| crypto::signature::verify_sha1(&credential.secret, claim.policy, &given))
        }
    };
    if right {
        return Ok(credential.identity);
    }
    Err(Refused {
        fault: sigv2::mismatch(claim.access_key_id, claim.signature, claim.policy),
        identity: Some(credential.identity),
    })
}

/// A credential with which S3 is asked, which has words of its own for what is wrong with one.
pub(crate) fn credential_of_objects(
    look: &mut Look<'_>,
    access_key_id: &str,
    token: Option<&str>,
) -> Result<Credential, Fault> {
    let directory = look.directory();
    let found = directory.credential(look, access_key_id, token);
    found.map_err(|refusal| refusal_fault(refusal, Some(access_key_id)))
}

/// `of_objects` is the access key id of a request to S3, which has words of its own.
pub(crate) fn refusal_fault(refusal: Refusal, of_objects: Option<&str>) -> Fault {
    const INVALID: &str = "The security token included in the request is invalid.";
    match refusal {
        Refusal::Fault(fault) => fault,
        Refusal::Unknown if of_objects.is_some() => Fault::common(
            Common::InvalidClientTokenId,
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .with(
            "AWSAccessKeyId",
            Document::String(of_objects.unwrap_or_default().to_owned()),
        ),
        Refusal::BadToken if of_objects.is_some() => Fault::plain(
            "InvalidToken",
            400,
            "The provided token is malformed or otherwise invalid.",
        ),
        Refusal::Expired if of_objects.is_some() => {
            Fault::common(Common::ExpiredToken, "The provided token has expired.")
        }
        Refusal::Unknown | Refusal::BadToken => Fault::common(Common::InvalidClientTokenId, INVALID),
        Refusal::Expired => Fault::common(
            Common::ExpiredToken,
            "The security token included in the request is expired",
        ),
    }
}

/// S3 signs paths as they are; every other service normalises them first.
fn path_style(route: Option<Route>, claim: &Claim<'_>) -> PathStyle {
    match route {
        None if claim.scope.service == "s3" => PathStyle::Raw,
        Some(route) if route.service.signing_name == "s3" => PathStyle::Raw,
        _ => PathStyle::Normalised,
    }
}

/// The payload rule of requests that belong to no service.
pub(crate) fn check_payload(claim: &Claim<'_>, parts: &Parts<'_>) -> Result<(), Fault> {
    let rule = PayloadRule {
        style: PathStyle::Normalised,
        unsigned: false,
        streaming: false,
    };
    sigv4::check_payload(claim, parts.body, rule, crypto::digest::sha256)
}
