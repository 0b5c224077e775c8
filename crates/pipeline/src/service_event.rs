//! Events that a service tells of beside its calls: CloudTrail's `AwsServiceEvent` (`RotationStarted`, `StartSecretVersionDelete`).
//!
//! Invariant: an event is recorded in the transaction of what it tells of, or not at all.

use serde_json::{Map, Value};

use crate::call::Call;
use crate::invoke::Invoked;
use crate::recorder::{self, Moment, Told};

impl Call<'_> {
    /// Tells of something that the service did, in the trail of the account and region of the call. `details` are CloudTrail's
    /// `additionalEventData`; `error` is its `errorMessage`.
    pub fn service_event(&mut self, event: &'static str, details: Map<String, Value>, error: Option<String>) {
        let environment = self.look.environment;
        let wall = environment.clock.wall();
        let told = Told {
            service: self.service(),
            event,
            error,
            details,
            resources: Vec::new(),
            account: self.account().to_owned(),
            region: self.region().to_owned(),
        };
        let moment = Moment {
            now: self.now,
            wall,
            event: environment.draw_id(wall.0),
        };
        let record = recorder::told(told, environment.draw_id(wall.0), moment);
        self.invoked.push(Invoked {
            record,
            shared_with: Vec::new(),
        });
    }
}
