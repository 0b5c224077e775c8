//! `AWS::Lambda::Function`: code that stands in the template, or lies in a bucket.
//!
//! Source: CloudFormation Template Reference, "AWS::Lambda::Function", "AWS::Lambda::Function Code".
//!
//! Invariant: the zip that is made of inline code is the same whenever it is made of the same code.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::Result;
use serde_json::{Map, Value, json};
use wire::Fault;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::difference::{differs, same, tags};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, invalid};

const SERVICE: &str = "lambda";
/// Bytes of a function's name.
const NAME_MAX: usize = 64;
/// Characters of inline code.
const INLINE_MAX: usize = 4 << 20;

/// What is set with a function and changed by `UpdateFunctionConfiguration`, under the same name in both.
const CONFIGURATION: [&str; 16] = [
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];

pub(crate) struct Function;

impl ResourceType for Function {
    fn system_tags(&self) -> bool {
        true
    }

    described!(
        "AWS::Lambda::Function",
        [
            Property::new("Architectures"),
            Property::new("Code").required(),
            Property::new("CodeSigningConfigArn"),
            Property::new("DeadLetterConfig"),
            Property::new("Description"),
            Property::new("Environment"),
            Property::new("EphemeralStorage"),
            Property::new("FileSystemConfigs"),
            Property::fixed("FunctionName"),
            Property::new("Handler"),
            Property::new("ImageConfig"),
            Property::new("KmsKeyArn"),
            Property::new("Layers"),
            Property::new("LoggingConfig"),
            Property::new("MemorySize"),
            Property::fixed("PackageType"),
            Property::new("ReservedConcurrentExecutions"),
            Property::new("Role").required(),
            Property::new("Runtime"),
            Property::new("SnapStart"),
            Property::new("Tags"),
            Property::new("Timeout"),
            Property::new("TracingConfig"),
            Property::new("VpcConfig"),
        ],
        ["Arn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("FunctionName")
            .unwrap_or_else(|| wanted.physical_name(NAME_MAX));
        let mut input = wanted.pick(&CONFIGURATION);
        input.extend(wanted.pick(&["Architectures", "CodeSigningConfigArn", "PackageType"]));
        input.insert("FunctionName".to_owned(), name.clone().into());
        input.insert("Code".to_owned(), Value::Object(code(wanted)?));
        if let Some(key) = wanted.property("KmsKeyArn") {
            input.insert("KMSKeyArn".to_owned(), key.clone());
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), map(&tags));
        }
        let made = services.invoke(SERVICE, "CreateFunction", Value::Object(input))?;
        let arn = answered(&made, "/FunctionArn")?;
        reserve(services, wanted, &name, None)?;
        Ok(Made::new(name).with("Arn", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        // The index file is named by the runtime, so another runtime may want another zip.
        let renamed = differs(existing, wanted, "Runtime");
        if differs(existing, wanted, "Code") || differs(existing, wanted, "Architectures") || renamed {
            let mut input = code(wanted)?;
            input.insert("FunctionName".to_owned(), name.into());
            input.extend(wanted.pick(&["Architectures"]));
            services.invoke(SERVICE, "UpdateFunctionCode", Value::Object(input))?;
        }
        let changed = CONFIGURATION.iter().any(|name| differs(existing, wanted, name));
        if changed || differs(existing, wanted, "KmsKeyArn") {
            let mut input = wanted.pick(&CONFIGURATION);
            defaults(&mut input, existing.properties);
            let key = wanted.text("KmsKeyArn").unwrap_or_default();
            input.insert("KMSKeyArn".to_owned(), key.into());
            input.insert("FunctionName".to_owned(), name.into());
            services.invoke(SERVICE, "UpdateFunctionConfiguration", Value::Object(input))?;
        }
        reserve(services, wanted, name, Some(existing))?;
        let tags = tags(existing, wanted, "Tags");
        let arn = existing.attributes.get("Arn").cloned().unwrap_or_default();
        if !tags.gone.is_empty() {
            let input = json!({ "Resource": arn, "TagKeys": tags.gone });
            services.invoke(SERVICE, "UntagResource", input)?;
        }
        if !tags.put.is_empty() {
            let input = json!({ "Resource": arn, "Tags": map(&tags.put) });
            services.invoke(SERVICE, "TagResource", input)?;
        }
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "FunctionName": existing.physical_id });
        services.invoke(SERVICE, "DeleteFunction", input).map(drop)
    }
}

/// What is no longer said goes back to what it is unless told.
fn defaults(input: &mut Map<String, Value>, before: &Map<String, Value>) {
    let unset = [
        ("DeadLetterConfig", json!({ "TargetArn": "" })),
        ("Description", json!("")),
        ("Environment", json!({ "Variables": {} })),
        ("EphemeralStorage", json!({ "Size": 512 })),
        ("MemorySize", json!(128)),
        ("Timeout", json!(3)),
        ("TracingConfig", json!({ "Mode": "PassThrough" })),
    ];
    for (name, value) in unset {
        if before.contains_key(name) && !input.contains_key(name) {
            input.insert(name.to_owned(), value);
        }
    }
}

fn map(tags: &BTreeMap<String, String>) -> Value {
    Value::Object(
        tags.iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect(),
    )
}

fn reserve(
    services: &mut Services<'_, '_>,
    wanted: &Wanted<'_>,
    name: &str,
    existing: Option<&Existing<'_>>,
) -> Result<()> {
    let property = "ReservedConcurrentExecutions";
    let before = existing.and_then(|existing| existing.properties.get(property));
    match wanted.property(property) {
        Some(count) if before != Some(count) => {
            let input = json!({ "FunctionName": name, property: count });
            services
                .invoke(SERVICE, "PutFunctionConcurrency", input)
                .map(drop)
        }
        None if before.is_some() => {
            let input = json!({ "FunctionName": name });
            services
                .invoke(SERVICE, "DeleteFunctionConcurrency", input)
                .map(drop)
        }
        _ => Ok(()),
    }
}

/// The members of `Code`, with inline code as a zip.
fn code(wanted: &Wanted<'_>) -> Result<Map<String, Value>> {
    let Some(Value::Object(code)) = wanted.property("Code") else {
        return Err(invalid("#/Code: expected type: JSONObject"));
    };
    let mut code = code.clone();
    if let Some(inline) = code.remove("ZipFile") {
        let Value::String(inline) = inline else {
            return Err(invalid("#/Code/ZipFile: expected type: String"));
        };
        if inline.chars().count() > INLINE_MAX {
            return Err(invalid(format!(
                "#/Code/ZipFile: expected maxLength: {INLINE_MAX}"
            )));
        }
        let zip = inline_zip(index(&wanted.text("Runtime").unwrap_or_default())?, &inline)?;
        code.insert("ZipFile".to_owned(), STANDARD.encode(zip).into());
    }
    Ok(code)
}

/// The file that inline code becomes.
fn index(runtime: &str) -> Result<&'static str> {
    if runtime.starts_with("nodejs") {
        Ok("index.js")
    } else if runtime.starts_with("python") {
        Ok("index.py")
    } else {
        Err(invalid(
            "ZipFile can only be used when Runtime is set to either of nodejs or python.",
        ))
    }
}

fn inline_zip(name: &str, code: &str) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Inline code has the module at hand that answers CloudFormation (CloudFormation User Guide, "cfn-response module").
    let module = if name == "index.py" {
        ("cfnresponse.py", include_str!("cfnresponse.py"))
    } else {
        ("node_modules/cfn-response.js", include_str!("cfn-response.js"))
    };
    for (name, text) in [(name, code), module] {
        zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o644))
            .map_err(Fault::internal)?;
        zip.write_all(text.as_bytes()).map_err(Fault::internal)?;
    }
    Ok(zip.finish().map_err(Fault::internal)?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_code_is_a_zip_with_the_index_of_its_runtime() {
        let zip = inline_zip(index("python3.12").ok().unwrap(), "x = 1")
            .ok()
            .unwrap();
        assert_eq!(Some(&zip), inline_zip("index.py", "x = 1").ok().as_ref());
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let mut file = archive.by_name("index.py").unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "x = 1");
        assert!(index("java21").is_err());
    }
}
