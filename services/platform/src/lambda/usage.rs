//! What an account uses of Lambda in a region, kept beside what it counts, so that no limit needs a look at every function.
//!
//! Source: Lambda Developer Guide, "Lambda quotas".
//!
//! Invariant: changed in the transaction that changes what it counts.

use api::lambda::fault::code_storage_exceeded_exception;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::function::Function;

/// Runs at a time in an account and region.
pub(crate) const CONCURRENT_MAX: u32 = 1000;
/// Of these, runs that no function may keep for itself.
pub(crate) const UNRESERVED_MIN: u32 = 100;
/// Bytes of all code in an account and region.
pub(crate) const CODE_BYTES_MAX: i64 = 300 << 30;

/// What is used.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Usage {
    pub functions: i64,
    /// Of every version.
    pub code_bytes: i64,
    /// Runs at a time that functions keep for themselves.
    pub reserved: u32,
}

store::record!(Usage, 1);

/// By account and region.
pub static USAGE: Table<(String, String), Usage> = Table::new(0x0606, "lambda.usage");

/// What the account uses in the region.
pub(crate) fn of(look: &mut Look<'_>, account: &str, region: &str) -> Result<Usage> {
    let found = look.get(&USAGE, &(account, region))?;
    Ok(found.map(|usage| (*usage).clone()).unwrap_or_default())
}

/// Changes what the owner of a function uses.
pub(crate) fn change(
    call: &mut Call<'_>,
    function: &Function,
    change: impl FnOnce(&mut Usage),
) -> Result<()> {
    change_of(call, &function.account, &function.region, change)
}

/// Changes what an account uses in a region.
pub(crate) fn change_of(
    call: &mut Call<'_>,
    account: &str,
    region: &str,
    change: impl FnOnce(&mut Usage),
) -> Result<()> {
    let mut usage = of(call, account, region)?;
    change(&mut usage);
    if usage.code_bytes > CODE_BYTES_MAX {
        return Err(code_storage_exceeded_exception("Code storage limit exceeded."));
    }
    call.put(&USAGE, &(account, region), usage)
}
