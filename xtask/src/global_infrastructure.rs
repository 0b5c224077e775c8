//! `cargo xtask global-infrastructure REGIONS SERVICES DATE`: AWS's regions, zones and endpoints in the compact form that
//! `services/keys` embeds.
//!
//! The files are JSON: the trees under `/aws/service/global-infrastructure`, a `Value` at every level. Invariant: the same files
//! give the same bytes, so that a rewrite shows only what AWS changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Map, Value};

use crate::models::{root, write};

/// AWS's regions that answer for the path (Systems Manager User Guide, "Calling public parameters for AWS services, Regions, …").
const ANSWERING: [&str; 17] = [
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Services whose word in the tree is not the name of their model.
const NAMED: [(&str, &str); 4] = [
    ("ce", "costexplorer"),
    ("elbv2", "elb"),
    ("macie2", "macie"),
    ("wafv2", "waf"),
];

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [regions, services, date] = arguments else {
        return Err("global-infrastructure takes two files and the date of their data".into());
    };
    let text = compact(
        &tree(regions, "regions")?,
        &tree(services, "services")?,
        date,
        &models()?,
    )?;
    let file = root().join("services/keys/data/global-infrastructure.tsv");
    write(&file, text.as_bytes())
}

/// The level that the file is about.
fn tree(file: &str, level: &str) -> Result<Map<String, Value>, String> {
    let text = fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let whole: Value = serde_json::from_slice(&text).map_err(|e| format!("{file}: {e}"))?;
    let found = whole.pointer(&format!("/aws/service/global-infrastructure/{level}"));
    let found = found.and_then(Value::as_object).cloned();
    found.ok_or_else(|| format!("{file}: has no {level}"))
}

/// The names of the models that there are.
fn models() -> Result<Vec<String>, String> {
    let entries = fs::read_dir(root().join("models")).map_err(|e| e.to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| e.to_string())?.file_name();
        if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json.gz")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The regions, a line each; then the services that have a model, each with a line for every pattern of its endpoints.
fn compact(
    regions: &Map<String, Value>,
    services: &Map<String, Value>,
    date: &str,
    models: &[String],
) -> Result<String, String> {
    let mut text = format!("dated\t{date}\n");
    for (name, region) in sorted(regions) {
        let answers = if ANSWERING.contains(&name.as_str()) {
            "yes"
        } else {
            "no"
        };
        let mut fields = vec!["region".to_owned(), name.clone(), answers.to_owned()];
        for leaf in [
            "longName",
            "domain",
            "geolocationCountry",
            "geolocationRegion",
            "partition",
        ] {
            fields.push(value(region, leaf).ok_or_else(|| format!("{name}: has no {leaf}"))?);
        }
        for zones in ["availability-zones", "local-zones", "wavelength-zones"] {
            fields.push(children(region, zones).join(" "));
        }
        line(&mut text, &fields)?;
    }
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for model in models {
        let other = NAMED.iter().find(|(of, _)| of == model);
        named
            .entry(other.map_or(model, |(_, name)| name))
            .or_default()
            .push(model);
    }
    for (name, models) in named {
        let Some(service) = services.get(name) else {
            continue;
        };
        let long = value(service, "longName").ok_or_else(|| format!("{name}: has no longName"))?;
        let page = value(service, "marketingHomeURL").unwrap_or_default();
        let fields = [
            "service".to_owned(),
            name.to_owned(),
            models.join(" "),
            long,
            page,
        ];
        line(&mut text, &fields)?;
        offers(&mut text, regions, service)?;
    }
    Ok(text)
}

/// Where the service before is offered: pattern of the endpoint, protocols, regions.
fn offers(text: &mut String, regions: &Map<String, Value>, service: &Value) -> Result<(), String> {
    let mut offers: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let none = Map::new();
    let places = service.get("regions").and_then(Value::as_object).unwrap_or(&none);
    for (name, place) in sorted(places) {
        let domain = regions.get(name).and_then(|region| value(region, "domain"));
        let mut host = value(place, "endpoint").unwrap_or_default();
        if let Some(front) = domain
            .as_ref()
            .and_then(|domain| host.strip_suffix(domain.as_str()))
        {
            host = format!("{front}{{domain}}");
        }
        host = host.replace(&format!(".{name}."), ".{region}.");
        let protocols = value(place, "protocols").unwrap_or_default();
        offers.entry((host, protocols)).or_default().push(name.clone());
    }
    for ((host, protocols), places) in offers {
        line(text, &["offer".to_owned(), host, protocols, places.join(" ")])?;
    }
    Ok(())
}

fn sorted(map: &Map<String, Value>) -> BTreeMap<&String, &Value> {
    map.iter().collect()
}

fn value(level: &Value, leaf: &str) -> Option<String> {
    level.get(leaf)?.get("Value")?.as_str().map(str::to_owned)
}

fn children(level: &Value, name: &str) -> Vec<String> {
    let found = level.get(name).and_then(Value::as_object);
    let mut names: Vec<String> = found
        .into_iter()
        .flat_map(Map::keys)
        .filter(|name| *name != "Value")
        .cloned()
        .collect();
    names.sort();
    names
}

fn line(text: &mut String, fields: &[String]) -> Result<(), String> {
    if let Some(field) = fields.iter().find(|field| field.contains(['\t', '\n'])) {
        return Err(format!("{field:?} cannot be a field"));
    }
    writeln!(text, "{}", fields.join("\t")).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn endpoints_that_differ_only_in_their_region_share_a_line() {
        let region = |name: &str, domain: &str| {
            let leaf = |text: &str| json!({ "Value": text });
            json!({
                "Value": name, "longName": leaf("N"), "domain": leaf(domain), "geolocationCountry": leaf("US"),
                "geolocationRegion": leaf("US-VA"), "partition": leaf("aws"),
                "availability-zones": { "z-az2": leaf("z-az2"), "z-az1": leaf("z-az1") },
            })
        };
        let regions = json!({ "us-east-1": region("us-east-1", "a.com"), "cn-north-1": region("cn-north-1", "a.com.cn") });
        let offer = |host: &str| json!({ "endpoint": { "Value": host }, "protocols": { "Value": "HTTPS" } });
        let services = json!({
            "kms": { "longName": { "Value": "KMS" }, "regions": {
                "us-east-1": offer("kms.us-east-1.a.com"), "cn-north-1": offer("kms.cn-north-1.a.com.cn"),
            } },
            "unmodeled": { "longName": { "Value": "?" } },
        });
        let (Value::Object(regions), Value::Object(services)) = (regions, services) else {
            panic!("both are objects");
        };
        let text = compact(&regions, &services, "2026-10-27", &["kms".to_owned()]).unwrap();
        assert_eq!(
            text,
            "dated\t2026-10-27\n\
             region\tcn-north-1\tno\tN\ta.com.cn\tUS\tUS-VA\taws\tz-az1 z-az2\t\t\n\
             region\tus-east-1\tyes\tN\ta.com\tUS\tUS-VA\taws\tz-az1 z-az2\t\t\n\
             service\tkms\tkms\tKMS\t\n\
             offer\tkms.{region}.{domain}\tHTTPS\tcn-north-1 us-east-1\n"
        );
    }
}
