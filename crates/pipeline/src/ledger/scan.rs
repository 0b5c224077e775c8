//! Reading the ledger backwards: by time, by one attribute, a page at a time.
//!
//! Invariant: a page costs at most `BATCHES_MAX` batches, however long the stream, and passes over stretches whose
//! summary says that nothing in them fits; a page that ends early carries the place where the next one goes on.

use store::StreamBatch;
use wire::Fault;

use crate::call::Look;
use crate::ledger::chain::Batch;
use crate::ledger::record::Record;
use crate::operation::Result;

/// The most batches that one page looks at.
const BATCHES_MAX: usize = 20_000;
/// Batches fetched at once: few at first and behind a stretch that was passed over, more while every one is looked at.
const STRIDE_FIRST: usize = 8;
const STRIDE_MAX: usize = 64;

/// What records are looked up by: CloudTrail's eight attributes, and the request id for `why`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attribute {
    RequestId,
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

/// What to look for in one stream.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// Cloud milliseconds, both inclusive.
    pub from: i64,
    pub to: i64,
    pub attribute: Option<(Attribute, &'a str)>,
    /// Where the page before ended.
    pub before: Option<Place>,
    pub limit: usize,
}

/// A record's place in its stream: the batch's first sequence and the position within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub batch: u64,
    pub position: u64,
}

/// Records, newest first, and where to go on if there may be more.
pub struct Page {
    pub records: Vec<Record>,
    pub next: Option<Place>,
    /// Batches that were read for it.
    pub looked: usize,
}

/// FNV-1a over the attribute and the value; a collision costs a look, never a wrong answer.
fn hash(attribute: Attribute, value: &str) -> u32 {
    let seed = 0x811c_9dc5_u32 ^ (attribute as u32);
    value.bytes().fold(seed, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The last part of an ARN, by which people name resources.
pub(crate) fn short_name(arn: &str) -> Option<&str> {
    arn.rsplit(['/', ':']).next().filter(|short| *short != arn)
}

/// The hashes that a record's index entry holds.
pub(crate) fn hashes(record: &Record) -> Vec<u32> {
    let mut hashes: Vec<u32> = record
        .attributes()
        .map(|(attribute, value)| hash(attribute, value))
        .collect();
    let names = record
        .resources
        .iter()
        .filter_map(|resource| short_name(&resource.arn));
    hashes.extend(names.map(|name| hash(Attribute::ResourceName, name)));
    hashes
}

fn bears(record: &Record, attribute: Attribute, wanted: &str) -> bool {
    let exact = record
        .attributes()
        .any(|(held, value)| held == attribute && value == wanted);
    exact
        || (attribute == Attribute::ResourceName
            && record
                .resources
                .iter()
                .any(|resource| short_name(&resource.arn) == Some(wanted)))
}

/// Reads one page of one stream.
///
/// # Errors
/// The store's, as a fault; an internal fault for a batch that is damaged.
pub fn page(look: &mut Look<'_>, query: &Query<'_>) -> Result<Page> {
    page_of(look, query, true)
}

/// The same without data events: what the event history shows (CloudTrail User Guide, "Working with CloudTrail event history").
///
/// # Errors
/// As `page`.
pub fn management_page(look: &mut Look<'_>, query: &Query<'_>) -> Result<Page> {
    page_of(look, query, false)
}

fn page_of(look: &mut Look<'_>, query: &Query<'_>, data: bool) -> Result<Page> {
    let stream = super::stream(query.account, query.region);
    let wanted = query.attribute.map(|(attribute, value)| hash(attribute, value));
    let mut page = Page {
        records: Vec::new(),
        next: None,
        looked: 0,
    };
    if query.limit == 0 || query.from > query.to {
        return Ok(page);
    }
    // A batch that the page before left half read is looked at again, from the position where it stopped.
    let mut before = query.before.map(|place| place.batch.saturating_add(1));
    let mut stride = STRIDE_FIRST;
    while page.looked < BATCHES_MAX {
        let batches = look.batches(&stream, before, stride)?;
        if batches.is_empty() {
            return Ok(page);
        }
        stride = (stride * 2).min(STRIDE_MAX);
        for StreamBatch { first, bytes, .. } in &batches {
            page.looked += 1;
            let Some(batch) = Batch::parse(bytes) else {
                return Err(Fault::internal(format!(
                    "the ledger's batch {first} is not readable"
                )));
            };
            collect(&mut page, (query, data), wanted, *first, &batch)?;
            if page.next.is_some() {
                return Ok(page);
            }
            before = Some(*first);
            let passed = batch
                .summary()
                .filter(|summary| !summary.may_hold(query.from, query.to, wanted));
            if let Some(summary) = passed {
                // The stretch's first batch is read again, since it carries the summary of the stretch before.
                before = Some(summary.from.saturating_add(1).min(*first));
                stride = 1;
                break;
            }
        }
    }
    page.next = before.map(|batch| Place { batch, position: 0 });
    Ok(page)
}

/// Adds what fits of one batch to the page; sets `next` once the page is full.
fn collect(
    page: &mut Page,
    (query, data): (&Query<'_>, bool),
    wanted: Option<u32>,
    first: u64,
    batch: &Batch<'_>,
) -> Result<()> {
    let (earliest, latest) = batch.time();
    if earliest > query.to || latest < query.from {
        return Ok(());
    }
    let mut positions = batch.matching(wanted);
    if let Some(place) = query.before.filter(|place| place.batch == first) {
        positions.retain(|position| (*position as u64) < place.position);
    }
    if positions.is_empty() {
        return Ok(());
    }
    let damaged = || Fault::internal(format!("the ledger's batch {first} is damaged"));
    let texts = batch.open().ok_or_else(damaged)?;
    for position in positions.into_iter().rev() {
        let record = texts.record(position).ok_or_else(damaged)?;
        let fits = (data || !record.data)
            && (query.from..=query.to).contains(&record.time)
            && query
                .attribute
                .is_none_or(|(attribute, value)| bears(&record, attribute, value));
        if !fits {
            continue;
        }
        page.records.push(record);
        if page.records.len() >= query.limit {
            page.next = Some(Place {
                batch: first,
                position: position as u64,
            });
            break;
        }
    }
    Ok(())
}

/// Finds a record by the id of its request or event, whose first 48 bits are wall milliseconds.
///
/// # Errors
/// The store's, as a fault.
pub fn by_id(
    look: &mut Look<'_>,
    account: &str,
    region: &str,
    attribute: Attribute,
    id: &str,
) -> Result<Option<Record>> {
    let Some(drawn) = drawn_at(id) else {
        return Ok(None);
    };
    let near = near(look, (account, region), attribute, id, drawn)?;
    if near.is_some() {
        return Ok(near);
    }
    // Where the wall's clock was put back, batches are not in the order of its time, so that a record may lie anywhere.
    let query = Query {
        account,
        region,
        from: i64::MIN,
        to: i64::MAX,
        attribute: Some((attribute, id)),
        before: None,
        limit: 1,
    };
    Ok(page(look, &query)?.records.pop())
}

/// The same, as far as batches lie in the order of the wall's time.
fn near(
    look: &mut Look<'_>,
    (account, region): (&str, &str),
    attribute: Attribute,
    id: &str,
    drawn: i64,
) -> Result<Option<Record>> {
    /// A record is committed this long after its id was drawn, at most: the request's whole time limit.
    const SLACK_MILLISECONDS: i64 = 10 * 60 * 1000;
    let stream = super::stream(account, region);
    let mut before = batch_after(look, &stream, drawn.saturating_add(SLACK_MILLISECONDS))?;
    let wanted = hash(attribute, id);
    loop {
        let batches = look.batches(&stream, before, STRIDE_MAX)?;
        if batches.is_empty() {
            return Ok(None);
        }
        for StreamBatch { first, bytes, .. } in &batches {
            before = Some(*first);
            let Some(batch) = Batch::parse(bytes) else {
                continue;
            };
            if batch.wall().1 < drawn.saturating_sub(SLACK_MILLISECONDS) {
                return Ok(None);
            }
            let positions = batch.matching(Some(wanted));
            if positions.is_empty() {
                continue;
            }
            let Some(texts) = batch.open() else { continue };
            let found = positions
                .into_iter()
                .filter_map(|position| texts.record(position));
            if let Some(record) = found.into_iter().find(|record| bears(record, attribute, id)) {
                return Ok(Some(record));
            }
        }
    }
}

/// The wall milliseconds at which a request or event id was drawn; `None` if it is no UUID of version 7.
pub(crate) fn drawn_at(id: &str) -> Option<i64> {
    let bytes = id.as_bytes();
    if bytes.len() != 36 || bytes.get(14) != Some(&b'7') {
        return None;
    }
    let (high, low) = (id.get(..8)?, id.get(9..13)?);
    let high = i64::from_str_radix(high, 16).ok()?;
    let low = i64::from_str_radix(low, 16).ok()?;
    Some((high << 16) | low)
}

/// A sequence from which on every batch is later than `wall`, by bisection; `None` if there is none.
fn batch_after(look: &mut Look<'_>, stream: &[u8], wall: i64) -> Result<Option<u64>> {
    let Some(newest) = look.batches(stream, None, 1)?.into_iter().next() else {
        return Ok(None);
    };
    let (mut low, mut high) = (0_u64, newest.first.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let batch = look
            .batches(stream, Some(middle.saturating_add(1)), 1)?
            .into_iter()
            .next();
        let later =
            batch.is_some_and(|found| Batch::parse(&found.bytes).is_some_and(|batch| batch.wall().0 > wall));
        if later {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Ok(Some(high))
}

#[cfg(test)]
pub(crate) mod tests;
