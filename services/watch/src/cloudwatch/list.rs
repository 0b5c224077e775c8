//! `ListMetrics`: the metrics that had data within two weeks.
//!
//! Invariant: a page looks at a bounded number of rows, whatever the filters let through; a page may be short and still have another
//! behind it.
//!
//! Source: CloudWatch API Reference, "ListMetrics".

use api::cloudwatch::{DimensionFilter, ListMetricsInput, ListMetricsOutput};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;

use super::fault::{bad_token, invalid_value};
use super::metric::{self, METRICS, Metric, MetricKey};

/// Metrics of a page, and rows that it looks at.
const PAGE: usize = 500;
const ROWS_MAX: usize = 10_000;
/// Rows that are read at a time.
const STEP: usize = 1000;
/// Milliseconds for which a metric is listed after its last data, and for which it is active.
const LISTED: i64 = 14 * 86_400_000;
const ACTIVE: i64 = 3 * 3_600_000;
const PURPOSE: &str = "cloudwatch.list-metrics";

/// Lists metrics.
pub struct ListMetrics;

/// Where a page ended, and of which list.
#[derive(Serialize, Deserialize)]
struct Marker {
    account: String,
    region: String,
    namespace: Option<String>,
    name: Option<String>,
    after: (String, String, Vec<u8>),
}

impl Operation for ListMetrics {
    type Input = ListMetricsInput;
    type Output = ListMetricsOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("cloudwatch:ListMetrics");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Self::Target>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        if let Some(other) = input.owning_account.as_deref()
            && other != call.account()
        {
            // No account is linked to another.
            return Err(invalid_value(other, "OwningAccount"));
        }
        let mut after = input
            .next_token
            .as_deref()
            .map(|token| place(call, &input, token))
            .transpose()?;
        let (mut metrics, mut looked) = (Vec::new(), 0);
        let next = loop {
            let rows = rows(call, &input, after.as_ref())?;
            let ended = rows.len() < STEP;
            looked += rows.len();
            let mut full = None;
            let last = rows.last().map(|(key, _)| key.clone());
            for (key, metric) in rows {
                if fits(call, &input, &key, &metric) {
                    metrics.push(api::cloudwatch::Metric {
                        namespace: Some(key.2.clone()),
                        metric_name: Some(key.3.clone()),
                        dimensions: Some(metric::shown(&metric.dimensions)),
                    });
                }
                after = Some(key);
                if metrics.len() == PAGE {
                    full.clone_from(&after);
                    break;
                }
            }
            // What a token names may be the last, or gone since.
            if ended && (last.is_none() || after == last) {
                break None;
            }
            if full.is_some() {
                break full;
            }
            if looked >= ROWS_MAX {
                break after;
            }
        };
        let next_token = next.map(|key| token(call, &input, key)).transpose()?;
        let owning_accounts = input
            .include_linked_accounts
            .filter(|asked| *asked)
            .map(|_| vec![call.account().to_owned(); metrics.len()]);
        Ok(ListMetricsOutput {
            metrics: Some(metrics),
            next_token,
            owning_accounts,
        })
    }
}

type Row = (MetricKey, std::sync::Arc<Metric>);

fn rows(call: &mut Call<'_>, input: &ListMetricsInput, after: Option<&MetricKey>) -> Result<Vec<Row>> {
    let (account, region) = (call.account().to_owned(), call.region().to_owned());
    let (account, region) = (account.as_str(), region.as_str());
    match (input.namespace.as_deref(), input.metric_name.as_deref()) {
        (Some(namespace), Some(name)) => {
            call.range(&METRICS, &(account, region, namespace, name), after, STEP)
        }
        (Some(namespace), None) => call.range(&METRICS, &(account, region, namespace), after, STEP),
        (None, _) => call.range(&METRICS, &(account, region), after, STEP),
    }
}

fn fits(call: &Call<'_>, input: &ListMetricsInput, key: &MetricKey, metric: &Metric) -> bool {
    let named = input.metric_name.as_ref().is_none_or(|name| *name == key.3);
    let span = if input.recently_active.is_some() {
        ACTIVE
    } else {
        LISTED
    };
    let has = |filter: &DimensionFilter| {
        metric.dimensions.iter().any(|(name, value)| {
            *name == filter.name && filter.value.as_ref().is_none_or(|wanted| wanted == value)
        })
    };
    // `last` is to the minute.
    named
        && metric.last + 60_000 > call.now.0 - span
        && input.dimensions.as_deref().unwrap_or_default().iter().all(has)
}

fn token(call: &Call<'_>, input: &ListMetricsInput, key: MetricKey) -> Result<String> {
    let marker = Marker {
        account: key.0,
        region: key.1,
        namespace: input.namespace.clone(),
        name: input.metric_name.clone(),
        after: (key.2, key.3, key.4),
    };
    let marker = serde_json::to_vec(&marker).map_err(Fault::internal)?;
    call.issue_token(PURPOSE, &marker)
}

fn place(call: &Call<'_>, input: &ListMetricsInput, token: &str) -> Result<MetricKey> {
    let opened = call.open_token(PURPOSE, token).ok_or_else(bad_token)?;
    let marker: Marker = serde_json::from_slice(opened.expose()).map_err(|_| bad_token())?;
    let same = marker.account == call.account()
        && marker.region == call.region()
        && marker.namespace == input.namespace
        && marker.name == input.metric_name;
    if !same {
        return Err(bad_token());
    }
    let (namespace, name, id) = marker.after;
    Ok((marker.account, marker.region, namespace, name, id))
}
