//! What a primary gives its replica in another account: the values that bear labels, and the labels.
//!
//! A value's data key is decrypted under the primary's key and encrypted under the replica's (User Guide, "How Secrets Manager
//! authorizes cross-account replication"); both keys judge whoever acts.
//!
//! Invariant: a copy is whole or leaves the replica's values as they were.

use std::collections::BTreeMap;

use pipeline::{Call, Result};

use super::State;
use super::actor::Actor;
use crate::secretsmanager::envelope;
use crate::secretsmanager::naming::by_arn;
use crate::secretsmanager::replica;
use crate::secretsmanager::secret::{Secret, Version};
use crate::secretsmanager::value;

/// Makes the replica what its primary is now. What could not be copied is told in the status of both, and is copied by the next
/// change.
pub(crate) fn follow(call: &mut Call<'_>, primary: &mut Secret) -> Result<()> {
    let Some(mut follower) = primary.follower.clone() else {
        return Ok(());
    };
    if follower.state == State::Detached {
        return Ok(());
    }
    let replica = by_arn(call, &follower.arn)?;
    let ours = |replica: &Secret| follows(replica, primary);
    let Some(replica) = replica.filter(|replica| ours(replica)) else {
        return Ok(());
    };
    if follower.state == State::InSync && !is_behind(primary, &replica) {
        return Ok(());
    }
    follower.state = match copy(call, primary, &replica, follower.role.as_deref(), Proof::None) {
        Ok(()) => State::InSync,
        Err(fault) => {
            let why = replica::reason(fault)?;
            let mut replica = (*replica).clone();
            let failed = State::Failed(why);
            if let Some(followed) = &mut replica.followed {
                followed.state = failed.clone();
            }
            replica.keep_here(call)?;
            failed
        }
    };
    primary.follower = Some(follower);
    Ok(())
}

/// Whether a secret is a replica of this primary.
pub(super) fn follows(replica: &Secret, primary: &Secret) -> bool {
    let arn = primary.arn();
    replica
        .followed
        .as_ref()
        .is_some_and(|followed| followed.arn == arn)
}

/// The versions that the replica should have.
fn wanted(primary: &Secret, replica: &Secret) -> BTreeMap<String, Version> {
    let versions = primary.versions.iter().filter_map(|(id, version)| {
        let copied = replica.versions.get(id);
        // A version without a label is deprecated, and not worth a copy.
        if version.empty || (version.stages.is_empty() && copied.is_none()) {
            return None;
        }
        let version = Version {
            accessed: copied.and_then(|copied| copied.accessed),
            kms_key: copied.map_or_else(|| replica.kms_key.clone(), |copied| copied.kms_key.clone()),
            ..version.clone()
        };
        Some((id.clone(), version))
    });
    versions.collect()
}

fn is_behind(primary: &Secret, replica: &Secret) -> bool {
    let wanted = wanted(primary, replica);
    let labelled = |versions: &BTreeMap<String, Version>| -> Vec<_> {
        let labelled = versions
            .iter()
            .map(|(id, version)| (id.clone(), version.stages.clone()));
        labelled.collect()
    };
    labelled(&wanted) != labelled(&replica.versions)
}

/// What whoever acts must show with nothing to copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    None,
    /// That they may encrypt for the replica.
    Key,
}

/// Copies what the replica lacks.
pub(super) fn copy(
    call: &mut Call<'_>,
    primary: &Secret,
    replica: &Secret,
    role: Option<&str>,
    proof: Proof,
) -> Result<()> {
    let wanted = wanted(primary, replica);
    let lacking = wanted.keys().filter(|id| !replica.versions.contains_key(*id));
    let lacking: Vec<&String> = lacking.collect();
    let mut values = Vec::with_capacity(lacking.len());
    if !lacking.is_empty() || proof == Proof::Key {
        call.within(&acting_in(call, primary, role), |call| {
            let actor = Actor::of(call, primary, role)?;
            let ask = |call: &mut Call<'_>, operation: &str, input| actor.ask(call, operation, input);
            if lacking.is_empty() {
                return envelope::try_encrypt(call, &ask, replica);
            }
            for id in &lacking {
                values.push((*id, value::carried(call, &ask, (primary, replica), id)?));
            }
            Ok(())
        })?;
    }
    for (id, value) in values {
        value::keep(call, replica, id, value)?;
    }
    for id in replica.versions.keys().filter(|id| !wanted.contains_key(*id)) {
        value::forget(call, replica, id)?;
    }
    let mut replica = replica.clone();
    if let Some(followed) = &mut replica.followed {
        followed.state = State::InSync;
    }
    replica.versions = wanted;
    replica.changed = call.now.0;
    replica.keep_here(call)
}

/// A role acts in its own account, which is the primary's; a caller in the caller's.
fn acting_in(call: &Call<'_>, primary: &Secret, role: Option<&str>) -> String {
    let own = || call.account().to_owned();
    role.map_or_else(own, |_| primary.account.clone())
}
