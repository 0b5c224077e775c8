//! An OpenID Connect provider of a test's own, reached without sockets.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crypto::certificate::PublicKey;
use crypto::testing::SigningCertificate;
use pipeline::outside::{Fetch, Fetched, Outside, Page, Unreached};
use serde_json::{Value, json};

/// The certificate that the provider is served with.
pub(crate) const THUMBPRINT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A provider with one key of each kind.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    rsa: SigningCertificate,
    ec: SigningCertificate,
    pages: Mutex<BTreeMap<String, Fetched>>,
    asked: Mutex<Vec<Fetch>>,
}

impl Issuer {
    pub(crate) fn new(url: &str) -> Self {
        let issuer = Self(Arc::new(Inner {
            url: url.to_owned(),
            rsa: SigningCertificate::rsa(),
            ec: SigningCertificate::ecdsa(),
            pages: Mutex::default(),
            asked: Mutex::default(),
        }));
        let configuration = json!({"issuer": url, "jwks_uri": issuer.keys_url()});
        issuer.serve(
            &format!("{}/.well-known/openid-configuration", url.trim_end_matches('/')),
            &configuration,
        );
        issuer.serve_keys(&["rsa", "ec"]);
        issuer
    }

    fn keys_url(&self) -> String {
        format!("{}/keys", self.0.url.trim_end_matches('/'))
    }

    /// Shows these of its keys.
    pub(crate) fn serve_keys(&self, ids: &[&str]) {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = ids.iter().map(|id| {
            let (made, kind) = if id.starts_with("rsa") {
                (&self.0.rsa, "RSA")
            } else {
                (&self.0.ec, "EC")
            };
            let key = PublicKey::from_certificate(made.der()).unwrap();
            let (first, second) = key.numbers().unwrap();
            if kind == "RSA" {
                json!({"kty": kind, "kid": id, "use": "sig", "n": number(first), "e": number(second)})
            } else {
                json!({"kty": kind, "kid": id, "crv": "P-256", "x": number(first), "y": number(second)})
            }
        });
        let keys = keys.collect::<Vec<_>>();
        self.serve(&self.keys_url(), &json!({ "keys": keys }));
    }

    pub(crate) fn serve(&self, url: &str, page: &Value) {
        let page = Page {
            body: Bytes::from(page.to_string()),
            max_age: None,
            thumbprint: THUMBPRINT.to_owned(),
            by_thumbprint: true,
        };
        self.0.pages.lock().unwrap().insert(url.to_owned(), Ok(page));
    }

    /// Its keys cannot be had any more.
    pub(crate) fn fail(&self, unreached: Unreached) {
        let url = self.keys_url();
        self.0.pages.lock().unwrap().insert(url, Err(unreached));
    }

    /// How often it was asked for anything.
    pub(crate) fn fetches(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    /// A token with these claims, signed by the key of a kind.
    pub(crate) fn sign(&self, kid: &str, claims: &Value) -> String {
        let alg = if kid.starts_with("rsa") { "RS256" } else { "ES256" };
        self.sign_with(kid, &json!({"alg": alg, "typ": "JWT", "kid": kid}), claims)
    }

    /// The same, with a header of any kind.
    pub(crate) fn sign_with(&self, kid: &str, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = if kid.starts_with("rsa") {
            &self.0.rsa
        } else {
            &self.0.ec
        };
        let signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public modulus, as somebody could use it for a shared secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.rsa.der().to_vec()
    }
}

impl Outside for Issuer {
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Pin<Box<dyn Future<Output = Fetched> + Send + 'a>> {
        self.0.asked.lock().unwrap().push(fetch.clone());
        let page = self.0.pages.lock().unwrap().get(&fetch.url).cloned();
        Box::pin(async move { page.unwrap_or(Err(Unreached::Silent)) })
    }
}
