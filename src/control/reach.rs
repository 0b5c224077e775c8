//! `POST /_ringwork/who-can` and `POST /_ringwork/what-can`: the evaluator asked of every principal, or of one about everything.

use std::collections::BTreeMap;

use http::StatusCode;
use identity::reach::{self, Population, WhatCan, WhoCan};
use serde::{Deserialize, Serialize};

use super::why::{checked, resource};
use super::{Control, Refusal, Result};

/// Who can do this?
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    #[serde(rename = "do")]
    pub(crate) action: String,
    #[serde(rename = "on")]
    pub(crate) resource: String,
    #[serde(default)]
    pub(crate) with: BTreeMap<String, Vec<String>>,
}

/// What can this principal do?
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct What {
    #[serde(rename = "as")]
    pub(crate) principal: String,
    #[serde(default)]
    pub(crate) with: BTreeMap<String, Vec<String>>,
}

impl Control {
    pub(super) fn who_can(&self, body: &[u8]) -> Result<WhoCan> {
        let who: Who = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let region = checked(&who.action, &who.resource)?;
        // Every principal is read: that must not hold up the calls of others on this thread.
        tokio::task::block_in_place(|| {
            let found = self.gateway.system(&region, |call| {
                let population = Population::read(call)?;
                let question = (who.action.as_str(), who.resource.as_str());
                reach::who_can(call, &population, question, &who.with, &resource)
            });
            Ok(found?)
        })
    }

    pub(super) fn what_can(&self, body: &[u8]) -> Result<WhatCan> {
        let what: What = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let found = tokio::task::block_in_place(|| {
            self.gateway.system("us-east-1", |call| {
                let population = Population::read(call)?;
                reach::what_can(call, &population, &what.principal, &what.with, &resource)
            })
        })?;
        found.ok_or_else(|| {
            let message = format!(
                "{} is no user, role or root user of this Ringwork.",
                what.principal
            );
            Refusal::new(StatusCode::NOT_FOUND, message)
        })
    }
}
