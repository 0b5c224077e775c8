//! KMS, one file per noun.

mod alias;
mod data_key;
mod deletion;
mod encryption;
mod grant;
mod import;
mod key;
mod mac;
mod managed;
mod multi_region;
mod policy;
mod principal;
mod rotation;
mod tag;
mod trail;
