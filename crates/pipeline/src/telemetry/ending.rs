//! What is known of an answer only once its last byte is gone: how long it took, and how many bytes went.
//!
//! Invariant: it is measured once, however the answer ends: a client that goes away ends it too.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::Notify;
use wire::Timestamp;

use super::{Measurement, Subject, Telemetry};
use crate::call::Call;
use crate::clock::Clock;
use crate::front::{Body, Damaged, Departing};
use crate::gateway::Gateway;

/// The name and the unit of a metric.
pub type Metric = (&'static str, &'static str);

/// What is to be measured of an answer at its end.
pub(crate) struct AtEnd {
    subject: Subject,
    at: Timestamp,
    /// Milliseconds since the request arrived.
    took: Metric,
    /// Bytes that went.
    bytes: Metric,
}

/// An answer's body, followed to its end.
struct Followed {
    inner: Box<dyn Departing>,
    measures: Vec<AtEnd>,
    telemetry: Arc<Telemetry>,
    replanned: Arc<Notify>,
    clock: Clock,
    began: i64,
    gone: u64,
}

impl Departing for Followed {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Damaged>>> {
        let polled = self.inner.poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            self.gone = self.gone.saturating_add(bytes.len() as u64);
        }
        polled
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let wall = self.clock.wall();
        let took = number(u64::try_from(wall.0 - self.began).unwrap_or(0));
        let measures = std::mem::take(&mut self.measures).into_iter();
        let measured = measures.map(|measure| Measurement {
            subject: measure.subject,
            at: measure.at,
            values: vec![
                (measure.took.0, measure.took.1, took),
                (measure.bytes.0, measure.bytes.1, number(self.gone)),
            ],
        });
        if self.telemetry.add(measured.collect(), wall) {
            self.replanned.notify_one();
        }
    }
}

/// A count as a value.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of an answer and milliseconds lie far below 2^53, where doubles are exact"
)]
pub const fn number(count: u64) -> f64 {
    count as f64
}

impl Call<'_> {
    /// Measures, once the last byte of the answer that streams is gone, how many milliseconds the request took and how many bytes went.
    /// For followers.
    pub fn measure_at_end(&mut self, subject: Subject, at: Timestamp, took: Metric, bytes: Metric) {
        self.measured_at_end.push(AtEnd {
            subject,
            at,
            took,
            bytes,
        });
    }
}

impl Gateway {
    /// Follows an answer's body to its end, if something is to be measured then. `began` is when the request arrived, by the wall.
    pub(crate) fn to_its_end(
        &self,
        body: Body<Box<dyn Departing>>,
        measures: Vec<AtEnd>,
        began: Timestamp,
    ) -> Body<Box<dyn Departing>> {
        let inner = match body {
            Body::Stream(inner) if !measures.is_empty() && self.environment.sink.is_some() => inner,
            other => return other,
        };
        Body::Stream(Box::new(Followed {
            inner,
            measures,
            telemetry: Arc::clone(&self.environment.telemetry),
            replanned: Arc::clone(&self.replanned),
            clock: self.environment.clock.clone(),
            began: began.0,
            gone: 0,
        }))
    }
}
