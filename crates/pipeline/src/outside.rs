//! Reaching outside: what an operation needs to know from elsewhere is fetched between two runs of it, never in a transaction.
//!
//! An operation asks by `Look::fetch`. What is not known yet suspends the run: the gateway drops its transaction, lets the
//! `Outside` fetch, and runs the operation again, which then finds the answer; a failure is an answer too. Pages are kept as long
//! as they say, by the cloud's clock.
//!
//! Invariant: nothing leaves the machine but what an operation asked for, and that only over https.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use wire::{Fault, Timestamp};

use crate::blobs::{Contents, Order};
use crate::call::Look;
use crate::clock::Clock;
use crate::errand::{Errands, Outcomes, Sent};
use crate::operation::Result;

/// Fetches of one call; more are refused, so that no chain of addresses leads on for ever.
const FETCHES_MAX: usize = 8;
/// Pages that are kept, and failures; one more clears them all.
const KEPT_MAX: usize = 256;
/// How long it is believed that a page cannot be had, in milliseconds of the wall's clock: places outside come back by their own time, not
/// by the cloud's, which may stand still. It stops callers without credentials from keeping the way out busy with a place that is silent.
const FAILED_MILLIS: i64 = 10_000;
/// How long a page is kept at least and at most, in milliseconds, whatever it says itself.
const KEPT_MILLIS: (i64, i64) = (5 * 60 * 1000, 24 * 60 * 60 * 1000);

/// By which certificate a place is believed to be what it says. Its host name and its dates must be right in any case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Trust {
    /// An authority that the machine trusts, or else a certificate of the served chain with one of these SHA-1 thumbprints
    /// (hexadecimal).
    AuthoritiesOr(Vec<String>),
    /// Whatever it shows: to learn a thumbprint that an administrator registers.
    FirstUse,
}

/// A page to be fetched with GET.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fetch {
    /// `https://…`
    pub url: String,
    pub trust: Trust,
}

impl Fetch {
    pub const fn new(url: String, trust: Trust) -> Self {
        Self { url, trust }
    }

    /// Host and port, as the address spells them.
    fn place(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

/// A page that was served with status 200.
#[derive(Clone, Debug)]
pub struct Page {
    pub body: Bytes,
    /// Seconds that the page says it is good for (`Cache-Control: max-age`).
    pub max_age: Option<u64>,
    /// SHA-1 of the last certificate of the chain that it was served with, in hexadecimal.
    pub thumbprint: String,
    /// No authority vouched for the place; a thumbprint did, or nobody.
    pub by_thumbprint: bool,
}

/// Why a page could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreached {
    /// The address is not one that may be fetched.
    Address,
    /// Nothing answers there, or not in time, or the exchange broke off.
    Silent,
    /// The certificate is not believed.
    Untrusted,
    /// Another status than 200.
    Status(u16),
    /// More than a page may hold.
    TooLong,
    /// This Ringwork reaches nothing outside, or the call asked too often.
    Refused,
}

/// What came of a fetch.
pub type Fetched = std::result::Result<Page, Unreached>;

/// The way out. Implemented over sockets by `planes`, and by tests.
pub trait Outside: Send + Sync {
    /// Fetches one page, within bounds of time and size.
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Pin<Box<dyn Future<Output = Fetched> + Send + 'a>>;
}

/// A page in memory.
struct Kept {
    page: Arc<Fetched>,
    at: Timestamp,
    /// Milliseconds.
    good_for: i64,
}

/// The way out, if there is one, and what was brought in by it.
#[derive(Default)]
pub(crate) struct Outdoors {
    outside: Option<Arc<dyn Outside>>,
    kept: Mutex<HashMap<Fetch, Kept>>,
    /// What could not be had lately, and when that was.
    failed: Mutex<HashMap<Fetch, (Unreached, Timestamp)>>,
    /// Read for the wall's time alone.
    clock: Clock,
    /// One fetch from a place at a time: calls that need the same page wait for it together, and a place that is slow holds one of the
    /// slots of the way out. By host and port.
    going: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) errands: Errands,
}

impl Outdoors {
    pub(crate) fn by(clock: Clock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    pub(crate) fn open(&mut self, outside: Arc<dyn Outside>) {
        self.outside = Some(outside);
    }

    /// What is known of a page: the page, or that it could not be had a moment ago.
    fn known(&self, fetch: &Fetch, now: Timestamp, age_max: Option<i64>) -> Option<Arc<Fetched>> {
        self.page(fetch, now, age_max).or_else(|| {
            let (why, at) = *self.failed.lock().get(fetch)?;
            let age = self.clock.wall().0.saturating_sub(at.0);
            (0..FAILED_MILLIS).contains(&age).then(|| Arc::new(Err(why)))
        })
    }

    /// A page that is still good, and not older than `age_max` milliseconds.
    fn page(&self, fetch: &Fetch, now: Timestamp, age_max: Option<i64>) -> Option<Arc<Fetched>> {
        let kept = self.kept.lock();
        let found = kept.get(fetch)?;
        let age = now.0.saturating_sub(found.at.0);
        // A clock that was set back makes no page younger.
        let limit = age_max.map_or(found.good_for, |most| most.min(found.good_for));
        (0..limit).contains(&age).then(|| Arc::clone(&found.page))
    }

    /// Fetches what a run asked for. `now` is the cloud's time.
    pub(crate) async fn go(&self, wanted: &WantedPage, now: Timestamp) -> Arc<Fetched> {
        let Some(outside) = &self.outside else {
            return Arc::new(Err(Unreached::Refused));
        };
        let queue = Queue::at(self, wanted.fetch.place());
        let _turn = queue.turn.lock().await;
        if let Some(page) = self.known(&wanted.fetch, now, wanted.age_max) {
            // Somebody else brought it in the meantime.
            return page;
        }
        let page = Arc::new(outside.fetch(&wanted.fetch).await);
        self.keep(&wanted.fetch, &page, now);
        page
    }

    fn keep(&self, fetch: &Fetch, page: &Arc<Fetched>, now: Timestamp) {
        let fetched = match page.as_ref() {
            Ok(fetched) => fetched,
            Err(why) => {
                let mut failed = self.failed.lock();
                if failed.len() >= KEPT_MAX {
                    failed.clear();
                }
                failed.insert(fetch.clone(), (*why, self.clock.wall()));
                return;
            }
        };
        self.failed.lock().remove(fetch);
        if fetch.trust == Trust::FirstUse {
            return;
        }
        let (least, most) = KEPT_MILLIS;
        let said = fetched.max_age.unwrap_or(0).saturating_mul(1000);
        let good_for = i64::try_from(said).unwrap_or(most).clamp(least, most);
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let page = Arc::clone(page);
        kept.insert(
            fetch.clone(),
            Kept {
                page,
                at: now,
                good_for,
            },
        );
    }
}

/// A call's place among those that want something from one place outside; given up however the call ends.
struct Queue<'o> {
    outdoors: &'o Outdoors,
    place: String,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'o> Queue<'o> {
    fn at(outdoors: &'o Outdoors, place: &str) -> Self {
        let place = place.to_owned();
        let turn = Arc::clone(outdoors.going.lock().entry(place.clone()).or_default());
        Self {
            outdoors,
            place,
            turn,
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        let mut going = self.outdoors.going.lock();
        // The map and this call hold it: nobody else waits.
        if Arc::strong_count(&self.turn) <= 2 {
            going.remove(&self.place);
        }
    }
}

/// What a run cannot go on without.
pub(crate) enum Wanted {
    Page(WantedPage),
    Errand(Sent),
    Content(Box<Order>),
}

/// A page, and how old it may be at most, in milliseconds.
pub(crate) struct WantedPage {
    pub(crate) fetch: Fetch,
    pub(crate) age_max: Option<i64>,
}

/// What was brought for one call, by all its runs.
#[derive(Default)]
pub(crate) struct Brought {
    pages: Vec<(Fetch, Arc<Fetched>)>,
    pub(crate) outcomes: Outcomes,
    pub(crate) contents: Contents,
}

impl Brought {
    /// For a call that brings a body.
    pub(crate) fn with(contents: Contents) -> Self {
        Self {
            contents,
            ..Self::default()
        }
    }

    /// A run begins, which asks for everything anew.
    pub(crate) fn begin_run(&mut self) {
        self.outcomes.begin_run();
        self.contents.begin_run();
    }

    /// Brings what a run wants; the next run finds it.
    pub(crate) async fn bring(&mut self, outdoors: &Outdoors, wanted: Wanted, now: Timestamp) {
        let wanted = match wanted {
            Wanted::Page(wanted) => wanted,
            Wanted::Errand(sent) => return self.outcomes.send(&outdoors.errands, sent).await,
            Wanted::Content(order) => return self.contents.fill(*order).await,
        };
        let page = if self.pages.len() < FETCHES_MAX {
            outdoors.go(&wanted, now).await
        } else {
            Arc::new(Err(Unreached::Refused))
        };
        self.pages.push((wanted.fetch, page));
    }

    fn find(&self, fetch: &Fetch) -> Option<Arc<Fetched>> {
        let found = self.pages.iter().find(|(known, _)| known == fetch);
        found.map(|(_, page)| Arc::clone(page))
    }
}

impl<'a> Look<'a> {
    /// What this call's earlier runs brought.
    pub(crate) const fn with_brought(mut self, brought: &'a Brought) -> Self {
        self.brought = Some(brought);
        self
    }

    /// A page from outside, at most `age_max` milliseconds old, or as old as it may be. What is not at hand ends this run; the
    /// gateway fetches it and runs the operation again.
    ///
    /// # Errors
    /// An internal fault that no caller sees, when the page must be fetched first.
    pub fn fetch(&mut self, fetch: &Fetch, age_max: Option<i64>) -> Result<Arc<Fetched>> {
        let Some(brought) = self.brought else {
            return Ok(Arc::new(Err(Unreached::Refused)));
        };
        if let Some(page) = brought.find(fetch) {
            return Ok(page);
        }
        if let Some(page) = self.environment.outdoors.known(fetch, self.now, age_max) {
            return Ok(page);
        }
        let fetch = fetch.clone();
        self.wanted = Some(Wanted::Page(WantedPage { fetch, age_max }));
        Err(Fault::internal("a page from outside must be fetched first"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counting(AtomicUsize, Option<u64>);

    impl Outside for Counting {
        fn fetch<'a>(&'a self, _fetch: &'a Fetch) -> Pin<Box<dyn Future<Output = Fetched> + Send + 'a>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let max_age = self.1;
            Box::pin(async move {
                Ok(Page {
                    body: Bytes::new(),
                    max_age,
                    thumbprint: String::new(),
                    by_thumbprint: false,
                })
            })
        }
    }

    /// How often a page is fetched that is asked for at these times.
    fn fetches(max_age: Option<u64>, asks: &[(i64, Option<i64>)]) -> usize {
        let counting = Arc::new(Counting(AtomicUsize::new(0), max_age));
        let mut outdoors = Outdoors::default();
        outdoors.open(Arc::clone(&counting) as Arc<dyn Outside>);
        let fetch = Fetch::new("https://id.example/".to_owned(), Trust::AuthoritiesOr(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (at, age_max) in asks {
            let wanted = WantedPage {
                fetch: fetch.clone(),
                age_max: *age_max,
            };
            runtime
                .block_on(outdoors.go(&wanted, Timestamp(at * 1000)))
                .as_ref()
                .as_ref()
                .unwrap();
        }
        assert!(outdoors.going.lock().is_empty());
        counting.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_page_is_kept_five_minutes_to_a_day() {
        assert_eq!(fetches(None, &[(0, None), (299, None)]), 1);
        assert_eq!(fetches(Some(0), &[(0, None), (299, None), (300, None)]), 2);
        assert_eq!(fetches(Some(3600), &[(0, None), (3599, None), (3600, None)]), 2);
        assert_eq!(
            fetches(Some(u64::MAX), &[(0, None), (86_399, None), (86_400, None)]),
            2
        );
        assert_eq!(
            fetches(None, &[(0, None), (59, Some(60_000)), (60, Some(60_000))]),
            2
        );
        assert_eq!(fetches(Some(3600), &[(100, None), (0, None)]), 2);
    }

    /// A place where nothing answers but to the address that ends in `good`, and how many wait for it at a time.
    #[derive(Default)]
    struct Silence {
        asked: AtomicUsize,
        waiting: AtomicUsize,
        most: AtomicUsize,
    }

    impl Outside for Silence {
        fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Pin<Box<dyn Future<Output = Fetched> + Send + 'a>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
                self.most.fetch_max(waiting, Ordering::Relaxed);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                if !fetch.url.ends_with("good") {
                    return Err(Unreached::Silent);
                }
                Ok(Page {
                    body: Bytes::new(),
                    max_age: None,
                    thumbprint: String::new(),
                    by_thumbprint: false,
                })
            })
        }
    }

    fn wanted(url: &str, age_max: Option<i64>) -> WantedPage {
        WantedPage {
            fetch: Fetch::new(url.to_owned(), Trust::AuthoritiesOr(Vec::new())),
            age_max,
        }
    }

    #[test]
    fn a_failure_is_remembered_for_ten_seconds_of_the_wall() {
        let wall = Arc::new(std::sync::atomic::AtomicI64::new(1_000_000));
        let read = Arc::clone(&wall);
        let clock = Clock::from_wall(move || read.load(Ordering::Relaxed));
        // The cloud's clock stands still, and the place may come back all the same.
        clock.put(Timestamp(5), 0.0);
        let silence = Arc::new(Silence::default());
        let mut outdoors = Outdoors::by(clock);
        outdoors.open(Arc::clone(&silence) as Arc<dyn Outside>);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ask = |url: &str, at: i64, age_max: Option<i64>| {
            wall.store(1_000_000 + at, Ordering::Relaxed);
            let page = runtime.block_on(outdoors.go(&wanted(url, age_max), Timestamp(5)));
            (page.is_ok(), silence.asked.load(Ordering::Relaxed))
        };
        let url = "https://id.example/keys";
        assert_eq!(ask(url, 0, None), (false, 1));
        assert_eq!(ask(url, 9_999, None), (false, 1));
        assert_eq!(ask(url, 10_000, None), (false, 2));
        assert_eq!(ask(url, 9_000, None), (false, 3), "a clock that was set back");
        assert_eq!(ask("https://id.example/good", 9_000, None), (true, 4));
        for number in 0..=KEPT_MAX {
            ask(&format!("https://id.example/{number}"), 9_000, None);
        }
        assert!(outdoors.failed.lock().len() <= KEPT_MAX);
    }

    #[test]
    fn a_page_that_is_good_outlives_a_failure_to_renew_it() {
        let mut outdoors = Outdoors::default();
        outdoors.open(Arc::new(Silence::default()) as Arc<dyn Outside>);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let page = wanted("https://id.example/good", None);
        assert!(runtime.block_on(outdoors.go(&page, Timestamp(0))).is_ok());
        let wall = outdoors.clock.wall();
        let failed = (Unreached::Silent, wall);
        outdoors.failed.lock().insert(page.fetch.clone(), failed);
        assert!(outdoors.known(&page.fetch, Timestamp(0), None).unwrap().is_ok());
        assert!(
            outdoors
                .known(&page.fetch, Timestamp(2), Some(1))
                .unwrap()
                .is_err()
        );
    }

    #[test]
    fn a_place_is_asked_for_one_page_at_a_time() {
        let silence = Arc::new(Silence::default());
        let mut outdoors = Outdoors::default();
        outdoors.open(Arc::clone(&silence) as Arc<dyn Outside>);
        let outdoors = Arc::new(outdoors);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let calls: Vec<_> = (0..32)
                .map(|number| {
                    let outdoors = Arc::clone(&outdoors);
                    let url = format!("https://id.example/{}", number % 4);
                    tokio::spawn(async move { outdoors.go(&wanted(&url, None), Timestamp(0)).await })
                })
                .collect();
            for call in calls {
                assert!(call.await.unwrap().is_err());
            }
        });
        assert_eq!(silence.asked.load(Ordering::Relaxed), 4, "each page once");
        assert_eq!(silence.most.load(Ordering::Relaxed), 1);
        assert!(outdoors.going.lock().is_empty());
    }

    #[test]
    fn a_call_that_is_given_up_leaves_nothing_behind() {
        let mut outdoors = Outdoors::default();
        outdoors.open(Arc::new(Silence::default()) as Arc<dyn Outside>);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let page = wanted("https://id.example/keys", None);
            let mut asking = Box::pin(outdoors.go(&page, Timestamp(0)));
            let mut waiting = Box::pin(outdoors.go(&page, Timestamp(0)));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(asking.as_mut().poll(&mut context).is_pending());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            drop(waiting);
            assert_eq!(outdoors.going.lock().len(), 1, "one is still on its way");
            drop(asking);
            assert!(outdoors.going.lock().is_empty());
        });
    }

    #[test]
    fn without_a_way_out_nothing_is_reached() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut brought = Brought::default();
        for _ in 0..=FETCHES_MAX {
            let wanted = WantedPage {
                fetch: Fetch::new("https://id.example/".to_owned(), Trust::FirstUse),
                age_max: None,
            };
            runtime.block_on(brought.bring(&Outdoors::default(), Wanted::Page(wanted), Timestamp(0)));
        }
        assert!(
            brought
                .pages
                .iter()
                .all(|(_, page)| matches!(page.as_ref(), Err(Unreached::Refused)))
        );
    }
}
