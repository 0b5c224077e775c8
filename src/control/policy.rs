//! `POST /_ringwork/policy`: the least policy that allows what a principal did (S1.20).

use http::StatusCode;
use identity::accessanalyzer::activity;
use identity::accessanalyzer::generation::policy::{Detail, documents};
use identity::iam::directory::described as principals;
use serde::{Deserialize, Serialize};

use super::{Control, Refusal, Result};

/// Who did it, and since when.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Did {
    #[serde(rename = "as")]
    pub(crate) principal: String,
    /// Milliseconds before the cloud's now.
    pub(crate) since: i64,
    /// Name the very resources instead of all.
    pub(crate) resources: bool,
}

/// The policies, more than one if one would be too large.
#[derive(Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) principal: String,
    /// ISO 8601
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) policies: Vec<serde_json::Value>,
    /// Actions that were done on so many resources that the policy names none of them.
    pub(crate) unnamed: Vec<String>,
}

impl Control {
    pub(super) fn policy(&self, body: &[u8]) -> Result<Made> {
        let did: Did = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        if did.since <= 0 {
            return Err(Refusal::bad("The time to look back must be positive."));
        }
        let found = self.gateway.system("us-east-1", |call| {
            if principals::identity(call, &did.principal)?.is_none() {
                return Ok(None);
            }
            let (from, to) = (call.now.0.saturating_sub(did.since), call.now.0);
            let activity = activity::of(call, &did.principal, activity::Span { from, to })?;
            Ok(Some((activity, from, to)))
        })?;
        let Some((activity, from, to)) = found else {
            let message = format!("{} is no user or role of this Ringwork.", did.principal);
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        };
        let detail = if did.resources { Detail::Exact } else { Detail::Any };
        let policies = documents(&activity, detail);
        let unnamed = activity
            .iter()
            .filter(|(_, used)| did.resources && used.many)
            .map(|(action, _)| action.clone())
            .collect();
        Ok(Made {
            principal: did.principal,
            from: wire::Timestamp(from).iso8601(),
            to: wire::Timestamp(to).iso8601(),
            policies: policies
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok())
                .collect(),
            unnamed,
        })
    }
}
