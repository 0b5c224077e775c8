//! How far the replication of a version has come, as its record has it.
//!
//! Source: S3 User Guide, "Getting replication status information".

use api::s3 as model;
use model::ReplicationStatus as Status;
use serde::{Deserialize, Serialize};

/// How far one copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum State {
    #[serde(rename = "p")]
    Pending,
    #[serde(rename = "c")]
    Completed,
    #[serde(rename = "f")]
    Failed,
}

/// A copy that there is to be in another bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// The other bucket's name.
    #[serde(rename = "b")]
    pub(crate) bucket: String,
    #[serde(rename = "s")]
    pub(crate) state: State,
}

/// Whose contents a copy shares: the keys are bound to the other bucket and the number that the version has there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Shares {
    #[serde(rename = "b")]
    pub(crate) bucket: String,
    #[serde(rename = "q")]
    pub(crate) sequence: u64,
}

/// What a version is to replication. A version that no rule means has none of this.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replication {
    /// It came by replication, and is not replicated again.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replica: bool,
    /// Of a replica: where changes of its tags, list and lock go back to.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) copies: Vec<Copied>,
    /// Of a copy under a customer's key, which nobody else can seal anew.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(crate) shares: Option<Shares>,
}

impl Replication {
    /// What a replica begins as.
    pub(crate) const REPLICA: Self = Self {
        replica: true,
        copies: Vec::new(),
        shares: None,
    };

    fn any(&self, state: State) -> bool {
        self.copies.iter().any(|copy| copy.state == state)
    }

    /// `x-amz-replication-status`: one failure tells more than what is still to be done, and that more than what is done.
    pub(crate) fn status(&self) -> Option<Status> {
        Some(if self.any(State::Failed) {
            Status::Failed
        } else if self.any(State::Pending) {
            Status::Pending
        } else if self.replica {
            Status::Replica
        } else if self.copies.is_empty() {
            return None;
        } else {
            Status::Completed
        })
    }

    /// Whether lifecycle rules leave the version as it is (S3 User Guide, "S3 Lifecycle and S3 Replication").
    pub(crate) fn suspends_lifecycle(&self) -> bool {
        self.any(State::Failed) || self.any(State::Pending)
    }

    /// Whether a copy is to be made or brought up to date.
    pub(crate) fn awaits(&self, bucket: &str) -> bool {
        self.copies
            .iter()
            .any(|copy| copy.bucket == bucket && copy.state == State::Pending)
    }

    /// Notes how far a copy has come.
    pub(crate) fn set(&mut self, bucket: &str, state: State) {
        match self.copies.iter_mut().find(|copy| copy.bucket == bucket) {
            Some(copy) => copy.state = state,
            None => self.copies.push(Copied {
                bucket: bucket.to_owned(),
                state,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(replica: bool, states: &[State]) -> Option<Status> {
        let copies = states.iter().enumerate().map(|(at, state)| Copied {
            bucket: format!("b{at}"),
            state: *state,
        });
        let replication = Replication {
            replica,
            copies: copies.collect(),
            shares: None,
        };
        replication.status()
    }

    #[test]
    fn one_status_speaks_for_all_copies() {
        use State::{Completed, Failed, Pending};
        assert_eq!(shown(false, &[Completed, Completed]), Some(Status::Completed));
        assert_eq!(shown(false, &[Completed, Pending]), Some(Status::Pending));
        assert_eq!(shown(false, &[Pending, Failed]), Some(Status::Failed));
        assert_eq!(shown(true, &[]), Some(Status::Replica));
        assert_eq!(shown(true, &[Completed]), Some(Status::Replica));
        assert_eq!(shown(true, &[Pending]), Some(Status::Pending));
        assert_eq!(shown(false, &[]), None);
    }
}
