//! `POST /_ringwork/ledger`: the whole ledger, verified while the server goes on.

use http::StatusCode;
use pipeline::ledger::{self, Followed};

use super::{Control, Refusal, Result};

impl Control {
    /// The body is a JSON array of what was noted of the streams earlier, which may be empty.
    pub(super) async fn verify_ledger(&self, body: &[u8]) -> Result<Vec<Followed>> {
        let noted: Vec<Followed> =
            serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let store = self.gateway.store().clone();
        // It reads for as long as the ledger is, which no other request may wait for.
        let walked = tokio::task::spawn_blocking(move || ledger::verify(&store, &noted)).await;
        let failed = |error: &dyn std::fmt::Display| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        };
        walked
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }
}
