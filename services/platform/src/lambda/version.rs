//! Published versions: what never changes any more.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault::{expect_none, invalid, stale};
use super::function::{Configuration, Function, FunctionTarget, LATEST, VERSIONS, to_change};
use super::layer::used;
use super::naming::{missing, resolve, resolve_whole};
use super::{code, environment, page};

/// Publishes `$LATEST`, unless nothing has changed since the last version, which then is the answer. Gives the version and its number.
pub(crate) fn publish(
    call: &mut Call<'_>,
    function: &mut Function,
    description: Option<String>,
) -> Result<(Configuration, Option<String>)> {
    let digest = function.latest.digest()?;
    let (account, region, name) = function.place();
    if function.published_of.as_ref() == Some(&digest) {
        let place = (
            account.as_str(),
            region.as_str(),
            name.as_str(),
            function.published,
        );
        if let Some(last) = call.get(&VERSIONS, &place)? {
            return Ok(((*last).clone(), Some(function.published.to_string())));
        }
    }
    let mut version = function.latest.clone();
    function.published += 1;
    function.published_of = Some(digest);
    version.version = function.published;
    version.revision = call.uuid()?;
    version.modified = call.now.0;
    if let Some(description) = description {
        version.description = description;
    }
    let (sha256, size) = (version.code_sha256.clone(), version.code_bytes);
    code::share(call, function, &sha256, size)?;
    used::hold(call, function, &version.layers)?;
    call.put(
        &VERSIONS,
        &(account, region, name, function.published),
        version.clone(),
    )?;
    function.latest.revision = call.uuid()?;
    Ok((version, Some(function.published.to_string())))
}

/// Makes a version of `$LATEST`.
pub struct PublishVersion;

impl Operation for PublishVersion {
    type Input = model::PublishVersionRequest;
    type Output = model::FunctionConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:PublishVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        expect_none("PublishTo", input.publish_to.is_some())?;
        let mut function = to_change(&target);
        if input
            .revision_id
            .is_some_and(|revision| revision != function.latest.revision)
        {
            return Err(stale("GetFunction/GetAlias"));
        }
        let held = &function.latest.code_sha256;
        if let Some(wanted) = input
            .code_sha256
            .filter(|wanted| !wanted.is_empty() && wanted != held)
        {
            return Err(invalid(format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({held}). Please try again with the CodeSHA256 \
                 in $LATEST."
            )));
        }
        let (version, qualifier) = publish(call, &mut function, input.description)?;
        let mut answer = version.shown(&function, qualifier.as_deref());
        answer.environment = environment::shown(call, &function, &version)?;
        function.keep(call)?;
        Ok(answer)
    }
}

/// Lists `$LATEST` and the published versions.
pub struct ListVersionsByFunction;

impl Operation for ListVersionsByFunction {
    type Input = model::ListVersionsByFunctionRequest;
    type Output = model::ListVersionsByFunctionResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::list("lambda:ListVersionsByFunction");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, None)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        if target.created == 0 {
            return Err(missing(&target.arn(None)));
        }
        let list = format!("ListVersionsByFunction {}", target.arn(None));
        let after = page::after(call, &list, input.marker.as_deref())?;
        let limit = page::size(input.max_items);
        let after: Option<u64> = after.and_then(|place| place.parse().ok());
        let mut versions = Vec::new();
        if after.is_none() {
            versions.push(target.latest.shown(&target, Some(LATEST)));
        }
        let (account, region, name) = target.place();
        let prefix = (account.as_str(), region.as_str(), name.as_str());
        let behind = after.map(|number| (account.clone(), region.clone(), name.clone(), number));
        let rows = call.range(&VERSIONS, &prefix, behind.as_ref(), limit + 1)?;
        let room = limit - versions.len();
        let more = rows.len() > room;
        let mut last = after.unwrap_or_default();
        for ((.., number), version) in rows.into_iter().take(room) {
            versions.push(version.shown(&target, Some(&number.to_string())));
            last = number;
        }
        let next_marker = if more {
            Some(page::marker(call, &list, &last.to_string())?)
        } else {
            None
        };
        Ok(model::ListVersionsByFunctionResponse {
            next_marker,
            versions: Some(versions),
        })
    }
}
