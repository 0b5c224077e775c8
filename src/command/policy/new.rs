//! `ringwork policy new`: the least policy that allows what a principal did, from the running server's ledger (S1.20).

use http::Method;

use crate::arguments::Server;
use crate::command::client::Client;
use crate::control::{Did, Made};
use crate::error::Error;

pub(super) async fn run(server: &Server, principal: &str, since: &str, resources: bool) -> Result<(), Error> {
    let did = Did {
        principal: principal.to_owned(),
        since: milliseconds(since)?,
        resources,
    };
    let body = serde_json::to_vec(&did).map_err(|error| Error::Pipeline(error.to_string()))?;
    let client = Client::of(server)?;
    let made: Made = client.call(Method::POST, "/_ringwork/policy", "", body).await?;
    if made.policies.is_empty() {
        return Err(Error::Usage(format!(
            "{} was allowed nothing between {} and {}",
            made.principal, made.from, made.to
        )));
    }
    for action in &made.unnamed {
        eprintln!(
            "ringwork: {action} was done on more resources than a policy should name; it is allowed on all"
        );
    }
    for policy in &made.policies {
        crate::command::print_json(policy)?;
    }
    Ok(())
}

/// `7d`, `12h`, `30m` or `45s` in milliseconds.
fn milliseconds(text: &str) -> Result<i64, Error> {
    let wrong = || Error::Usage(format!("--since takes a time such as 7d, 12h or 30m, not {text}"));
    let unit = match text.chars().last() {
        Some('d') => 86_400_000,
        Some('h') => 3_600_000,
        Some('m') => 60_000,
        Some('s') => 1000,
        _ => return Err(wrong()),
    };
    let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .filter(|time| *time > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(milliseconds("7d").ok(), Some(604_800_000));
        assert_eq!(milliseconds("30m").ok(), Some(1_800_000));
        for wrong in ["", "7", "d", "-1d", "0s", "1é", "99999999999999999d"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
