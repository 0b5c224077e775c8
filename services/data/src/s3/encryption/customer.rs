//! Keys of customers (SSE-C, S21.14–S21.18): given with each request, never kept.
//!
//! Invariant: of a customer's key the record has a salted HMAC and the MD5 that the customer sent, neither of which opens anything.
//!
//! Source: S3 User Guide, "Specifying server-side encryption with customer-provided keys (SSE-C)".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::checksum::{Checksum, ChecksumSet, Summer};
use crypto::{Secret, digest, random};
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;

use super::Octets;
use crate::s3::fault::{invalid_argument, invalid_request};

/// The only algorithm that there is.
pub(super) const ALGORITHM: &str = "AES256";
const ALGORITHM_HEADER: &str = "x-amz-server-side-encryption-customer-algorithm";
const KEY_HEADER: &str = "x-amz-server-side-encryption-customer-key";
const MD5_HEADER: &str = "x-amz-server-side-encryption-customer-key-MD5";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a salt.
const SALT_BYTES: usize = 32;

/// A customer's own key, as a request gives it.
#[derive(Default)]
pub(crate) struct Customer {
    pub(crate) algorithm: Option<String>,
    /// In Base64.
    pub(crate) key: Option<Secret>,
    pub(crate) key_md5: Option<String>,
}

/// Reads the customer's key of a request of any shape that may carry one.
macro_rules! customer {
    ($input:expr) => {
        $crate::s3::encryption::Customer {
            algorithm: $input.sse_customer_algorithm.take(),
            key: $input
                .sse_customer_key
                .take()
                .map(|key| crypto::Secret::new(key.into_bytes())),
            key_md5: $input.sse_customer_key_md5.take(),
        }
    };
}
pub(crate) use customer;

/// A customer's key that is one.
pub(super) struct CustomerKey {
    pub(super) key: Secret,
    pub(super) md5: String,
}

impl Customer {
    /// Whether the request names one.
    pub(crate) const fn is_given(&self) -> bool {
        self.algorithm.is_some() || self.key.is_some() || self.key_md5.is_some()
    }

    /// The key, if all three headers go together.
    ///
    /// # Errors
    /// `InvalidArgument`, which never repeats the key.
    pub(super) fn read(&self) -> Result<CustomerKey> {
        let wrong = |message: &str, header: &str| Err(invalid_argument(message, header, "null"));
        let Some(algorithm) = &self.algorithm else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
                ALGORITHM_HEADER,
            );
        };
        if algorithm != ALGORITHM {
            return Err(Fault::plain(
                "InvalidEncryptionAlgorithmError",
                400,
                "The Encryption request you specified is not valid. Supported value: AES256.",
            )
            .with("ArgumentName", crate::s3::fault::text(ALGORITHM_HEADER))
            .with("ArgumentValue", crate::s3::fault::text(algorithm)));
        }
        let Some(text) = &self.key else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
                KEY_HEADER,
            );
        };
        let Some(md5) = &self.key_md5 else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the \
                 secret key.",
                MD5_HEADER,
            );
        };
        let key = Secret::new(STANDARD.decode(text.expose()).unwrap_or_default());
        if key.len() != KEY_BYTES {
            return wrong(
                "The secret key was invalid for the specified algorithm.",
                KEY_HEADER,
            );
        }
        if *md5 != md5_of(&key) {
            return wrong(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
                MD5_HEADER,
            );
        }
        Ok(CustomerKey {
            key,
            md5: md5.clone(),
        })
    }
}

/// The MD5 of a key in Base64.
fn md5_of(key: &Secret) -> String {
    let mut summer = Summer::new(ChecksumSet::of(Checksum::Md5));
    summer.update(key.expose());
    STANDARD.encode(summer.finish().get(Checksum::Md5).unwrap_or_default())
}

/// What is kept of a customer's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    #[serde(rename = "s")]
    salt: Octets,
    /// HMAC-SHA-256 of the key under the salt.
    #[serde(rename = "h")]
    hmac: Octets,
    /// In Base64, as answers repeat it.
    #[serde(rename = "m")]
    pub(super) md5: String,
}

impl Proof {
    /// Makes the proof of a key, under a new salt.
    pub(super) fn of(call: &Call<'_>, key: &CustomerKey) -> Result<Self> {
        let salt: [u8; SALT_BYTES] = random::array(call.random()).map_err(Fault::internal)?;
        let hmac = digest::hmac_sha256(&salt, key.key.expose());
        Ok(Self {
            salt: Octets(salt.to_vec()),
            hmac: Octets(hmac.to_vec()),
            md5: key.md5.clone(),
        })
    }

    /// The key of a request, if it is the one that the object is under.
    ///
    /// # Errors
    /// 400 for a missing or malformed key, 403 for another key (S21.18).
    pub(super) fn check(&self, given: &Customer) -> Result<Secret> {
        if !given.is_given() {
            return Err(invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the \
                 object.",
            ));
        }
        let key = given.read()?;
        self.open(key.key)
            .ok_or_else(|| Fault::access_denied("Access Denied"))
    }

    /// The key of a further part, if it is the one that the upload was begun with.
    ///
    /// # Errors
    /// 400.
    pub(super) fn check_part(&self, given: &Customer) -> Result<Secret> {
        if !given.is_given() {
            return Err(invalid_request(
                "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption \
                 parameters.",
            ));
        }
        let key = given.read()?;
        self.open(key.key).ok_or_else(|| {
            invalid_request("The provided encryption parameters did not match the ones used originally.")
        })
    }

    fn open(&self, key: Secret) -> Option<Secret> {
        let hmac = digest::hmac_sha256(&self.salt.0, key.expose());
        digest::equal(&hmac, &self.hmac.0).then_some(key)
    }
}

/// A customer's key is of no use for objects that are encrypted otherwise.
pub(crate) fn expect_no_customer(customer: &Customer) -> Result<()> {
    if customer.is_given() {
        return Err(invalid_request(
            "The encryption parameters are not applicable to this object.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(algorithm: Option<&str>, key: Option<&[u8]>, md5: Option<&str>) -> Customer {
        Customer {
            algorithm: algorithm.map(str::to_owned),
            key: key.map(|key| Secret::new(STANDARD.encode(key).into_bytes())),
            key_md5: md5.map(str::to_owned),
        }
    }

    fn code(customer: &Customer) -> (String, String) {
        let fault = customer.read().err().unwrap();
        let wire::fault::Code::Plain { code, .. } = fault.code else {
            panic!("a code of its own");
        };
        (code.into_owned(), fault.message)
    }

    #[test]
    fn all_three_headers_go_together() {
        let key = [7; 32];
        let md5 = md5_of(&Secret::copy_of(&key));
        let whole = given(Some("AES256"), Some(&key), Some(&md5));
        assert!(whole.read().ok().unwrap().key.matches(&key));
        for (wrong, words) in [
            (given(None, Some(&key), Some(&md5)), "valid encryption algorithm"),
            (given(Some("AES256"), None, Some(&md5)), "appropriate secret key"),
            (given(Some("AES256"), Some(&key), None), "client calculated MD5"),
            (
                given(Some("AES256"), Some(&key[..16]), Some(&md5)),
                "invalid for the specified",
            ),
            (given(Some("AES256"), Some(&[8; 32]), Some(&md5)), "did not match"),
        ] {
            let (code, message) = code(&wrong);
            assert_eq!(code, "InvalidArgument");
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(
            code(&given(Some("AES128"), Some(&key), Some(&md5))).0,
            "InvalidEncryptionAlgorithmError"
        );
    }
}
