//! Assertions that were redeemed, so that none gives the same role twice.
//!
//! Clients redeem one assertion for several roles, which AWS allows within its five minutes, so an assertion is spent for each role by
//! itself; one that its provider allows a single use is spent whole (SAML 2.0 Core, section 2.5.1.5; Profiles, section 4.1.4.5).
//!
//! Invariant: an assertion's rows outlive the time in which it would be taken.

use pipeline::{Call, Resource as _, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::invalid;
use super::voucher::TAKEN_FOR;
use crate::iam::saml::SamlProvider;
use crate::saml::Assertion;

/// One use.
#[derive(Clone, Serialize, Deserialize)]
struct Redeemed {
    /// Milliseconds since the epoch, by the wall's clock.
    at: i64,
}

store::record!(Redeemed, 1);

/// The provider's ARN, when the assertion was issued (milliseconds since the epoch), its id, and the role's ARN. In the order
/// of their issue, so that those past use come first.
type Use = (String, i64, String, String);

static REDEEMED: Table<Use, Redeemed> = Table::new(0x0129, "sts.saml_redeemed");

/// Rows past use that each new one takes away: more than it adds, so that they do not gather.
const SWEPT: usize = 8;

/// Notes the use of an assertion for a role, or refuses it.
pub(super) fn note(
    call: &mut Call<'_>,
    provider: &SamlProvider,
    assertion: &Assertion,
    role: &str,
) -> Result<()> {
    let wall = call.wall().0;
    let from = provider.arn();
    let uses = call.range(
        &REDEEMED,
        &(from.as_str(), assertion.issued, assertion.id.as_str()),
        None,
        SWEPT,
    )?;
    let key = (
        from.clone(),
        assertion.issued,
        assertion.id.clone(),
        role.to_owned(),
    );
    let spent = if assertion.one_time {
        !uses.is_empty()
    } else {
        call.get(&REDEEMED, &key)?.is_some()
    };
    if spent {
        return Err(invalid("The SAML assertion was redeemed already"));
    }
    for (old, _) in call.range(&REDEEMED, &(from.as_str(),), None, SWEPT)? {
        if old.1.saturating_add(2 * TAKEN_FOR) < wall {
            call.delete(&REDEEMED, &old)?;
        }
    }
    call.put(&REDEEMED, &key, Redeemed { at: wall })
}
