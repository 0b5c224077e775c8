//! The lineage of invocations: which functions a chain of requests has invoked, and how often. A loop ends.
//!
//! The chain is told by `X-Amzn-Trace-Id`: a function gets it with its event, the AWS SDKs send it on with what the function asks, a
//! destination gets it with the record, and S3 hands it on to the functions that it tells of what was written. What a function does not
//! send on cannot be counted.
//!
//! Invariant: a chain that Lambda itself makes (destinations) ends, whatever the functions do, unless a function allows recursion.
//!
//! Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops"; X-Ray Developer Guide, "Tracing header".

use pipeline::{Call, Result};

use crate::lambda::fault;
use crate::lambda::function::Function;

/// How often a function may be invoked in one chain of requests.
pub(crate) const TIMES_MAX: u32 = 16;
/// Functions of a chain that are counted. One that has invoked more different ones counts as a loop.
const FUNCTIONS_MAX: usize = 128;

/// By what a function is known in a lineage.
fn mark(function: &Function) -> String {
    let digest = crypto::digest::hex(&crypto::digest::sha256(function.arn(None).as_bytes()));
    digest.chars().take(8).collect()
}

/// The value of a member of the header.
fn member<'a>(trace: &'a str, name: &str) -> Option<&'a str> {
    trace
        .split(';')
        .filter_map(|member| member.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// The functions of a chain and how often each was invoked; what cannot be read is passed over.
fn lineage(trace: &str) -> Vec<(&str, u32)> {
    let members = member(trace, "Lineage")
        .into_iter()
        .flat_map(|all| all.split('|'));
    members
        .filter_map(|one| one.rsplit_once(':'))
        .filter_map(|(mark, times)| Some((mark, times.parse().ok()?)))
        .filter(|(mark, _)| mark.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'))
        .take(FUNCTIONS_MAX)
        .collect()
}

/// `1-58406520-a006649127e371903a2de979`
fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    let lengths = [1, 8, 24];
    lengths.iter().all(|length| {
        let part = parts.next().unwrap_or_default();
        part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    }) && parts.next().is_none()
}

/// The chain of the call with one more invocation of a function, as a header.
pub(crate) fn joined(call: &Call<'_>, function: &Function) -> Result<String> {
    let given = call.trace().unwrap_or_default();
    let drawn = call.uuid()?.replace('-', "");
    let (parent, rest) = drawn.split_at_checked(16).unwrap_or((&drawn, ""));
    let root = match member(given, "Root").filter(|root| is_root(root)) {
        Some(root) => root.to_owned(),
        None => {
            let more = call.uuid()?.replace('-', "");
            let random: String = more.chars().chain(rest.chars()).take(24).collect();
            format!("1-{:08x}-{random}", call.now.0.div_euclid(1000))
        }
    };
    let (own, mut known) = (mark(function), lineage(given));
    let full = known.len() >= FUNCTIONS_MAX;
    match known.iter_mut().find(|(mark, _)| *mark == own) {
        Some((_, times)) => *times = times.saturating_add(1),
        None if full => known.insert(0, (&own, TIMES_MAX + 1)),
        None => known.push((&own, 1)),
    }
    let told: Vec<_> = known
        .iter()
        .map(|(mark, times)| format!("{mark}:{times}"))
        .collect();
    Ok(format!(
        "Root={root};Parent={parent};Sampled=0;Lineage={}",
        told.join("|")
    ))
}

/// How often a chain has invoked a function.
pub(crate) fn times(trace: Option<&str>, function: &Function) -> u32 {
    let own = mark(function);
    let known = trace.map(lineage).unwrap_or_default();
    known
        .into_iter()
        .find_map(|(mark, times)| (mark == own).then_some(times))
        .unwrap_or_default()
}

/// Refuses an invocation of a function that its chain has invoked too often.
pub(crate) fn expect_no_loop(trace: &str, function: &Function) -> Result<()> {
    if times(Some(trace), function) <= TIMES_MAX || function.recursion_allowed {
        return Ok(());
    }
    Err(fault::recursive())
}

#[cfg(test)]
mod tests {
    use super::{is_root, lineage, member};

    #[test]
    fn headers_are_read() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2";
        assert!(is_root(member(header, "Root").unwrap()));
        assert_eq!(
            lineage(header),
            [("a87bd80c", 1), ("68fd508a", 5), ("c512fbe3", 2)]
        );
        assert!(lineage("Lineage=x|a:b|;y:1:z|<:1").is_empty());
        assert!(!is_root("1-5759e988-bd862e3fe1be46a994272793-1"));
    }
}
