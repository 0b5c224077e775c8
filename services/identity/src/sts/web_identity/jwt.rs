//! Identity tokens: JSON Web Tokens in the compact form, signed by a key of the provider.
//!
//! Source: RFC 7515, RFC 7519, RFC 8725; STS API Reference, "AssumeRoleWithWebIdentity", for the algorithms.
//!
//! Invariant: nothing in a token is believed before its signature is verified, least of all what it says of its own signature:
//! the algorithm picks among keys of its own kind and no others, and there are none for `none` and for shared secrets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::certificate::{Curve, PublicKey, SignatureScheme};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The algorithms that AWS takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
}

impl Algorithm {
    /// As `alg` spells it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES512" => Self::ES512,
            _ => return None,
        })
    }

    const fn scheme(self) -> SignatureScheme {
        match self {
            Self::RS256 => SignatureScheme::RsaPkcs1Sha256,
            Self::RS384 => SignatureScheme::RsaPkcs1Sha384,
            Self::RS512 => SignatureScheme::RsaPkcs1Sha512,
            Self::ES256 => SignatureScheme::EcdsaSha256,
            Self::ES384 => SignatureScheme::EcdsaSha384,
            Self::ES512 => SignatureScheme::EcdsaSha512,
        }
    }

    /// The curve of its keys; `None` for RSA.
    pub const fn curve(self) -> Option<Curve> {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 => None,
            Self::ES256 => Some(Curve::P256),
            Self::ES384 => Some(Curve::P384),
            Self::ES512 => Some(Curve::P521),
        }
    }
}

/// Why a text is no token that can be verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Not three parts of base64url with JSON objects in the first two.
    Form,
    /// An algorithm that is not taken.
    Algorithm,
    /// It asks for extensions to be understood (`crit`), of which there are none here.
    Critical,
}

/// A token that was read, and not verified yet.
pub struct Token<'a> {
    pub algorithm: Algorithm,
    /// Which key of the provider signed it.
    pub key_id: Option<String>,
    pub claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// Takes a token apart.
///
/// # Errors
/// What is wrong with its form or its algorithm.
pub fn read(text: &str) -> Result<Token<'_>, Flaw> {
    let (signed, signature) = text.rsplit_once('.').ok_or(Flaw::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(Flaw::Form)?;
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Flaw::Form)?;
    let claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| Flaw::Form)?;
    let signature = decoded(signature)?;
    let algorithm = Algorithm::named(&header.alg).ok_or(Flaw::Algorithm)?;
    if header.crit.is_some() {
        return Err(Flaw::Critical);
    }
    Ok(Token {
        algorithm,
        key_id: header.kid,
        claims,
        signed,
        signature,
    })
}

fn decoded(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Form)
}

impl Token<'_> {
    /// Whether the key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verifies(self.algorithm.scheme(), self.signed.as_bytes(), &self.signature)
    }

    /// A claim that is text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a point in time, in seconds since 1970. AWS takes whole numbers only.
    pub fn seconds(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim)?.as_i64()
    }

    /// A claim that is one value or a list of them, as texts.
    pub fn texts(&self, claim: &str) -> Vec<String> {
        self.claims.get(claim).map(texts).unwrap_or_default()
    }
}

/// The values of a claim as conditions see them.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(values) => values
            .iter()
            .filter(|value| !value.is_array())
            .flat_map(texts)
            .collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part(claims), part("signature"))
    }

    #[test]
    fn a_token_is_three_parts() {
        let text = token(
            r#"{"alg":"ES256","kid":"one"}"#,
            r#"{"sub":"ann","exp":7,"amr":["a",1,true,{}]}"#,
        );
        let read = read(&text).ok().unwrap();
        assert_eq!(
            (read.algorithm, read.key_id.as_deref(), read.text("sub")),
            (Algorithm::ES256, Some("one"), Some("ann"))
        );
        assert_eq!(
            (read.seconds("exp"), read.texts("amr")),
            (Some(7), vec!["a".into(), "1".into(), "true".into()])
        );
    }

    /// RFC 8725, sections 2.1 and 3.1: neither no algorithm nor a shared secret, whatever the letters' case.
    #[test]
    fn algorithms_without_a_key_pair_are_refused() {
        for alg in [
            "none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "PS256", "EdDSA", "RS1",
        ] {
            let text = token(&format!(r#"{{"alg":"{alg}"}}"#), "{}");
            assert_eq!(read(&text).err(), Some(Flaw::Algorithm), "{alg}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        for text in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{good}.x"),
            format!("{good}="),
            good.replace('.', " . "),
            token(r#"{"alg":1}"#, "{}"),
            token("[]", "{}"),
            token(r#"{"alg":"RS256","alg":"RS256"}"#, "{}"),
            token(r#"{"alg":"RS256"}"#, "[]"),
            token(r#"{"alg":"RS256"}"#, &"[".repeat(500)),
        ] {
            assert_eq!(read(&text).err(), Some(Flaw::Form), "{text}");
        }
        let critical = token(r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, "{}");
        assert_eq!(read(&critical).err(), Some(Flaw::Critical));
    }
}
