//! The services that take credentials of their own, and what their secrets look like.
//!
//! Source: IAM User Guide, "Service-specific credentials for IAM users" and "API keys for AWS services".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Randomness, Secret};
use pipeline::Result;
use wire::Fault;
use zeroize::Zeroizing;

/// By user name and password.
const PASSWORDS: [&str; 2] = ["codecommit.amazonaws.com", "cassandra.amazonaws.com"];
/// By an API key, which may end after a number of days, and how such a key begins where AWS's pages tell it.
const API_KEYS: [(&str, &str); 4] = [
    ("bedrock.amazonaws.com", "ABSK"),
    ("aws-external-anthropic.amazonaws.com", ""),
    ("cloudwatch.amazonaws.com", ""),
    ("logs.amazonaws.com", "ACWL"),
];
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Whether a service takes credentials of its own.
pub(super) fn is_known(service: &str) -> bool {
    PASSWORDS.contains(&service) || has_api_keys(service)
}

/// Whether a service's credentials are API keys.
pub(super) fn has_api_keys(service: &str) -> bool {
    API_KEYS.iter().any(|(known, _)| *known == service)
}

/// A new secret of a service: a password, or an API key that holds its own alias.
pub(super) fn draw(random: &dyn Randomness, service: &str, alias: &str) -> Result<Secret> {
    let bytes = crypto::random::bytes(random, SECRET_BYTES).map_err(Fault::internal)?;
    let password = Zeroizing::new(STANDARD.encode(bytes.expose()));
    let Some((_, start)) = API_KEYS.iter().find(|(known, _)| *known == service) else {
        return Ok(Secret::copy_of(password.as_bytes()));
    };
    let inner = Zeroizing::new(format!("{alias}:{}", *password));
    Ok(Secret::from(format!(
        "{start}{}",
        STANDARD.encode(inner.as_bytes())
    )))
}
