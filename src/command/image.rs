//! `ringwork image scan`: the credentials that were left in an image.

use http::Method;
use serde_json::Value;

use super::client::Client;
use crate::arguments::{Image, ImageTask};
use crate::control;
use crate::error::Error;

/// Scans an image and tells whether it is clean.
pub(crate) async fn run(options: &Image) -> Result<bool, Error> {
    let client = Client::of(&options.server)?;
    let ImageTask::Scan(options) = &options.task;
    let asked = control::Image {
        image: options.image.clone(),
        region: options.region.clone(),
    };
    let body = serde_json::to_vec(&asked).map_err(|error| Error::Pipeline(error.to_string()))?;
    let path = "/_ringwork/image-scan";
    let report: control::ImageReport = client.call(Method::POST, path, "", body).await?;
    if options.json {
        super::print_json(&report)?;
    } else {
        print(&report);
    }
    Ok(report.findings.is_empty())
}

fn print(report: &control::ImageReport) {
    for finding in &report.findings {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = finding.get("line").and_then(Value::as_u64);
        let place = line.map(|line| format!(":{line}")).unwrap_or_default();
        println!(
            "{:<8} /{}{place}  {}: {}",
            text("severity"),
            text("path"),
            text("rule"),
            text("excerpt")
        );
        if let Some(key) = finding.get("access_key") {
            let told = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
            println!(
                "         this key is {} in account {}",
                told("status").to_lowercase(),
                told("account")
            );
        }
        println!(
            "         {} (the {}'s side)",
            text("advice"),
            text("responsibility")
        );
    }
    for path in &report.cut {
        println!("/{path} was not read to its end.");
    }
    let count = report.findings.len();
    let more = if report.more { " and more" } else { "" };
    println!(
        "{} ({}): {} files, {} bytes, {count}{more} findings.",
        report.image, report.name, report.files, report.bytes
    );
}
