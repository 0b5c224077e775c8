//! Launches with a client token: a request that comes again gets the answer that it got, whatever has become of what it names.
//!
//! Source: Amazon EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests" (by zone where a request names one, by region
//! where it does not).
//!
//! Invariant: a token stands for one request as long as an instance of it is there; another request with it launches nothing.

use api::ec2 as model;
use crypto::digest::Sha256;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Document, IntoDocument as _};

use super::fault;
use super::instance::{self, Instance};
use super::place;

/// Characters of a token.
const CHARACTERS_MAX: usize = 64;

/// What came of a request with a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Launched {
    /// SHA-256 of the request, in hexadecimal.
    digest: String,
    instances: Vec<String>,
}

store::record!(Launched, 1);

type Key = (String, String, String);

/// By account, region and token, with the zone behind it if the request named one; they go with the last of their instances.
pub static TOKENS: Table<Key, Launched> = Table::new(0x0402, "ec2.launch_tokens");

/// A launch that was done before with the token of a request.
pub(super) struct Before {
    launched: Launched,
    /// Those that are still there; at least one.
    pub(super) instances: Vec<Instance>,
}

impl Before {
    /// The launch that the request's token stands for.
    pub(super) fn find(look: &mut Look<'_>, input: &model::RunInstancesRequest) -> Result<Option<Self>> {
        let Some(key) = key(look, input)? else {
            return Ok(None);
        };
        let Some(launched) = look.get(&TOKENS, &key)? else {
            return Ok(None);
        };
        let mut instances = Vec::new();
        for id in &launched.instances {
            instances.extend(instance::find(look, id)?.map(|instance| (*instance).clone()));
        }
        let launched = (*launched).clone();
        Ok((!instances.is_empty()).then_some(Self { launched, instances }))
    }

    /// Refuses a request that is not the one that was done.
    pub(super) fn expect_same(&self, input: &model::RunInstancesRequest) -> Result<()> {
        if self.launched.digest == digest(input) {
            Ok(())
        } else {
            Err(fault::mismatch())
        }
    }
}

/// Where a request's token is noted; `None` if it has none.
fn key(look: &Look<'_>, input: &model::RunInstancesRequest) -> Result<Option<Key>> {
    let Some(token) = input.client_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.chars().count() > CHARACTERS_MAX || !token.is_ascii() {
        return Err(fault::invalid_value(
            token,
            "clientToken",
            "A token has up to 64 ASCII characters.",
        ));
    }
    let placed = input.placement.as_ref();
    let name = placed.and_then(|placed| placed.availability_zone.as_deref());
    let id = placed.and_then(|placed| placed.availability_zone_id.as_deref());
    let zone = match (name, id) {
        (None, None) => None,
        _ => Some(place::chosen(look.region(), name, id)?),
    };
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    Ok(Some((account, region, spelled(token, zone.as_deref()))))
}

fn spelled(token: &str, zone: Option<&str>) -> String {
    zone.map_or_else(|| token.to_owned(), |zone| format!("{token}\n{zone}"))
}

/// Notes what came of a request, if it has a token.
pub(super) fn keep(call: &mut Call<'_>, input: &model::RunInstancesRequest, made: &[Instance]) -> Result<()> {
    if let Some(key) = key(call, input)? {
        let instances = made.iter().map(|instance| instance.id.clone()).collect();
        let digest = digest(input);
        call.put(&TOKENS, &key, Launched { digest, instances })?;
    }
    Ok(())
}

/// Forgets the token of an instance that is about to be forgotten, if it is the last of its launch.
pub(super) fn forget(call: &mut Call<'_>, instance: &Instance) -> Result<()> {
    let Some(token) = &instance.client_token else {
        return Ok(());
    };
    for zone in [None, Some(instance.zone.as_str())] {
        let spelled = spelled(token, zone);
        let key = (instance.account.clone(), instance.region.clone(), spelled);
        let Some(held) = call.get(&TOKENS, &key)? else {
            continue;
        };
        // A later launch may have come to the token.
        let mut last = held.instances.contains(&instance.id);
        for id in held.instances.iter().filter(|id| **id != instance.id) {
            last &= instance::find(call, id)?.is_none();
        }
        if last {
            call.delete(&TOKENS, &key)?;
        }
    }
    Ok(())
}

/// What makes one request another.
fn digest(input: &model::RunInstancesRequest) -> String {
    let mut input = input.clone();
    input.dry_run = None;
    let mut sum = Sha256::new();
    feed(&mut sum, &input.into_document());
    crypto::digest::hex(&sum.finish())
}

/// Feeds a document, each value with its kind, so that no two documents feed alike.
fn feed(sum: &mut Sha256, document: &Document) {
    let mut leaf = |kind: u8, bytes: &[u8]| {
        sum.update(&[kind]);
        sum.update(&bytes.len().to_be_bytes());
        sum.update(bytes);
    };
    match document {
        Document::Boolean(value) => leaf(1, &[u8::from(*value)]),
        Document::Integer(value) => leaf(2, &value.to_be_bytes()),
        Document::Float(value) => leaf(3, &value.to_be_bytes()),
        Document::String(text) => leaf(4, text.as_bytes()),
        Document::Blob(bytes) => leaf(5, bytes),
        Document::Timestamp(at) => leaf(6, &at.0.to_be_bytes()),
        Document::Null => leaf(7, b""),
        Document::Stream => leaf(8, b""),
        Document::List(items) => {
            leaf(9, &items.len().to_be_bytes());
            items.iter().for_each(|item| feed(sum, item));
        }
        Document::Map(entries) => {
            leaf(10, &entries.len().to_be_bytes());
            for (key, value) in entries {
                feed(sum, &Document::String(key.clone()));
                feed(sum, value);
            }
        }
        Document::Structure(members) => {
            leaf(11, &members.len().to_be_bytes());
            for (name, value) in members {
                feed(sum, &Document::String((*name).to_owned()));
                feed(sum, value);
            }
        }
    }
}
