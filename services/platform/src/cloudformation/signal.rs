//! Signals: what was put to the URL of a wait condition's handle.
//!
//! Invariant: a signal is kept once for its own id, with the stack of its handle, and goes with the handle.

use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Table;
use wire::Fault;

use super::change::lives;
use super::hidden::Hidden;
use super::resource;
use super::stack::Stack;

/// Signals that a stack keeps: whoever has a URL could otherwise fill the store.
const SIGNALS_MAX: usize = 2000;

/// A signal, as rows keep it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// `Signal`, sealed.
    hidden: Hidden,
}

store::record!(Kept, 1);

/// A signal.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Signal {
    pub success: bool,
    pub reason: String,
    pub data: String,
}

/// By account, region, the stack's id, and the handle's id with the signal's own behind a line's end.
pub(crate) static SIGNALS: Table<(String, String, String, String), Kept> =
    Table::new(0x0640, "cloudformation.signals");

/// Keeps a signal, unless one with its id is there.
///
/// # Errors
/// `InvalidRequest` for what is no signal, or for no handle of the stack's.
pub(super) fn keep(call: &mut Call<'_>, stack: &Stack, handle: &str, body: Option<&[u8]>) -> Result<()> {
    let wrong = |what: &str| Fault::plain("InvalidRequest", 400, format!("A signal {what}."));
    let body = body.ok_or_else(|| wrong("is no longer than 4096 bytes"))?;
    let told: Value = serde_json::from_slice(body).map_err(|_| wrong("is an object of JSON"))?;
    let text = |name: &str| match told.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let success = match text("Status").as_str() {
        "SUCCESS" => true,
        "FAILURE" => false,
        _ => return Err(wrong("has the Status SUCCESS or FAILURE")),
    };
    let unique = text("UniqueId");
    if unique.is_empty() {
        return Err(wrong("has a UniqueId"));
    }
    if !stands(call, stack, handle)? {
        return Err(wrong("is for a handle that is there"));
    }
    let (account, region, uuid) = stack.place();
    let place = (account, region, uuid, format!("{handle}\n{unique}"));
    if call.get(&SIGNALS, &place)?.is_some() {
        return Ok(());
    }
    if call.range(&SIGNALS, &stack.bond(), None, SIGNALS_MAX)?.len() >= SIGNALS_MAX {
        return Err(wrong("is one too many for its stack"));
    }
    let signal = Signal {
        success,
        reason: text("Reason"),
        data: text("Data"),
    };
    let hidden = Hidden::seal(call, stack.bond(), &signal)?;
    call.put(&SIGNALS, &place, Kept { hidden })
}

/// Whether a stack has a handle of this id: its logical id with what was drawn for it.
fn stands(call: &mut Call<'_>, stack: &Stack, handle: &str) -> Result<bool> {
    let logical_id = handle.split('/').next().unwrap_or_default();
    let row = resource::find(call, stack, logical_id)?;
    let Some(row) = row.filter(|row| !stack.is_deleted() && lives(row)) else {
        return Ok(false);
    };
    let contents = row.contents(call, stack)?;
    Ok(contents.attributes.get("Id").and_then(Value::as_str) == Some(handle))
}

/// The signals of a handle, with their ids.
pub(crate) fn of(look: &mut Look<'_>, stack: &Stack, handle: &str) -> Result<Vec<(String, Signal)>> {
    let rows = look.range(&SIGNALS, &stack.bond(), None, SIGNALS_MAX)?;
    let mut found = Vec::new();
    for ((.., id), kept) in rows {
        let own = id.split_once('\n').filter(|(of, _)| *of == handle);
        if let Some((_, unique)) = own {
            found.push((unique.to_owned(), kept.hidden.open(look, stack.bond())?));
        }
    }
    Ok(found)
}

/// Forgets the signals of a handle.
pub(crate) fn forget(call: &mut Call<'_>, stack: &Stack, handle: &str) -> Result<()> {
    let (account, region, uuid) = stack.place();
    for (unique, _) in of(call, stack, handle)? {
        let place = (
            account.clone(),
            region.clone(),
            uuid.clone(),
            format!("{handle}\n{unique}"),
        );
        call.delete(&SIGNALS, &place)?;
    }
    Ok(())
}
