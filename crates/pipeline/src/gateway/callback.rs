//! The way of a callback: its address is opened, its bytes are read as far as they may go, and its service takes it in.
//!
//! Invariant: no byte is read before the address holds; a refusal is recorded like any other.

use bytes::Bytes;
use http::HeaderMap;
use wire::fault::Common;
use wire::model::Protocol;
use wire::protocol::Parts;
use wire::route::Catalog as _;
use wire::{Fault, Timestamp};

use super::Gateway;
use super::admit::Refused;
use crate::blobs::interrupted;
use crate::call::{Look, RequestFacts};
use crate::callback::{Address, CallbackRules};
use crate::front::{Answer, Arriving, Body, Incoming};
use crate::ledger::record::Caller;
use crate::operation::Result;

/// Bytes of a callback that are read though they are too many, so that its sender gets to read the answer.
const READ_MAX: usize = 1 << 20;

impl Gateway {
    /// The service that gets a request as a callback, if one does.
    pub(super) fn callback_of(&self, method: &str, query: &str) -> Option<&'static CallbackRules> {
        if method != "PUT" || !query.contains("Signature=") {
            return None;
        }
        let id = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("AWSAccessKeyId="))?;
        self.environment.services.callbacks(id)
    }

    /// Takes in a callback.
    pub(super) async fn deliver(
        &self,
        rules: &'static CallbackRules,
        incoming: Incoming,
        facts: &RequestFacts,
        wall: Timestamp,
    ) -> Answer {
        let address = self.callback_address(rules, &incoming.query);
        let region = address.as_ref().map_or("us-east-1", |address| &address.region);
        let region = region.to_owned();
        let taken = match address {
            Ok(address) => self.take(rules, &address, incoming.body).await,
            Err(fault) => Err(fault),
        };
        let Err(fault) = taken else {
            return Answer {
                status: 200,
                headers: HeaderMap::new(),
                body: Body::Whole(Bytes::new()),
            };
        };
        let parts = Parts {
            method: incoming.method.as_str(),
            path: &incoming.path,
            query: &incoming.query,
            headers: &incoming.headers,
            body: &[],
        };
        let refused = Refused {
            requester: None,
            proven: false,
            fault,
            route: None,
            protocol: Protocol::RestXml,
            service: api::models::Embedded.service("s3"),
            region,
            caller: Caller::unknown(rules.key_id),
            input: None,
        };
        self.turn_down(refused, None, None, (facts, &parts), wall).await
    }

    fn callback_address(&self, rules: &CallbackRules, query: &str) -> Result<Address> {
        let mut tx = self.store.begin();
        let now = self.environment.clock.now();
        let account = self.environment.management_account.clone();
        let look = Look::new(&mut tx, &self.environment, now, "us-east-1", account);
        look.callback_address(rules, query, now)
    }

    async fn take(
        &self,
        rules: &'static CallbackRules,
        address: &Address,
        body: Body<Box<dyn Arriving>>,
    ) -> Result<()> {
        let bytes = match body {
            Body::Whole(bytes) => bytes.to_vec(),
            Body::Stream(mut stream) => {
                let mut read = Vec::new();
                while let Some(more) = stream.next().await.map_err(interrupted)? {
                    read.extend_from_slice(&more);
                    if read.len() > READ_MAX {
                        return Err(Fault::common(Common::Validation, "The callback is too long."));
                    }
                }
                read
            }
        };
        let text = (bytes.len() <= rules.bytes_max).then_some(bytes.as_slice());
        let place = (address.account.as_str(), address.region.as_str());
        self.by_itself((rules.service, rules.by), place, |call| {
            (rules.take)(call, address, text)
        })
        .await
    }
}
