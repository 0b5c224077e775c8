//! Callbacks: what somebody without credentials puts at an address that a service gave out, such as the response of a custom resource.
//!
//! On AWS such an address is a presigned URL of a bucket that the service owns. Here it looks the same, and leads to the service itself.
//!
//! Invariant: an address lets its holder tell its service one thing and do nothing else; nobody but the service makes one, and it ends.

use serde::{Deserialize, Serialize};
use wire::sigv4::percent_encode;
use wire::{Fault, Timestamp};

use crate::call::{Call, Look};
use crate::operation::Result;

/// A service that gets callbacks.
pub struct CallbackRules {
    /// botocore's service name, and the service's principal.
    pub service: &'static str,
    pub by: &'static str,
    /// `AWSAccessKeyId` of its addresses: no credential has this id.
    pub key_id: &'static str,
    /// Bytes of a callback; of a longer one the service hears that it was too long.
    pub bytes_max: usize,
    /// Takes a callback in, in the account and region of its address; `None` for one that is too long.
    pub take: fn(&mut Call<'_>, &Address, Option<&[u8]>) -> Result<()>,
}

/// Where a callback goes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Address {
    pub account: String,
    pub region: String,
    /// What it is about, as the service names it.
    pub subject: String,
    /// What it answers.
    pub request: String,
    /// By the cloud's clock, in milliseconds.
    pub expires: i64,
}

/// An address is good for its own service alone: the id that leads to the service stands in the URL unsealed.
fn purpose(rules: &CallbackRules) -> String {
    format!("pipeline.callback.{}", rules.service)
}

impl Look<'_> {
    /// Where this Ringwork is reached from its own machine: `http://127.0.0.1:4566`. `None` before it listens.
    pub fn own_url(&self) -> Option<&str> {
        self.environment.own_url.get().map(String::as_str)
    }

    /// The URL at which a callback to an address is put. `bucket` and `key` are what it shows of where it leads.
    ///
    /// # Errors
    /// An internal fault where nothing listens.
    pub fn callback_url(
        &self,
        rules: &CallbackRules,
        (bucket, key): (&str, &str),
        address: &Address,
    ) -> Result<String> {
        let own = self
            .own_url()
            .ok_or_else(|| Fault::internal("a callback's address was asked for where nothing listens"))?;
        let sealed = serde_json::to_vec(address).map_err(Fault::internal)?;
        let token = self.issue_token(&purpose(rules), &sealed)?;
        let expires = address.expires.div_euclid(1000);
        Ok(format!(
            "{own}/{bucket}/{}?AWSAccessKeyId={}&Expires={expires}&Signature={token}",
            percent_encode(key),
            rules.key_id
        ))
    }

    /// The address of a callback's URL, if it was given out and has not ended.
    pub(crate) fn callback_address(
        &self,
        rules: &CallbackRules,
        query: &str,
        now: Timestamp,
    ) -> Result<Address> {
        let token = query.split('&').find_map(|pair| pair.strip_prefix("Signature="));
        let opened = token.and_then(|token| self.open_token(&purpose(rules), token));
        let address: Option<Address> = opened.and_then(|opened| serde_json::from_slice(opened.expose()).ok());
        let address = address.ok_or_else(|| {
            let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                           signing method.";
            Fault::plain("SignatureDoesNotMatch", 403, message)
        })?;
        if address.expires <= now.0 {
            return Err(Fault::plain("AccessDenied", 403, "Request has expired"));
        }
        Ok(address)
    }
}
