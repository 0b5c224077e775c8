//! The cloud's clock, for those who test what comes later: set, frozen, scaled or advanced, with due jobs run in order.

use http::StatusCode;
use pipeline::Gateway;
use pipeline::clock::Posture;
use serde::{Deserialize, Serialize};
use store::{Table, json};
use wire::Timestamp;

use super::{Control, Refusal, Result};

/// Milliseconds that one change may move the clock: a century.
const ADVANCE_MAX: i64 = 100 * 366 * 86_400_000;
/// The greatest rate.
const RATE_MAX: f64 = 1_000_000.0;

/// What `ringwork clock` shows.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClockReport {
    /// ISO 8601, UTC.
    pub(crate) now: String,
    /// Cloud seconds a wall second; 1 unless the clock was changed.
    pub(crate) rate: f64,
    /// The clock follows the wall's.
    pub(crate) follows: bool,
    /// Jobs that a change made run.
    #[serde(default)]
    pub(crate) jobs_run: usize,
}

/// What `ringwork clock` asks for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Change {
    /// Milliseconds ahead.
    Advance(i64),
    /// Milliseconds since the epoch.
    Set(i64),
    /// Cloud seconds a wall second; 0 freezes.
    Scale(f64),
    Follow,
}

/// The posture outlives a restart: a folder whose time was moved has records and jobs of that time.
#[derive(Clone, Serialize, Deserialize)]
struct Kept(Option<Posture>);

impl store::Record for Kept {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        json::encode(self, "ringwork.clock", out)
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        json::decode("ringwork.clock", bytes)
    }
}

static CLOCK: Table<String, Kept> = Table::new(0x0f10, "ringwork.clock");
const ROW: &str = "posture";

/// Puts the clock where the last run left it; says whether it is not the wall's.
pub(crate) fn restore(gateway: &Gateway) -> pipeline::Result<bool> {
    let kept = gateway.system("us-east-1", |call| call.get(&CLOCK, ROW))?;
    let posture = kept.and_then(|kept| kept.0);
    gateway.clock().set(posture);
    Ok(posture.is_some())
}

impl Control {
    pub(super) fn clock(&self) -> ClockReport {
        let clock = self.gateway.clock();
        let posture = clock.posture();
        ClockReport {
            now: clock.now().iso8601(),
            rate: posture.map_or(1.0, |posture| posture.rate),
            follows: posture.is_none(),
            jobs_run: 0,
        }
    }

    pub(super) async fn change_clock(&self, body: &[u8]) -> Result<ClockReport> {
        if !self.posture.clock_control {
            let message = "The clock can be moved only if the server was started with --clock-control.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        let change: Change = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        // One change after the other: of two at once, the later to finish could turn time back.
        let _turn = self.clock_turn.lock().await;
        let clock = self.gateway.clock();
        let (now, rate) = (clock.now(), clock.posture().map_or(1.0, |posture| posture.rate));
        let (target, rate) = match change {
            Change::Advance(by) if (0..=ADVANCE_MAX).contains(&by) => (now.0.saturating_add(by), rate),
            Change::Set(at) if (now.0..=now.0.saturating_add(ADVANCE_MAX)).contains(&at) => (at, rate),
            Change::Scale(rate) if (0.0..=RATE_MAX).contains(&rate) => (now.0, rate),
            Change::Follow => return self.follow(),
            Change::Advance(_) | Change::Set(_) => {
                return Err(Refusal::bad("The clock moves ahead only, by a century at most."));
            }
            Change::Scale(_) => return Err(Refusal::bad("The rate is between 0 and 1000000.")),
        };
        // Due jobs run one after the other, each at its own time, before anybody sees the new time.
        let jobs_run = self.gateway.run_due(Timestamp(target)).await?;
        // The clock ran on meanwhile, perhaps past the target.
        clock.put(Timestamp(target).max(clock.now()), rate);
        self.keep()?;
        Ok(ClockReport {
            jobs_run,
            ..self.clock()
        })
    }

    fn follow(&self) -> Result<ClockReport> {
        let clock = self.gateway.clock();
        if clock.now() > clock.wall() {
            return Err(Refusal::bad(
                "The cloud's time is ahead of the wall's: following it would turn time back.",
            ));
        }
        clock.set(None);
        self.keep()?;
        Ok(self.clock())
    }

    fn keep(&self) -> Result<()> {
        let posture = self.gateway.clock().posture();
        self.gateway
            .system("us-east-1", |call| call.put(&CLOCK, ROW, Kept(posture)))?;
        self.gateway.forget();
        Ok(())
    }
}
