//! What a service learned for a caller and may use again for that caller for a while, without asking anew: S3's bucket keys.
//!
//! Invariant: nothing crosses from one caller to another, or outlives its time or the process. The call that learned it learns it
//! again if it is run again, so that its record tells of the asking.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wire::Timestamp;

use crate::call::Call;

/// Entries of all callers together.
const ENTRIES_MAX: usize = 4096;

type Place = [u8; 32];

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    until: Timestamp,
    /// The request that learned it.
    request: String,
}

/// All that is remembered.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<HashMap<Place, Entry>>);

impl Remembered {
    /// Forgets everything: what the store holds is not what it was learned from.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

impl Call<'_> {
    /// What an earlier call of the same credentials remembered, while its time lasts.
    pub fn recall<T: Any + Send + Sync>(&self, purpose: &'static str, what: &[u8]) -> Option<Arc<T>> {
        let place = self.place(purpose, what);
        let entries = self.look.environment.remembered.0.lock();
        let entry = entries.get(&place)?;
        if entry.until <= self.look.now || entry.request == self.request.id {
            return None;
        }
        Arc::clone(&entry.value).downcast().ok()
    }

    /// Keeps something for later calls of the same credentials.
    pub fn remember<T: Any + Send + Sync>(
        &self,
        purpose: &'static str,
        what: &[u8],
        value: Arc<T>,
        until: Timestamp,
    ) {
        let place = self.place(purpose, what);
        let now = self.look.now;
        let mut entries = self.look.environment.remembered.0.lock();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        let request = self.request.id.clone();
        entries.insert(
            place,
            Entry {
                value,
                until,
                request,
            },
        );
    }

    /// The credentials themselves tell callers apart, since sessions of one name may have policies of their own.
    fn place(&self, purpose: &str, what: &[u8]) -> Place {
        let parts = [
            purpose.as_bytes(),
            self.identity.account.as_bytes(),
            self.identity.arn.as_bytes(),
            self.identity.access_key_id.as_bytes(),
            self.look.region().as_bytes(),
            what,
        ];
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
        crypto::digest::sha256(&all)
    }
}
