//! `LookupEvents`: the event history of an account's region, newest first (S12.32).
//!
//! Invariant: a page never repeats or skips a record, whatever is recorded between two pages, since a token holds a place
//! in the ledger and the ledger only grows at its other end.

use api::cloudtrail::{LookupEventsRequest, LookupEventsResponse, fault};
use pipeline::ledger::scan::{self, Place};
use pipeline::ledger::{Attribute, Page, Query};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use wire::{Fault, Timestamp};

use crate::cloudtrail::event;

/// How far back the event history goes, in seconds: 90 days (CloudTrail User Guide, "Working with CloudTrail event
/// history").
const HISTORY_SECONDS: i64 = 90 * 24 * 60 * 60;
/// Events on a page, at most and unless fewer are asked for.
const EVENTS_MAX: i32 = 50;
/// What page tokens are for.
const TOKEN: &str = "cloudtrail.lookup-events";

/// Looks up events by one attribute and a span of time.
pub struct LookupEvents;

impl Operation for LookupEvents {
    type Input = LookupEventsRequest;
    type Output = LookupEventsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("cloudtrail:LookupEvents");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Self::Target>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        let wanted = Wanted::new(call, &input)?;
        let limit = limit(input.max_results)?;
        let before = match &input.next_token {
            Some(token) => Some(wanted.place(call, token)?),
            None => None,
        };
        let page = wanted.read(call, before, limit)?;
        let next_token = page.next.map(|place| wanted.token(call, place)).transpose()?;
        let events = page.records.iter().map(event::listed).collect();
        Ok(LookupEventsResponse {
            events: Some(events),
            next_token,
        })
    }
}

/// What is looked for. A token is bound to it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    account: String,
    region: String,
    /// The attribute's name and value.
    attribute: Option<(String, String)>,
    /// Whole seconds since the epoch, as asked.
    start: Option<i64>,
    end: Option<i64>,
    insight: bool,
}

/// Where the page before ended, and in which query.
#[derive(Serialize, Deserialize)]
struct Marker {
    wanted: Wanted,
    batch: u64,
    position: u64,
}

impl Wanted {
    fn new(look: &Look<'_>, input: &LookupEventsRequest) -> Result<Self> {
        let (start, end) = (
            input.start_time.map(Timestamp::seconds),
            input.end_time.map(Timestamp::seconds),
        );
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(fault::invalid_time_range_exception(
                "Invalid time range: the start time occurs after the end time.",
            ));
        }
        let insight = match input.event_category.as_deref() {
            None => false,
            Some("insight") => true,
            Some(other) => {
                let message = format!("{other} is not a category of events that can be looked up.");
                return Err(fault::invalid_event_category_exception(message));
            }
        };
        Ok(Self {
            account: look.account().to_owned(),
            region: look.region().to_owned(),
            attribute: attribute(input)?,
            start,
            end,
            insight,
        })
    }

    /// One page. Times are compared by whole seconds, which is as fine as an event shows its own.
    fn read(&self, look: &mut Look<'_>, before: Option<Place>, limit: usize) -> Result<Page> {
        let none = Page {
            records: Vec::new(),
            next: None,
            looked: 0,
        };
        if self.insight {
            // Insights are measured for trails that ask for them, and no trail does.
            return Ok(none);
        }
        let oldest = look.now.seconds().saturating_sub(HISTORY_SECONDS);
        let from = self
            .start
            .map_or(oldest, |start| start.max(oldest))
            .saturating_mul(1000);
        let to = self
            .end
            .map_or(i64::MAX, |end| end.saturating_mul(1000).saturating_add(999));
        let attribute = self
            .attribute
            .as_ref()
            .and_then(|(key, value)| Some((attribute_of(key)?, value.as_str())));
        if let Some((Attribute::EventId, id)) = attribute {
            // An event's id tells its time, so that it is found without a search.
            let record = scan::by_id(look, &self.account, &self.region, Attribute::EventId, id)?;
            let records = record
                .into_iter()
                .filter(|record| !record.data && (from..=to).contains(&record.time))
                .collect();
            return Ok(Page { records, ..none });
        }
        let query = Query {
            account: &self.account,
            region: &self.region,
            from,
            to,
            attribute,
            before,
            limit,
        };
        scan::management_page(look, &query)
    }

    fn token(&self, look: &Look<'_>, place: Place) -> Result<String> {
        let marker = serde_json::json!({ "wanted": self, "batch": place.batch, "position": place.position });
        look.issue_token(TOKEN, marker.to_string().as_bytes())
    }

    fn place(&self, look: &Look<'_>, token: &str) -> Result<Place> {
        let invalid = || {
            fault::invalid_next_token_exception(
                "The token is not valid, or was given for a request with different parameters.",
            )
        };
        let opened = look.open_token(TOKEN, token).ok_or_else(invalid)?;
        let marker: Marker = serde_json::from_slice(opened.expose()).map_err(|_| invalid())?;
        if marker.wanted != *self {
            return Err(invalid());
        }
        Ok(Place {
            batch: marker.batch,
            position: marker.position,
        })
    }
}

/// The one attribute of a lookup, by name and value.
fn attribute(input: &LookupEventsRequest) -> Result<Option<(String, String)>> {
    let attributes = input.lookup_attributes.as_deref().unwrap_or_default();
    let attribute = match attributes {
        [] => return Ok(None),
        [attribute] => attribute,
        _ => return Err(invalid_attributes("Only one lookup attribute can be given.")),
    };
    let (key, value) = (attribute.attribute_key.clone(), attribute.attribute_value.clone());
    if attribute_of(&key).is_none() {
        return Err(invalid_attributes(&format!("{key} is not a lookup attribute.")));
    }
    if key == "ReadOnly" && value != "true" && value != "false" {
        return Err(invalid_attributes(
            "The value of the lookup attribute ReadOnly is either true or false.",
        ));
    }
    Ok(Some((key, value)))
}

fn invalid_attributes(message: &str) -> Fault {
    fault::invalid_lookup_attributes_exception(message)
}

fn attribute_of(key: &str) -> Option<Attribute> {
    Some(match key {
        "EventId" => Attribute::EventId,
        "EventName" => Attribute::EventName,
        "ReadOnly" => Attribute::ReadOnly,
        "Username" => Attribute::Username,
        "ResourceType" => Attribute::ResourceType,
        "ResourceName" => Attribute::ResourceName,
        "EventSource" => Attribute::EventSource,
        "AccessKeyId" => Attribute::AccessKeyId,
        _ => return None,
    })
}

fn limit(asked: Option<i32>) -> Result<usize> {
    let asked = asked.unwrap_or(EVENTS_MAX);
    let limit = usize::try_from(asked)
        .ok()
        .filter(|_| (1..=EVENTS_MAX).contains(&asked));
    limit.ok_or_else(|| {
        fault::invalid_max_results_exception(format!(
            "The number of results must be between 1 and {EVENTS_MAX}."
        ))
    })
}
