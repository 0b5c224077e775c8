//! What the pipeline itself is made of: the seal, the clock, randomness and the directory, shared by all calls.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use crypto::{Randomness, Seal, TokenKey};
use parking_lot::{Mutex, RwLock};

use crate::attempts::Attempts;
use crate::authenticate::SigningKeys;
use crate::blobs::Yard;
use crate::clock::Clock;
use crate::gateway::Tables;
use crate::identity::Directory;
use crate::inventory::Inventory;
use crate::outside::Outdoors;
use crate::quota::Enforced;
use crate::remembered::Remembered;
use crate::services::Services;
use crate::telemetry::{Sink, Telemetry};

/// Given once at start.
pub(crate) struct Environment {
    pub(crate) seal: Seal,
    pub(crate) tokens: Tokens,
    pub(crate) random: Arc<dyn Randomness>,
    ids: IdBytes,
    pub(crate) clock: Clock,
    pub(crate) directory: Box<dyn Directory>,
    pub(crate) management_account: Arc<str>,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) inventories: Vec<&'static Inventory>,
    pub(crate) actions: BTreeSet<&'static str>,
    pub(crate) outdoors: Outdoors,
    pub(crate) services: Services,
    pub(crate) yard: Arc<Yard>,
    pub(crate) quotas: Option<Enforced>,
    pub(crate) remembered: Remembered,
    pub(crate) attempts: Attempts,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Where this Ringwork is reached from its own machine.
    pub(crate) own_url: OnceLock<String>,
    /// Who keeps what is measured.
    pub(crate) sink: Option<&'static Sink>,
}

impl Environment {
    pub(crate) fn new(
        seal: Seal,
        random: Arc<dyn Randomness>,
        clock: Clock,
        directory: Box<dyn Directory>,
        management_account: &str,
        tables: &Tables,
        yard: Arc<Yard>,
    ) -> Self {
        Self {
            seal,
            tokens: Tokens::default(),
            random,
            ids: IdBytes::default(),
            outdoors: Outdoors::by(clock.clone()),
            clock,
            directory,
            management_account: management_account.into(),
            signing_keys: SigningKeys::default(),
            inventories: tables.inventories.clone(),
            actions: BTreeSet::new(),
            services: Services::of(tables),
            yard,
            quotas: None,
            remembered: Remembered::default(),
            attempts: Attempts::default(),
            telemetry: Arc::default(),
            own_url: OnceLock::new(),
            sink: tables.telemetry,
        }
    }

    /// The token key of a purpose.
    pub(crate) fn token_key(&self, purpose: &str) -> crypto::Result<Arc<TokenKey>> {
        if let Some(key) = self.tokens.0.read().get(purpose) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(TokenKey::derive(&self.seal, purpose)?);
        self.tokens.0.write().insert(purpose.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// A request or event id: a UUID of version 7, whose first 48 bits are the wall's milliseconds.
    pub(crate) fn draw_id(&self, wall: i64) -> String {
        let random = self.ids.draw(self.random.as_ref());
        let mut bytes = [0_u8; 16];
        let [_, _, time @ ..] = wall.max(0).to_be_bytes();
        for (place, byte) in bytes.iter_mut().zip(time.into_iter().chain(random)) {
            *place = byte;
        }
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        crypto::random::uuid_text(&bytes)
    }
}

/// Token keys by purpose; purposes are constants of the services, so the map stays small.
#[derive(Default)]
pub(crate) struct Tokens(RwLock<HashMap<String, Arc<TokenKey>>>);

/// Bytes of an id that are random.
const ID_BYTES: usize = 10;

/// Random bytes for ids, drawn for many ids at once: a draw costs the same for ten bytes as for hundreds. Ids are unique,
/// not secret.
#[derive(Default)]
struct IdBytes(Mutex<Vec<[u8; ID_BYTES]>>);

impl IdBytes {
    fn draw(&self, random: &dyn Randomness) -> [u8; ID_BYTES] {
        const IDS: usize = 48;
        let mut kept = self.0.lock();
        if kept.is_empty()
            && let Ok(drawn) = crypto::random::array::<{ IDS * ID_BYTES }>(random)
        {
            kept.extend(drawn.as_chunks::<ID_BYTES>().0);
        }
        kept.pop().unwrap_or_default()
    }
}
