//! The services as the pipeline knows them: by their tables, to find what a request or another service asks for.

use std::collections::HashMap;

use crate::call::Call;
use crate::callback::CallbackRules;
use crate::closure::Closure;
use crate::form::FormRules;
use crate::gateway::Tables;
use crate::inventory::Observer;
use crate::operation::{Endpoint, Result};
use crate::origin::OriginRules;
use crate::site::SiteRules;
use crate::trail::{self, TrailRules};
use api::models::Embedded;
use wire::fault::Common;
use wire::route::Catalog as _;
use wire::{Document, Fault};

/// Every service's operations and how they are recorded.
pub(crate) struct Services {
    endpoints: HashMap<&'static str, HashMap<&'static str, &'static Endpoint>>,
    trails: HashMap<&'static str, &'static TrailRules>,
    observers: Vec<&'static Observer>,
    origins: Vec<&'static OriginRules>,
    forms: Vec<&'static FormRules>,
    callbacks: Vec<&'static CallbackRules>,
    readiness: Vec<&'static Readiness>,
    closures: Vec<&'static Closure>,
    sites: Option<&'static SiteRules>,
}

/// An operation that is built.
#[derive(Clone, Copy)]
pub(crate) struct Built {
    pub(crate) model: &'static wire::model::Service,
    pub(crate) shape: &'static wire::model::Operation,
    pub(crate) endpoint: &'static Endpoint,
}

/// What a service makes ready when another service calls it, before the call is judged: KMS the AWS managed key that is named.
pub struct Readiness {
    /// botocore's name of the service that is called.
    pub service: &'static str,
    /// Runs in the call's own transaction, with its input. `Call::via` tells who calls.
    pub make: fn(&mut Call<'_>, &Document) -> Result<()>,
}

impl Services {
    pub(crate) fn of(tables: &Tables) -> Self {
        let mut endpoints: HashMap<_, HashMap<_, _>> = HashMap::new();
        for endpoint in tables.operations.iter().flat_map(|table| table.iter()) {
            endpoints
                .entry(endpoint.service)
                .or_default()
                .insert(endpoint.name, endpoint);
        }
        let trails = tables.trails.iter().map(|rules| (rules.service, *rules));
        Self {
            endpoints,
            trails: trails.collect(),
            observers: tables.observers.clone(),
            origins: tables.origins.clone(),
            forms: tables.forms.clone(),
            callbacks: tables.callbacks.clone(),
            readiness: tables.readiness.clone(),
            closures: tables.closures.clone(),
            sites: tables.sites,
        }
    }

    /// An operation with its model.
    ///
    /// # Errors
    /// `NotImplemented` for one that is not built.
    pub(crate) fn built(&self, service: &str, operation: &str) -> Result<Built> {
        let unbuilt = || {
            let message = format!("{operation} of {service} is not implemented by this version of Ringwork.");
            Fault::common(Common::NotImplemented, message)
        };
        let model = Embedded.service(service).ok_or_else(unbuilt)?;
        Ok(Built {
            model,
            shape: model.operation(operation).ok_or_else(unbuilt)?,
            endpoint: self.endpoint(service, operation).ok_or_else(unbuilt)?,
        })
    }

    /// The row of an operation, if it is built.
    pub(crate) fn endpoint(&self, service: &str, operation: &str) -> Option<&'static Endpoint> {
        self.endpoints
            .get(service)
            .and_then(|operations| operations.get(operation))
            .copied()
    }

    /// Whether any operation of a service is built.
    pub(crate) fn serves(&self, service: &str) -> bool {
        self.endpoints.contains_key(service)
    }

    /// Every operation that is built.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &'static Endpoint> + '_ {
        self.endpoints
            .values()
            .flat_map(|operations| operations.values().copied())
    }

    /// How a service's calls look in the trail.
    pub(crate) fn trail(&self, service: &str) -> &'static TrailRules {
        self.trails.get(service).copied().unwrap_or(&trail::ORDINARY)
    }

    /// Lets the service that is called make ready what the call names.
    pub(crate) fn made_ready(
        &self,
        call: &mut Call<'_>,
        endpoint: &Endpoint,
        input: &Document,
    ) -> Result<()> {
        let own = self
            .readiness
            .iter()
            .filter(|ready| ready.service == endpoint.service);
        own.into_iter().try_for_each(|ready| (ready.make)(call, input))
    }

    /// What a service lets pages of other origins do; `None` where it serves none.
    pub(crate) fn origins(&self, service: &str) -> Option<&'static OriginRules> {
        self.origins
            .iter()
            .find(|rules| rules.service == service)
            .copied()
    }

    /// What a service makes of forms; `None` where it takes none.
    pub(crate) fn form(&self, service: &str) -> Option<&'static FormRules> {
        self.forms.iter().find(|rules| rules.service == service).copied()
    }

    /// Who stops what runs for closed accounts.
    pub(crate) fn closures(&self) -> &[&'static Closure] {
        &self.closures
    }

    /// The service whose callbacks' addresses bear a key id.
    pub(crate) fn callbacks(&self, key_id: &str) -> Option<&'static CallbackRules> {
        self.callbacks
            .iter()
            .find(|rules| rules.key_id == key_id)
            .copied()
    }

    /// Who serves websites.
    pub(crate) const fn sites(&self) -> Option<&'static SiteRules> {
        self.sites
    }

    /// Tells those who watch for changes of a call that changed something.
    pub(crate) fn observed(&self, call: &mut Call<'_>, endpoint: &Endpoint) -> Result<()> {
        if endpoint.read_only {
            return Ok(());
        }
        self.observers
            .iter()
            .try_for_each(|observer| (observer.changed)(call))
    }
}
