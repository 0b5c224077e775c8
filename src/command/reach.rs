//! `ringwork who can ACTION on ARN` and `ringwork what can ARN do`.

use std::collections::BTreeMap;

use http::Method;
use identity::reach::{Able, Escalation, Granted, Need, WhatCan, WhoCan};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Client;
use crate::arguments::{Reach, Server};
use crate::control::{What, Who};
use crate::error::Error;

/// Actions of one line; the others are counted.
const ACTIONS_SHOWN: usize = 8;

pub(crate) async fn who(options: &Reach) -> Result<(), Error> {
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let ["can", action, "on", resource] = words.as_slice() else {
        return Err(Error::Usage("say: ringwork who can ACTION on ARN".to_owned()));
    };
    let question = Who {
        action: (*action).to_owned(),
        resource: (*resource).to_owned(),
        with: with(&options.with)?,
    };
    let answer: WhoCan = ask(&options.server, "/_ringwork/who-can", &question).await?;
    if options.json {
        return super::print_json(&answer);
    }
    let (can, of) = (answer.can.len(), answer.asked);
    println!(
        "{can} of {of} principals can {} on {}",
        answer.action, answer.resource
    );
    answer.can.iter().for_each(able);
    if !answer.conditionally.is_empty() {
        println!(
            "\n{} more could, if the request met conditions:",
            answer.conditionally.len()
        );
        answer.conditionally.iter().for_each(able);
    }
    Ok(())
}

pub(crate) async fn what(options: &Reach) -> Result<(), Error> {
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let ["can", principal, "do"] = words.as_slice() else {
        return Err(Error::Usage("say: ringwork what can ARN do".to_owned()));
    };
    let question = What {
        principal: (*principal).to_owned(),
        with: with(&options.with)?,
    };
    let answer: WhatCan = ask(&options.server, "/_ringwork/what-can", &question).await?;
    if options.json {
        return super::print_json(&answer);
    }
    println!("{}", answer.principal);
    if answer.administrator {
        println!("  may do everything on everything");
    }
    answer.granted.iter().for_each(granted);
    for refused in &answer.refused {
        println!(
            "  {}: {} actions on {} are granted, and then refused by another policy",
            refused.service, refused.actions, refused.resource
        );
    }
    if answer.granted.is_empty() && !answer.administrator {
        println!("  no policy of its own allows it anything");
    }
    for role in &answer.roles {
        let everything = if role.administrator {
            ", which may do everything"
        } else {
            ""
        };
        println!("  can become {}{}{everything}", role.arn, through(&role.through));
        needs(&role.needs);
    }
    answer.escalations.iter().for_each(escalation);
    Ok(())
}

async fn ask<T: DeserializeOwned>(
    server: &Server,
    path: &str,
    question: &impl Serialize,
) -> Result<T, Error> {
    let body = serde_json::to_vec(question).map_err(|error| Error::Pipeline(error.to_string()))?;
    Client::of(server)?.call(Method::POST, path, "", body).await
}

/// `--with KEY=VALUE`, as often as a key has values.
pub(super) fn with(pairs: &[String]) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut with: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in pairs {
        let (key, value) = pair
            .split_once('=')
            .filter(|(key, _)| key.contains(':'))
            .ok_or_else(|| Error::Usage(format!("--with takes KEY=VALUE, not {pair}")))?;
        with.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Ok(with)
}

fn able(able: &Able) {
    println!("  {}{}", able.arn, through(&able.through));
    if able.way.needs.is_empty() {
        if able.way.origin.is_empty() {
            println!("      by {}", able.way.layer);
        } else {
            println!(
                "      by statement {} of {} ({})",
                able.way.statement + 1,
                able.way.origin,
                able.way.layer
            );
        }
    }
    needs(&able.way.needs);
}

fn granted(granted: &Granted) {
    let shown = granted.actions.iter().take(ACTIONS_SHOWN);
    let names: Vec<&str> = shown.map(String::as_str).collect();
    let actions = match granted.actions.len() {
        all if all == granted.of => format!("all {all} actions"),
        more if more > ACTIONS_SHOWN => format!("{} and {} more", names.join(" "), more - ACTIONS_SHOWN),
        _ => names.join(" "),
    };
    let statement = granted.statement + 1;
    println!("  {}: {actions}", granted.service);
    println!(
        "      on {} by statement {statement} of {}",
        granted.resource, granted.origin
    );
    needs(&granted.needs);
}

fn escalation(way: &Escalation) {
    println!(
        "  could gain more by {} ({}, {}){}",
        way.name,
        way.id,
        way.category,
        through(&way.through)
    );
    for target in &way.targets {
        println!("      on {target}");
    }
}

fn through(roles: &[String]) -> String {
    if roles.is_empty() {
        return String::new();
    }
    format!(", as {}", roles.join(", then "))
}

fn needs(needs: &[Need]) {
    for need in needs {
        println!(
            "      if {} {} {} ({})",
            need.key,
            need.operator,
            need.values.join(" or "),
            need.origin
        );
    }
}
