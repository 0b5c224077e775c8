//! Request quotas: how many calls of a kind an account may make in a region in one second.
//!
//! A service publishes its quotas as a table and says which of them a call counts against. Seconds are the wall's: what a quota
//! limits is load, and a cloud whose clock stands still must not stay throttled. A call that runs again after a conflict counts again.
//!
//! Invariant: without quotas a call pays one look at an empty option; with them one look-up and one atomic addition, and no lock
//! that a call holds while another waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use policy::Context;
use wire::Fault;
use wire::fault::Common;

use crate::call::Call;
use crate::operation::Result;

/// One quota of a service.
pub struct Quota {
    /// What it is set by: an operation's name, or a group's.
    pub name: &'static str,
    /// Calls a second, by region.
    pub rate: fn(region: &str) -> u32,
}

/// The quotas of a service.
pub struct Quotas {
    /// botocore's service name.
    pub service: &'static str,
    pub all: &'static [Quota],
    /// The place in `all` of the quota that a call counts against.
    pub of: fn(&Spent<'_>) -> Option<usize>,
    /// What a call beyond its quota is told.
    pub message: &'static str,
}

/// A call, as far as quotas depend on it.
pub struct Spent<'a> {
    pub operation: &'a str,
    /// `Resource::class` of what it is done to; empty if there is none.
    pub class: &'static str,
    /// The condition keys of its input.
    pub context: &'a Context,
}

/// Rates that differ from the services' own: by service and name of the quota.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Rates(BTreeMap<(String, String), u32>);

impl Rates {
    /// Reads `kms.CreateKey=100,kms.symmetric=50`, or nothing.
    ///
    /// # Errors
    /// Names what is not a quota of `tables`, or not a rate.
    pub fn parse(text: &str, tables: &[&'static Quotas]) -> std::result::Result<Self, String> {
        let mut rates = BTreeMap::new();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let malformed = || format!("{pair} is not SERVICE.QUOTA=RATE");
            let (name, rate) = pair.split_once('=').ok_or_else(malformed)?;
            let (service, quota) = name.split_once('.').ok_or_else(malformed)?;
            let known = tables
                .iter()
                .filter(|table| table.service == service)
                .any(|table| table.all.iter().any(|known| known.name == quota));
            if !known {
                return Err(format!("there is no quota {name}"));
            }
            let rate = rate.parse().map_err(|_| malformed())?;
            rates.insert((service.to_owned(), quota.to_owned()), rate);
        }
        Ok(Self(rates))
    }
}

/// The quotas that are in force, and what of them is spent.
pub(crate) struct Enforced {
    tables: Vec<&'static Quotas>,
    rates: Rates,
    spent: RwLock<HashMap<Payer, Arc<[Window]>>>,
}

/// Who is limited: the place of the service's table, account and region.
type Payer = (usize, Arc<str>, String);

/// A second and the calls in it: the upper and the lower half of the number.
#[derive(Default)]
struct Window(AtomicU64);

impl Window {
    /// Counts a call, unless `rate` calls were counted in this second.
    fn spend(&self, second: u32, rate: u32) -> bool {
        let counted = |held: u64| {
            let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
            let (since, calls) = (half(held >> 32), half(held));
            let calls = if since == second { calls } else { 0 };
            (calls < rate).then(|| (u64::from(second) << 32) | u64::from(calls.saturating_add(1)))
        };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted)
            .is_ok()
    }
}

impl Enforced {
    pub(crate) fn new(tables: Vec<&'static Quotas>, rates: Rates) -> Self {
        Self {
            tables,
            rates,
            spent: RwLock::default(),
        }
    }

    fn rate(&self, table: &Quotas, quota: &Quota, region: &str) -> u32 {
        let set = self
            .rates
            .0
            .get(&(table.service.to_owned(), quota.name.to_owned()))
            .copied();
        set.unwrap_or_else(|| (quota.rate)(region))
    }

    /// Counts a call of an account in a region.
    fn spend(
        &self,
        service: &str,
        account: &Arc<str>,
        region: &str,
        wall: i64,
        call: &Spent<'_>,
    ) -> Result<()> {
        let mut tables = self.tables.iter().enumerate();
        let Some((number, table)) = tables.find(|(_, table)| table.service == service) else {
            return Ok(());
        };
        let Some((at, quota)) = (table.of)(call).and_then(|at| Some((at, table.all.get(at)?))) else {
            return Ok(());
        };
        let payer = (number, Arc::clone(account), region.to_owned());
        let held = self.spent.read().get(&payer).map(Arc::clone);
        let windows = held.unwrap_or_else(|| {
            let fresh = || table.all.iter().map(|_| Window::default()).collect();
            Arc::clone(self.spent.write().entry(payer).or_insert_with(fresh))
        });
        let second = u32::try_from(wall.div_euclid(1000)).unwrap_or_default();
        let rate = self.rate(table, quota, region);
        match windows.get(at) {
            Some(window) if !window.spend(second, rate) => {
                Err(Fault::common(Common::Throttling, table.message))
            }
            _ => Ok(()),
        }
    }
}

/// Counts a call against the quota that it falls under, whether it will be allowed or not.
pub(crate) fn spend(call: &Call<'_>, operation: &str, class: &'static str, context: &Context) -> Result<()> {
    let environment = call.look.environment;
    let Some(enforced) = &environment.quotas else {
        return Ok(());
    };
    let (account, wall) = (call.look.account_shared(), environment.clock.wall().0);
    let spent = Spent {
        operation,
        class,
        context,
    };
    enforced.spend(call.service, &account, call.look.region, wall, &spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Quotas = Quotas {
        service: "kms",
        all: &[Quota {
            name: "CreateKey",
            rate: |region| if region == "us-east-1" { 5 } else { 2 },
        }],
        of: |spent| (spent.operation == "CreateKey").then_some(0),
        message: "too many",
    };

    fn calls(enforced: &Enforced, account: &str, region: &str, wall: i64) -> usize {
        let (account, context) = (Arc::from(account), Context::default());
        let call = Spent {
            operation: "CreateKey",
            class: "",
            context: &context,
        };
        (0..20)
            .filter(|_| enforced.spend("kms", &account, region, wall, &call).is_ok())
            .count()
    }

    #[test]
    fn a_second_lets_as_many_pass_as_the_quota_says_for_each_account_and_region() {
        let enforced = Enforced::new(vec![&TABLE], Rates::default());
        assert_eq!(calls(&enforced, "1", "us-east-1", 1_000), 5);
        assert_eq!(calls(&enforced, "1", "us-east-1", 1_999), 0);
        assert_eq!(calls(&enforced, "2", "us-east-1", 1_999), 5);
        assert_eq!(calls(&enforced, "1", "eu-west-1", 1_999), 2);
        assert_eq!(calls(&enforced, "1", "us-east-1", 2_000), 5);
    }

    #[test]
    fn a_clock_that_was_put_back_throttles_nobody_for_long() {
        let enforced = Enforced::new(vec![&TABLE], Rates::default());
        assert_eq!(calls(&enforced, "1", "us-east-1", 9_000_000), 5);
        assert_eq!(calls(&enforced, "1", "us-east-1", 1_000), 5);
    }

    #[test]
    fn rates_are_set_by_name_and_unknown_names_are_refused() {
        let rates = Rates::parse("kms.CreateKey=1", &[&TABLE]).unwrap();
        let enforced = Enforced::new(vec![&TABLE], rates);
        assert_eq!(calls(&enforced, "1", "us-east-1", 1_000), 1);
        for wrong in [
            "kms.MakeKey=1",
            "kms.CreateKey",
            "kms.CreateKey=fast",
            "CreateKey=1",
        ] {
            assert!(Rates::parse(wrong, &[&TABLE]).is_err(), "{wrong}");
        }
        assert_eq!(Rates::parse("", &[&TABLE]).unwrap(), Rates::default());
    }
}
