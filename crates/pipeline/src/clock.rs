//! The one clock of the whole cloud: wall time, or a set, frozen, scaled or advanced one (a test posture).
//!
//! Invariant: time never stands still by accident. Only the freshness of signatures is judged by `wall`, since
//! unmodified clients sign by theirs, and how long places outside that failed are left alone.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// How the cloud's time follows the wall's.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Posture {
    /// The wall's time at which the posture was set, in milliseconds since the epoch.
    pub since_wall: i64,
    /// The cloud's time at that moment.
    pub since_cloud: i64,
    /// Cloud milliseconds a wall millisecond; 0 is frozen.
    pub rate: f64,
}

/// Reads the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> i64 + Send + Sync>,
    posture: Arc<RwLock<Option<Posture>>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_wall(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// A clock over another source of wall time (milliseconds since the epoch), for tests.
    pub fn from_wall(wall: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self {
            wall: Arc::new(wall),
            posture: Arc::default(),
        }
    }

    /// The wall's time.
    pub fn wall(&self) -> Timestamp {
        Timestamp((self.wall)())
    }

    /// The cloud's time.
    pub fn now(&self) -> Timestamp {
        let wall = (self.wall)();
        match *self.posture.read() {
            None => Timestamp(wall),
            Some(posture) => Timestamp(posture.at(wall)),
        }
    }

    /// The posture, if time is not the wall's.
    pub fn posture(&self) -> Option<Posture> {
        *self.posture.read()
    }

    /// Sets the cloud's time and rate from this moment; `None` follows the wall again.
    pub fn set(&self, posture: Option<Posture>) {
        *self.posture.write() = posture;
    }

    /// Puts the cloud's clock at `now`, going on at `rate`.
    pub fn put(&self, now: Timestamp, rate: f64) {
        let since_wall = (self.wall)();
        self.set(Some(Posture {
            since_wall,
            since_cloud: now.0,
            rate,
        }));
    }
}

impl Posture {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "saturates; milliseconds fit 53 bits"
    )]
    fn at(self, wall: i64) -> i64 {
        let passed = wall.saturating_sub(self.since_wall) as f64;
        self.since_cloud.saturating_add((passed * self.rate) as i64)
    }
}
