//! `ringwork keys`: the keys, who may use them, and what would be lost with each.

use std::io::IsTerminal as _;

use http::Method;

use super::client::Client;
use crate::arguments::Keys;
use crate::control::{KeyReport, KeysReport, Which};
use crate::error::Error;

/// Principals and resources of one key that are shown; the others are counted.
const SHOWN_MAX: usize = 20;

pub(crate) async fn run(options: &Keys) -> Result<(), Error> {
    let which = Which {
        key: options.key.clone(),
        account: options.account.clone(),
        region: options.region.clone(),
        limit: options.limit,
    };
    let body = serde_json::to_vec(&which).map_err(|error| Error::Pipeline(error.to_string()))?;
    let client = Client::of(&options.server)?;
    let report: KeysReport = client.call(Method::POST, "/_ringwork/keys", "", body).await?;
    if options.json {
        return super::print_json(&report);
    }
    if options.key.is_some() {
        report.keys.iter().for_each(whole);
        return Ok(());
    }
    if report.keys.is_empty() {
        println!("There are no keys.");
        return Ok(());
    }
    table(&report.keys);
    if report.more {
        println!("… and more: name an account, a region or a key.");
    }
    Ok(())
}

const HEADS: [&str; 8] = [
    "KEY", "STATE", "AGE", "ROTATES", "LAST USE", "USERS", "ENCRYPTS", "REGION",
];

/// Columns that are aligned for people, and separated by tabs for programs.
fn table(keys: &[KeyReport]) {
    let rows: Vec<[String; 8]> = keys.iter().map(row).collect();
    if !std::io::stdout().is_terminal() {
        println!("{}", HEADS.join("\t"));
        rows.iter().for_each(|row| println!("{}", row.join("\t")));
        return;
    }
    let mut widths = HEADS.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&HEADS.map(str::to_owned));
    rows.iter().for_each(line);
}

fn row(report: &KeyReport) -> [String; 8] {
    let key = &report.key;
    let dash = || "-".to_owned();
    let day = |time: &String| time.split('T').next().unwrap_or_default().to_owned();
    let name = key.aliases.first().unwrap_or(&key.id).clone();
    let state = match &key.deletion {
        Some(date) => format!("{} {}", key.state, day(date)),
        None => key.state.clone(),
    };
    let last = key.last_use.as_ref();
    [
        name,
        state,
        format!("{} d", key.age_days),
        key.next_rotation.as_ref().map_or_else(dash, day),
        last.map_or_else(|| "never".to_owned(), |used| day(&used.at)),
        report.who.as_ref().map_or_else(dash, |who| who.len().to_string()),
        radius(report),
        key.region.clone(),
    ]
}

/// `2 secrets, 1 parameter`
fn radius(report: &KeyReport) -> String {
    let counted = report.blast_radius.iter().map(|(kind, count)| {
        let noun = kind.rsplit("::").next().unwrap_or_default().to_lowercase();
        let many = if *count == 1 { "" } else { "s" };
        format!("{count} {noun}{many}")
    });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() {
        return "nothing".to_owned();
    }
    counted.join(", ")
}

fn whole(report: &KeyReport) {
    let key = &report.key;
    println!("{}", key.arn);
    let line = |name: &str, value: &str| println!("  {name:<14}{value}");
    let optional = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            line(name, value);
        }
    };
    if !key.aliases.is_empty() {
        line("aliases", &key.aliases.join(", "));
    }
    if !key.description.is_empty() {
        line("description", &key.description);
    }
    line("state", &key.state);
    line("kind", &format!("{}, {}, {}", key.spec, key.usage, key.origin));
    line("managed by", &key.manager);
    line("created", &format!("{} ({} days ago)", key.created, key.age_days));
    optional("rotates", &key.next_rotation);
    optional("expires", &key.material_expires);
    optional("destroyed", &key.deletion);
    let last = key.last_use.as_ref();
    line(
        "last use",
        &last.map_or_else(
            || "never".to_owned(),
            |used| format!("{}, {}", used.at, used.operation),
        ),
    );
    line("encrypts", &radius(report));
    several(&report.encrypts, Clone::clone);
    match &report.who {
        None => line("may use it", "there are too many principals to ask about each"),
        Some(who) => {
            line("may use it", &format!("{} by {}", who.len(), key.action));
            several(who, |who| {
                let through = if who.through.is_empty() {
                    String::new()
                } else {
                    format!(", as {}", who.through.join(", then "))
                };
                let condition = if who.conditionally {
                    ", under conditions"
                } else {
                    ""
                };
                format!("{}{through}{condition}", who.arn)
            });
        }
    }
}

fn several<T>(items: &[T], shown: impl Fn(&T) -> String) {
    for item in items.iter().take(SHOWN_MAX) {
        println!("      {}", shown(item));
    }
    if items.len() > SHOWN_MAX {
        println!("      … and {} more", items.len() - SHOWN_MAX);
    }
}
