//! What is computed once for a service and kept as long as the process, such as routing tables and compiled patterns.
//!
//! Invariant: bounded by the number of services, since services live as long as the process (`&'static`).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::model::Service;

/// A cache of one value a service.
pub(crate) struct PerService<T: 'static> {
    /// By the service's address, which is never reused.
    values: RwLock<Option<HashMap<usize, &'static T>>>,
}

impl<T> PerService<T> {
    pub(crate) const fn new() -> Self {
        Self {
            values: RwLock::new(None),
        }
    }

    /// The service's value, made on first use.
    pub(crate) fn get(
        &self,
        service: &'static Service,
        make: impl FnOnce(&'static Service) -> T,
    ) -> &'static T {
        let key = std::ptr::from_ref(service).addr();
        let known = self.values.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known.as_ref().and_then(|values| values.get(&key)) {
            return value;
        }
        drop(known);
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        values
            .get_or_insert_default()
            .entry(key)
            .or_insert_with(|| Box::leak(Box::new(make(service))))
    }
}
