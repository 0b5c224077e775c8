//! CloudWatch's metrics: numbers over time, which applications put and services publish, and what is asked of them.
//!
//! A datum lies in one row of its metric: of the minute it belongs to (of the second, for metrics of high resolution), and after the
//! time for which AWS keeps it so, of its five minutes, then of its hour (`retention`). Read `metric` for the rows, `put` for how they are
//! made, `span` for how they are read, and `math` for expressions.
//!
//! Invariant: what a caller put is durable when it is answered. What services publish comes through `pipeline::telemetry`, a minute late
//! at the most. Rows of one metric are read by range, so a read costs what its span holds.

use pipeline::jobs::JobKind;
use pipeline::telemetry::Sink;
use pipeline::{Endpoint, TrailRules, operations};

mod datum;
mod fault;
pub mod get;
mod label;
pub mod list;
mod math;
pub mod metric;
pub mod put;
mod retention;
mod span;
mod statistic;
pub mod statistics;

/// How CloudWatch's calls look in the trail: those on metrics are data events (CloudWatch User Guide, "CloudWatch data events in
/// CloudTrail").
pub static TRAIL: TrailRules = TrailRules {
    data_events: &[
        "GetMetricData",
        "GetMetricStatistics",
        "ListMetrics",
        "PutMetricData",
    ],
    ..TrailRules::new("cloudwatch")
};

/// CloudWatch's operations.
pub static OPERATIONS: &[Endpoint] = operations!["cloudwatch";
    put::{PutMetricData},
    list::{ListMetrics},
    statistics::{GetMetricStatistics},
    get::{GetMetricData},
];

/// What CloudWatch does later.
pub static JOBS: &[JobKind] = &[retention::MINUTES, retention::SECONDS];

/// Keeps what services measure.
pub static SINK: Sink = Sink {
    service: "monitoring",
    take: put::publish,
};
