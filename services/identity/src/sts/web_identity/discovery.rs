//! A provider's own pages: its configuration, and the keys that it signs with.
//!
//! Source: OpenID Connect Discovery 1.0, section 4; RFC 7517; IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in
//! IAM", for the limits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::certificate::PublicKey;
use serde::Deserialize;
use serde_json::Value;

use super::jwt::Algorithm;

/// Keys of one type that a provider may show.
const KEYS_MAX: usize = 100;

/// Where a provider's configuration lies.
pub fn address(issuer: &str) -> String {
    format!(
        "{}/.well-known/openid-configuration",
        issuer.strip_suffix('/').unwrap_or(issuer)
    )
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

/// Where a provider's keys lie, by its configuration; `None` if that is another's, or no configuration.
pub fn keys_address(configuration: &[u8], issuer: &str) -> Option<String> {
    let read: Configuration = serde_json::from_slice(configuration).ok()?;
    (read.issuer == issuer && read.jwks_uri.starts_with("https://")).then_some(read.jwks_uri)
}

#[derive(Deserialize)]
struct KeySet {
    /// Keys of kinds that are not known must not spoil the others.
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(rename = "use", default)]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

/// What a set of keys has for a token.
#[derive(PartialEq, Eq, Debug)]
pub enum Keys {
    /// The keys that may have signed it.
    Found(Vec<PublicKey>),
    /// None; it may have been made after the set was fetched.
    Missing,
    /// The page is no set of keys, or one that is too large.
    Unusable,
}

/// The keys of a set that fit a token's algorithm and key id. A token without a key id is for sets with one fitting key.
pub fn keys(set: &[u8], algorithm: Algorithm, key_id: Option<&str>) -> Keys {
    let Ok(set) = serde_json::from_slice::<KeySet>(set) else {
        return Keys::Unusable;
    };
    let kind = if algorithm.curve().is_some() { "EC" } else { "RSA" };
    let known = set
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let of_kind: Vec<Jwk> = known.filter(|key| key.kty == kind).collect();
    if of_kind.len() > KEYS_MAX {
        return Keys::Unusable;
    }
    let fitting = of_kind
        .iter()
        .filter(|key| key_id.is_none() || key.kid.as_deref() == key_id);
    let found: Vec<PublicKey> = fitting.filter_map(|key| key.public_key(algorithm)).collect();
    if found.is_empty() || key_id.is_none() && found.len() > 1 {
        return Keys::Missing;
    }
    Keys::Found(found)
}

impl Jwk {
    /// The key, if it is one to verify this algorithm's signatures with.
    fn public_key(&self, algorithm: Algorithm) -> Option<PublicKey> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let meant = self
            .alg
            .as_deref()
            .is_none_or(|alg| Algorithm::named(alg) == Some(algorithm));
        if !signs || !meant {
            return None;
        }
        let number = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match algorithm.curve() {
            None => PublicKey::from_rsa(&number(&self.n)?, &number(&self.e)?),
            Some(curve) => {
                let name = format!("{curve:?}").replace('P', "P-");
                if self.crv.as_deref() != Some(name.as_str()) {
                    return None;
                }
                PublicKey::from_point(curve, &number(&self.x)?, &number(&self.y)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_configuration_is_the_issuers_own() {
        assert_eq!(
            address("https://id.example/realm/"),
            "https://id.example/realm/.well-known/openid-configuration"
        );
        let page = |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": keys}).to_string();
        let keys = |page: &str| keys_address(page.as_bytes(), "https://id.example");
        let right = "https://keys.example/set";
        assert_eq!(keys(&page("https://id.example", right)).as_deref(), Some(right));
        for wrong in [
            page("https://id.example/", right),
            page("https://other.example", right),
            page("https://id.example", "http://keys.example/set"),
            "{}".to_owned(),
            String::new(),
        ] {
            assert_eq!(keys(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_serves_the_algorithms_of_its_kind_and_no_other() {
        let point = URL_SAFE_NO_PAD.encode([7; 32]);
        let modulus = URL_SAFE_NO_PAD.encode([255; 256]);
        let ec = json!({"kty": "EC", "kid": "e", "crv": "P-256", "x": point, "y": point});
        let rsa = json!({"kty": "RSA", "kid": "r", "n": modulus, "e": "AQAB"});
        let secret = json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"});
        let odd = json!({"kty": 7});
        let set = json!({"keys": [ec, rsa, secret, odd]}).to_string();
        let found = |algorithm, kid| match keys(set.as_bytes(), algorithm, kid) {
            Keys::Found(found) => found.len(),
            _ => 0,
        };
        assert_eq!(found(Algorithm::ES256, Some("e")), 1);
        assert_eq!(found(Algorithm::RS512, Some("r")), 1);
        assert_eq!(found(Algorithm::RS256, None), 1);
        for (algorithm, kid) in [
            (Algorithm::ES384, "e"),
            (Algorithm::RS256, "e"),
            (Algorithm::ES256, "r"),
            (Algorithm::RS256, "s"),
            (Algorithm::RS256, "?"),
        ] {
            assert_eq!(keys(set.as_bytes(), algorithm, Some(kid)), Keys::Missing);
        }
        let mut other = rsa.clone();
        other["alg"] = "RS384".into();
        let mut encrypts = rsa.clone();
        encrypts["use"] = "enc".into();
        for key in [other, encrypts] {
            let set = json!({"keys": [key]}).to_string();
            assert_eq!(keys(set.as_bytes(), Algorithm::RS256, Some("r")), Keys::Missing);
        }
        let many = json!({"keys": vec![rsa; 101]}).to_string();
        assert_eq!(keys(many.as_bytes(), Algorithm::RS256, Some("r")), Keys::Unusable);
        assert_eq!(keys(many.as_bytes(), Algorithm::ES256, Some("r")), Keys::Missing);
        assert_eq!(keys(b"<html>", Algorithm::ES256, None), Keys::Unusable);
    }
}
