//! `ringwork why`: the ladder of layers behind a recorded decision.

use http::Method;
use serde_json::Value;

use super::client::Client;
use crate::arguments::Why;
use crate::control::Question;
use crate::error::Error;

pub(crate) async fn run(options: &Why) -> Result<(), Error> {
    let Some(given) = &options.id else {
        return described(options).await;
    };
    let id: String = given
        .chars()
        .filter(|letter| letter.is_ascii_hexdigit() || *letter == '-')
        .collect();
    if id != *given || id.len() != 36 {
        return Err(Error::Usage(format!("{given} is not a request id")));
    }
    let client = Client::of(&options.server)?;
    let report: Value = client
        .call(Method::GET, "/_ringwork/why", &format!("id={id}"), Vec::new())
        .await?;
    if options.json {
        return super::print_json(&report);
    }
    print(&report);
    Ok(())
}

/// Asks for the verdict on a request that nobody made.
async fn described(options: &Why) -> Result<(), Error> {
    let question = Question {
        caller: options.caller.clone().unwrap_or_default(),
        action: options.action.clone().unwrap_or_default(),
        resource: options.resource.clone(),
        with: super::reach::with(&options.with)?,
    };
    let body = serde_json::to_vec(&question).map_err(|error| Error::Pipeline(error.to_string()))?;
    let client = Client::of(&options.server)?;
    let report: Value = client.call(Method::POST, "/_ringwork/why", "", body).await?;
    if options.json {
        return super::print_json(&report);
    }
    print_decisions(&report);
    Ok(())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn print(report: &Value) {
    let caller = text(report, "/record/caller/arn");
    println!(
        "{} {}",
        text(report, "/record/source"),
        text(report, "/record/operation")
    );
    println!(
        "  by       {}",
        if caller.is_empty() {
            "a caller whom no credential vouched for"
        } else {
            caller
        }
    );
    println!(
        "  account  {} in {}",
        text(report, "/record/account"),
        text(report, "/record/region")
    );
    match report.pointer("/record/error") {
        Some(error) => println!("  answer   {}: {}", text(error, "/code"), text(error, "/message")),
        None => println!("  answer   success"),
    }
    println!();
    print_decisions(report);
}

fn print_decisions(report: &Value) {
    let decisions = report
        .get("decisions")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if decisions.is_empty() {
        println!("No policy was asked: the call was answered, or refused, without a decision.");
    }
    for (number, decision) in decisions.iter().enumerate() {
        if number > 0 {
            println!();
        }
        println!("{}", text(decision, "/ladder").trim_end());
        let advice = text(decision, "/advice").trim_end();
        if !advice.is_empty() {
            println!("\n{advice}");
        }
    }
}
