//! KMS, one file per noun.

mod agreement;
mod alias;
mod asymmetric;
mod bad_input;
mod data_key;
mod data_key_pair;
mod deletion;
mod encapsulation;
mod encryption;
mod grant;
pub(crate) mod import;
mod key;
mod mac;
mod managed;
mod multi_region;
mod policy;
mod principal;
mod quota;
mod rotation;
mod sign;
mod tag;
mod trail;
mod usage;
mod vectors;
