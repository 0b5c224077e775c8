//! `cargo xtask models`: from botocore's service models to `models/` and the index in `crates/api`.
//!
//! Invariant: the same botocore version and patches give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::models_compact;

/// The version of botocore whose models are taken. Apache-2.0.
const BOTOCORE: &str = "1.44.5";

/// Every service that the design names, by botocore's name.
const SERVICES: &[&str] = &[
    "accessanalyzer",
    "athena",
    "budgets",
    "ce",
    "cloudformation",
    "cloudfront",
    "cloudhsm",
    "cloudhsmv2",
    "cloudtrail",
    "cloudwatch",
    "config",
    "ds",
    "ec2",
    "elb",
    "elbv2",
    "emr",
    "events",
    "firehose",
    "fms",
    "guardduty",
    "iam",
    "inspector",
    "inspector2",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "macie2",
    "organizations",
    "rds",
    "redshift",
    "redshift-data",
    "resourcegroupstaggingapi",
    "route53",
    "s3",
    "s3control",
    "secretsmanager",
    "shield",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "support",
    "trustedadvisor",
    "waf",
    "waf-regional",
    "wafv2",
];

/// A repair of one place in one model.
#[derive(Deserialize)]
struct Patch {
    service: String,
    /// A JSON pointer into botocore's model. Missing objects on the way are made.
    path: String,
    value: Value,
    /// Why the model is wrong or silent.
    reason: String,
    /// The test that fails without the patch.
    test: String,
}

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let botocore = match arguments {
        [] => install_botocore()?,
        [flag, folder] if flag == "--botocore" => PathBuf::from(folder),
        _ => return Err("models takes only --botocore DIR".into()),
    };
    let folder = root().join("models");
    let patches = read_patches()?;
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut index = Vec::new();
    let mut bytes_total = 0;
    for name in SERVICES {
        let mut model = read_model(&botocore, name)?;
        for patch in patches.iter().filter(|patch| patch.service == *name) {
            apply(&mut model, patch)?;
        }
        let text = models_compact::compact(name, &model).map_err(|e| format!("{name}: {e}"))?;
        let gz = compress(text.as_bytes()).map_err(|e| format!("{name}: {e}"))?;
        let service = wire::model::load::parse(&gz).map_err(|e| format!("{name}: {e}"))?;
        bytes_total += gz.len();
        write(&folder.join(format!("{name}.json.gz")), &gz)?;
        index.push(service);
    }
    write(
        &root().join("crates/api/src/models/index.rs"),
        index_source(&index).as_bytes(),
    )?;
    eprintln!("{} models, {bytes_total} bytes", index.len());
    Ok(())
}

/// Writes a file and names it in the error.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
    }
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// Installs the pinned botocore into a virtual environment in the target folder and says where its models are.
fn install_botocore() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let environment = target.join(format!("botocore-{BOTOCORE}"));
    let python = environment.join("bin/python");
    if !python.exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    let requirement = format!("botocore=={BOTOCORE}");
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", &requirement]))?;
    let program = "import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), 'data'))";
    let output = Command::new(&python)
        .args(["-c", program])
        .output()
        .map_err(|e| e.to_string())?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed"))
    }
}

/// The model of a service's latest API version.
fn read_model(botocore: &Path, name: &str) -> Result<Value, String> {
    let folder = botocore.join(name);
    let versions = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let latest = versions
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .max();
    let path = latest
        .ok_or_else(|| format!("{name} has no version"))?
        .join("service-2.json.gz");
    let gz = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*gz)
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn read_patches() -> Result<Vec<Patch>, String> {
    let path = root().join("models/patches.json");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let patches: Vec<Patch> = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    for patch in &patches {
        if patch.reason.is_empty() || patch.test.is_empty() || !SERVICES.contains(&&*patch.service) {
            return Err(format!(
                "the patch of {} {} is incomplete",
                patch.service, patch.path
            ));
        }
    }
    Ok(patches)
}

/// Sets the patch's value. A patch that changes nothing is refused: the model caught up with it.
fn apply(model: &mut Value, patch: &Patch) -> Result<(), String> {
    let mut place = model;
    for key in patch.path.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if place.is_null() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = match place {
            Value::Object(entries) => entries.entry(key).or_insert(Value::Null),
            Value::Array(items) => key
                .parse()
                .ok()
                .and_then(|i: usize| items.get_mut(i))
                .ok_or_else(|| format!("{}: no such place", patch.path))?,
            _ => return Err(format!("{}: no such place", patch.path)),
        };
    }
    if *place == patch.value {
        return Err(format!(
            "the patch of {} {} is no longer needed",
            patch.service, patch.path
        ));
    }
    place.clone_from(&patch.value);
    Ok(())
}

/// Compresses without a time or an operating system in the header.
fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let builder = flate2::GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The index, which answers routing without parsing a model.
fn index_source(services: &[wire::model::Service]) -> String {
    let mut out = String::from(
        "//! Generated by `cargo xtask models`; not to be edited. The embedded models and the names that lead to them.\n\n\
         macro_rules! model {\n    ($name:literal) => {\n        ($name, include_bytes!(concat!(\
         env!(\"CARGO_MANIFEST_DIR\"), \"/../../models/\", $name, \".json.gz\")))\n    };\n}\n\n\
         /// A service's name and its compressed model. Sorted.\n\
         pub(super) static MODELS: &[(&str, &[u8])] = &[\n",
    );
    for service in services {
        let _ = writeln!(out, "    model!(\"{}\"),", service.name);
    }
    out.push_str("];\n");
    let mut signing = BTreeMap::<&str, Vec<&str>>::new();
    let mut endpoint = BTreeMap::<&str, Vec<&str>>::new();
    let mut version = BTreeMap::<&str, Vec<&str>>::new();
    let mut target = BTreeMap::<&str, Vec<&str>>::new();
    for service in services {
        signing
            .entry(service.signing_name)
            .or_default()
            .push(service.name);
        endpoint
            .entry(service.endpoint_prefix)
            .or_default()
            .push(service.name);
        for prefix in &service.target_prefixes {
            target.entry(prefix).or_default().push(service.name);
        }
        use wire::model::Protocol::{AwsQuery, Ec2Query};
        if service
            .protocols
            .iter()
            .any(|protocol| matches!(protocol, AwsQuery | Ec2Query))
        {
            version.entry(service.api_version).or_default().push(service.name);
        }
    }
    let tables = [
        (
            "SIGNING_NAMES",
            "Services by the service name in credential scopes.",
            &signing,
        ),
        (
            "ENDPOINT_PREFIXES",
            "Services by the first label of their hosts.",
            &endpoint,
        ),
        ("TARGET_PREFIXES", "Services by `X-Amz-Target` prefix.", &target),
        (
            "QUERY_VERSIONS",
            "Services that speak a query protocol, by API version.",
            &version,
        ),
    ];
    for (name, about, table) in tables {
        let _ = writeln!(
            out,
            "\n/// {about} Sorted.\npub(super) static {name}: &[(&str, &[&str])] = &["
        );
        for (key, names) in table {
            let _ = writeln!(out, "    (\"{key}\", &[\"{}\"]),", names.join("\", \""));
        }
        out.push_str("];\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_names_a_test_that_exists() {
        let sources: String = ["crates/api/src/models/mod.rs", "crates/api/tests/models.rs"]
            .iter()
            .filter_map(|path| fs::read_to_string(root().join(path)).ok())
            .collect();
        for patch in read_patches().unwrap() {
            assert!(
                sources.contains(&format!("fn {}()", patch.test)),
                "{} is no test",
                patch.test
            );
        }
    }

    #[test]
    fn a_patch_makes_missing_objects_and_refuses_to_change_nothing() {
        let patch = Patch {
            service: "kms".into(),
            path: "/shapes/A~1B/max".into(),
            value: 4.into(),
            reason: "r".into(),
            test: "t".into(),
        };
        let mut model = serde_json::json!({"shapes": {}});
        apply(&mut model, &patch).unwrap();
        assert_eq!(model, serde_json::json!({"shapes": {"A/B": {"max": 4}}}));
        assert!(
            apply(&mut model, &patch)
                .unwrap_err()
                .contains("no longer needed")
        );
    }

    #[test]
    fn the_index_is_fresh() {
        let mut services = Vec::new();
        for name in SERVICES {
            let gz = fs::read(root().join(format!("models/{name}.json.gz"))).unwrap();
            services.push(wire::model::load::parse(&gz).unwrap());
        }
        let written = fs::read_to_string(root().join("crates/api/src/models/index.rs")).unwrap();
        assert!(written == index_source(&services), "run `cargo xtask models`");
    }

    #[test]
    fn compression_is_the_same_each_time_and_carries_no_date() {
        let gz = compress(b"model").unwrap();
        assert_eq!(gz, compress(b"model").unwrap());
        assert_eq!(gz[4..8], [0; 4]);
    }
}
