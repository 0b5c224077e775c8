//! `POST /_ringwork/reset[?account=…]`: an empty cloud again, for tests; in the memory posture only.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Control, Refusal, Result};

impl Control {
    pub(super) fn reset(&self, account: Option<&str>) -> Result<Value> {
        if !self.posture.memory {
            let message = "Only a server that was started with --memory can be reset.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        if let Some(account) = account {
            let well_formed = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
            if !well_formed {
                return Err(Refusal::bad("An account is twelve digits."));
            }
        }
        self.gateway
            .system("us-east-1", |call| network::ec2::work::abandon(call, account))?;
        if let Some(account) = account {
            self.wipe_rows_keyed_otherwise(account)?;
        }
        let wiped = self.gateway.store().reset(account);
        wiped.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        // The rows of contents are gone; so are their files.
        let swept = self.gateway.sweep();
        swept.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        self.gateway.forget();
        self.gateway.forget_telemetry(account);
        let (id, secret) = &self.posture.root;
        crate::serve::bootstrap(&self.gateway, &self.posture.account, Some((id, secret)))?;
        Ok(json!({ "reset": account.unwrap_or("everything") }))
    }

    /// Most rows begin their keys with the account; access keys, account aliases, jobs with their setbacks and EC2's images name it only inside.
    fn wipe_rows_keyed_otherwise(&self, account: &str) -> Result<()> {
        let tables = [
            identity::iam::access_key::ACCESS_KEYS.id(),
            identity::iam::account::ALIASES_TABLE,
            pipeline::jobs::TABLE,
            pipeline::setback::TABLE,
            network::ec2::image::IMAGES.id(),
        ];
        let left = self.gateway.system("us-east-1", |call| {
            identity::organizations::reset::forget(call, account)
        });
        left?;
        let account = account.to_owned();
        let wiped = self.gateway.store().wipe(move |key, stored| {
            let table = key.first_chunk::<2>().map(|id| u16::from_be_bytes(*id));
            if table.is_some_and(|table| pipeline::blobs::belongs(table, stored, &account)) {
                return true;
            }
            // The first byte of a stored row is its version; the rest is JSON.
            let row = stored
                .get(1..)
                .and_then(|text| serde_json::from_slice::<Value>(text).ok());
            let owner = row
                .as_ref()
                .and_then(|row| row.get("account").or_else(|| row.get("owner")))
                .and_then(Value::as_str);
            table.is_some_and(|table| tables.contains(&table)) && owner == Some(account.as_str())
        });
        wiped
            .map(drop)
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }
}
