//! The key derivation and signature of Signature Version 4 (IAM User Guide, "Create a signed AWS API request").
//!
//! Canonical requests and strings to sign are wire matters; this module only keys, signs and compares in constant time.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Secret, digest};

/// A key for one day, region and service. It is derived once and may be kept as long as the secret access key may.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key from a secret access key for `date` (`YYYYMMDD`), `region` and `service`.
    #[must_use]
    pub fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Self {
        let mut start = Vec::with_capacity(4 + secret.len());
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret.expose());
        let start = Secret::new(start);
        let mut key = digest::hmac_sha256(start.expose(), date.as_bytes());
        for scope in [region, service, "aws4_request"] {
            key = digest::hmac_sha256(&key, scope.as_bytes());
        }
        let derived = Self(key);
        key.zeroize();
        derived
    }

    /// Signs a string to sign.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> [u8; 32] {
        digest::hmac_sha256(&self.0, string_to_sign.as_bytes())
    }

    /// Compares a given signature (64 lower-case hexadecimal digits) with the right one in constant time.
    #[must_use]
    pub fn verify_hex(&self, string_to_sign: &str, given_hex: &str) -> bool {
        let expected = digest::hex(&self.sign(string_to_sign));
        digest::equal(expected.as_bytes(), given_hex.as_bytes())
    }
}

/// Whether these bytes are the HMAC-SHA1 of a text under a secret access key, compared in constant time: the signature of S3's Signature
/// Version 2 (S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)").
#[must_use]
pub fn verify_sha1(secret: &Secret, text: &str, given: &[u8]) -> bool {
    digest::equal(&digest::hmac_sha1(secret.expose(), text.as_bytes()), given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example_key() -> SigningKey {
        let secret = Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        SigningKey::derive(&secret, "20150830", "us-east-1", "service")
    }

    fn string_to_sign(request_digest: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n{request_digest}"
        )
    }

    /// AWS's published Signature Version 4 test suite: get-vanilla and post-vanilla.
    #[test]
    fn signatures_agree_with_the_published_suite() {
        let cases = [
            (
                "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ];
        for (request_digest, signature) in cases {
            let text = string_to_sign(request_digest);
            assert_eq!(digest::hex(&example_key().sign(&text)), signature);
            assert!(example_key().verify_hex(&text, signature));
        }
    }

    /// S3 API Reference, "Authentication examples": the object GET.
    #[test]
    fn the_old_version_agrees_with_its_documentation() {
        use base64::Engine as _;
        let secret = Secret::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let text = "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg";
        let given = base64::engine::general_purpose::STANDARD
            .decode("bWq2s1WEIj+Ydj0vQ697zp+IXMU=")
            .unwrap();
        assert!(verify_sha1(&secret, text, &given));
        assert!(!verify_sha1(&secret, "another text", &given));
        assert!(!verify_sha1(&secret, text, &[]));
    }

    #[test]
    fn every_part_of_the_scope_changes_the_key() {
        let secret = Secret::from("secret");
        let derive = |date, region, service| SigningKey::derive(&secret, date, region, service).sign("text");
        let right = derive("20150830", "us-east-1", "kms");
        assert_ne!(right, derive("20150831", "us-east-1", "kms"));
        assert_ne!(right, derive("20150830", "us-east-2", "kms"));
        assert_ne!(right, derive("20150830", "us-east-1", "iam"));
    }

    #[test]
    fn other_texts_than_the_signature_are_refused() {
        let text = string_to_sign("bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
        let right = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let key = example_key();
        assert!(!key.verify_hex(&text, ""));
        assert!(!key.verify_hex(&text, right.trim_end_matches('1')));
        assert!(!key.verify_hex(&text, &format!("{right}0")));
        assert!(!key.verify_hex(&text, &right.to_uppercase()));
        assert!(!key.verify_hex("another string", right));
    }
}
