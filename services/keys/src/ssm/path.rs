//! `GetParametersByPath`: what lies under a path of the hierarchy (S10.9, S10.11).
//!
//! Invariant: the decision is about the path that was asked for; what lies under it is not asked for again, as on AWS.

use api::ssm as model;
use pipeline::resource::Denoted;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use crate::ssm::filter::{self, Filters};
use crate::ssm::page::Page;
use crate::ssm::parameter::{Named, Parameter};
use crate::ssm::scan::{Step, scan};
use crate::ssm::{name, public, read};

/// Parameters on a page, at most and unless told.
const PAGE: usize = 10;
/// Sorts behind every character of a name.
const END: char = '\x7f';

/// Reads the parameters under a path: of the next level, or of all.
pub struct GetParametersByPath;

impl Operation for GetParametersByPath {
    type Input = model::GetParametersByPathRequest;
    type Output = model::GetParametersByPathResult;
    type Target = Denoted;
    const ACCESS: Access = Access::read("ssm:GetParametersByPath");
    const CONDITIONS: &'static [&'static str] = &["ssm:Recursive"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = name::arn(look.region(), look.account(), &input.path);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let recursive = input.recursive.unwrap_or(false);
        context.insert("ssm:Recursive", if recursive { "true" } else { "false" });
    }

    fn handle(call: &mut Call<'_>, _path: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        name::expect_path(&input.path)?;
        let filters = Filters::read(input.parameter_filters.unwrap_or_default(), filter::BY_PATH)?;
        let recursive = input.recursive.unwrap_or(false);
        let list = format!(
            "GetParametersByPath {} {recursive} {}",
            input.path,
            filters.summary()
        );
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results, PAGE)?;
        let inner = input.path.trim_matches('/');
        let prefix = if inner.is_empty() {
            String::new()
        } else {
            format!("/{inner}/")
        };
        let choose = |parameter: &Parameter| match deeper(&parameter.name, &prefix) {
            Some(end) if !recursive => Step::PassUntil(end),
            _ if filters.match_all(parameter) => Step::Take,
            _ => Step::Pass,
        };
        let (found, next_token) = if public::is_public(&input.path) {
            public::scan(call, &prefix, &page, choose)?
        } else {
            scan(call, &prefix, &page, choose)?
        };
        let mut parameters = Vec::new();
        for parameter in found {
            let arn = name::arn(call.region(), call.account(), &parameter.name);
            let label = filters.label(&parameter);
            let named = Named::exactly(call, &parameter.name)?;
            let number = label
                .as_ref()
                .map_or(parameter.newest.number, |(_, number)| *number);
            let version = named.numbered(call, &parameter, number)?;
            let suffix = label.map(|(label, _)| format!(":{label}"));
            let decrypt = input.with_decryption;
            parameters.push(read::shown(
                call,
                (arn, parameter.name.clone(), suffix),
                version,
                decrypt,
            )?);
        }
        Ok(model::GetParametersByPathResult {
            parameters: Some(parameters),
            next_token,
        })
    }
}

/// Where the level ends that a name deeper than the next level under a path belongs to.
fn deeper(name: &str, prefix: &str) -> Option<String> {
    let prefix = if prefix.is_empty() && name.starts_with('/') {
        "/"
    } else {
        prefix
    };
    let (level, _) = name.strip_prefix(prefix)?.split_once('/')?;
    Some(format!("{prefix}{level}/{END}"))
}
