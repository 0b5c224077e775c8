//! KMS, one file per noun.

mod alias;
mod data_key;
mod deletion;
mod encryption;
mod grant;
mod key;
mod mac;
mod policy;
mod principal;
mod rotation;
mod tag;
mod trail;
