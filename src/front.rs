//! What stands behind the listener: the pipeline for AWS's calls, the control plane for Ringwork's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::{Answer, Gateway, Incoming};
use planes::Health;

use crate::control::Control;
use crate::services;

/// Ringwork's own paths; AWS has none like it.
const CONTROL: &str = "/_ringwork/";

pub(crate) struct Front {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) control: Control,
}

impl planes::Front for Front {
    async fn serve(&self, request: Incoming) -> Answer {
        if request.path.starts_with(CONTROL) {
            self.control.serve(request).await
        } else {
            self.gateway.serve(request).await
        }
    }

    fn health(&self) -> Health {
        // The listener is bound only after the store and the seal have been opened.
        Health {
            version: env!("CARGO_PKG_VERSION"),
            store_open: self.gateway.store().certain(),
            seal_open: true,
            services: services::NAMES
                .iter()
                .map(|name| (*name, "available"))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
