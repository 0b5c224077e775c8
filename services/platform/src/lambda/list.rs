//! The list of an account's functions in a region.

use api::lambda as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::fault::invalid;
use super::function::{FUNCTIONS, LATEST, VERSIONS};
use super::page;

/// Lists functions, or all their versions. Variables are shown with one function alone.
pub struct ListFunctions;

impl Operation for ListFunctions {
    type Input = model::ListFunctionsRequest;
    type Output = model::ListFunctionsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("lambda:ListFunctions");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let all = input.function_version.is_some();
        if let Some(master) = &input.master_region {
            if !all {
                return Err(invalid(
                    "FunctionVersion must be ALL when MasterRegion is specified.",
                ));
            }
            if master != "ALL" {
                // No function here is a replica of one elsewhere, which are those of Lambda@Edge.
                return answer(call, "", Vec::new(), None);
            }
        }
        let list = if all { "ListFunctions ALL" } else { "ListFunctions" };
        let after = page::after(call, list, input.marker.as_deref())?;
        let limit = page::size(input.max_items);
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        // A place is the function's name, and with all versions the number of the one that came last; `$LATEST` comes first.
        let (name, number) = match &after {
            Some(place) if all => match place.split_once(' ') {
                Some((name, number)) => (Some(name.to_owned()), number.parse::<u64>().ok()),
                None => (None, None),
            },
            Some(place) => (Some(place.clone()), None),
            None => (None, None),
        };
        let mut shown = Vec::new();
        let mut place = String::new();
        if let (Some(name), Some(number)) = (&name, number)
            && let Some(function) =
                call.get(&FUNCTIONS, &(account.as_str(), region.as_str(), name.as_str()))?
        {
            let behind = (account.clone(), region.clone(), name.clone(), number);
            let prefix = (account.as_str(), region.as_str(), name.as_str());
            for ((.., number), version) in call.range(&VERSIONS, &prefix, Some(&behind), limit + 1)? {
                if shown.len() == limit {
                    return answer(call, list, shown, Some(&place));
                }
                shown.push(version.shown(&function, Some(&number.to_string())));
                place = format!("{name} {number}");
            }
        }
        let behind = name.map(|name| (account.clone(), region.clone(), name));
        let prefix = (account.as_str(), region.as_str());
        for ((_, _, name), function) in call.range(&FUNCTIONS, &prefix, behind.as_ref(), limit + 1)? {
            if shown.len() == limit {
                return answer(call, list, shown, Some(&place));
            }
            shown.push(function.latest.shown(&function, all.then_some(LATEST)));
            place.clone_from(&name);
            if !all {
                continue;
            }
            place = format!("{name} 0");
            let prefix = (account.as_str(), region.as_str(), name.as_str());
            for ((.., number), version) in call.range(&VERSIONS, &prefix, None, limit + 1)? {
                if shown.len() == limit {
                    return answer(call, list, shown, Some(&place));
                }
                shown.push(version.shown(&function, Some(&number.to_string())));
                place = format!("{name} {number}");
            }
        }
        answer(call, list, shown, None)
    }
}

fn answer(
    look: &Look<'_>,
    list: &str,
    mut functions: Vec<model::FunctionConfiguration>,
    place: Option<&str>,
) -> Result<model::ListFunctionsResponse> {
    // What only an answer about one function says (API Reference, `ListFunctions`).
    for function in &mut functions {
        function.state = None;
        function.last_update_status = None;
    }
    Ok(model::ListFunctionsResponse {
        next_marker: place.map(|place| page::marker(look, list, place)).transpose()?,
        functions: Some(functions),
    })
}

/// Functions looked at for one name.
const LOOKED_MAX: usize = 1000;

/// The ARNs of an account's functions that a person means by a name, in one region or any; an ARN means itself if it is one's.
///
/// # Errors
/// The store's, as a fault.
pub fn named(look: &mut Look<'_>, account: &str, region: Option<&str>, name: &str) -> Result<Vec<String>> {
    if let Some(arn) = policy::Arn::parse(name) {
        let plain = arn.resource().strip_prefix("function:").unwrap_or_default();
        let plain = plain.split(':').next().unwrap_or_default();
        let found = look.get(&FUNCTIONS, &(arn.account(), arn.region(), plain))?;
        return Ok(found.map(|function| function.arn(None)).into_iter().collect());
    }
    if let Some(region) = region {
        let found = look.get(&FUNCTIONS, &(account, region, name))?;
        return Ok(found.map(|function| function.arn(None)).into_iter().collect());
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&FUNCTIONS, &(account,), after.as_ref(), LOOKED_MAX)?;
        let more = rows.len() == LOOKED_MAX;
        after = rows.last().map(|(place, _)| place.clone());
        let same = rows.iter().filter(|(place, _)| place.2 == name);
        found.extend(same.map(|(_, function)| function.arn(None)));
        if !more {
            return Ok(found);
        }
    }
}
