//! AWS's public parameters.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER};
use crate::ssm::{call, names, ok, put, refused};

const BASE: &str = "/aws/service/global-infrastructure";

fn arn(name: &str) -> String {
    format!("arn:aws:ssm:{REGION}::parameter{name}")
}

fn value(here: &Here, name: &str) -> String {
    let answer = ok(here, "GetParameter", json!({ "Name": name }));
    answer["Parameter"]["Value"].as_str().unwrap().to_owned()
}

/// Every page of a path.
fn under(here: &Here, path: &str, recursive: bool) -> Vec<String> {
    let mut input = json!({ "Path": path, "Recursive": recursive });
    let mut all = Vec::new();
    loop {
        let page = ok(here, "GetParametersByPath", input.clone());
        assert!(names(&page).len() <= 10);
        all.extend(names(&page).into_iter().map(str::to_owned));
        if page["NextToken"].is_null() {
            return all;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
}

/// S10.2: facts of AWS's regions are read by name, ARN and version, like a parameter of one's own.
#[test]
fn public_parameters_are_read_by_name() {
    let here = Here::new();
    assert_eq!(
        value(&here, &format!("{BASE}/regions/eu-west-1/longName")),
        "Europe (Ireland)"
    );
    assert_eq!(value(&here, &format!("{BASE}/current-region")), REGION);
    let name = format!("{BASE}/regions/us-east-2/services/ssm/endpoint");
    let read = ok(&here, "GetParameter", json!({ "Name": format!("{name}:1") }));
    let parameter = &read["Parameter"];
    assert_eq!(parameter["Value"], "ssm.us-east-2.amazonaws.com");
    assert_eq!(parameter["ARN"], arn(&name));
    assert_eq!(
        (&parameter["Type"], &parameter["Version"]),
        (&json!("String"), &json!(1))
    );
    assert!(parameter["LastModifiedDate"].as_f64().unwrap() > 1_700_000_000.0);
    assert_eq!(value(&here, &arn(&name)), "ssm.us-east-2.amazonaws.com");
    let code = |name: String| refused(&here, "GetParameter", json!({ "Name": name })).0;
    assert_eq!(code(format!("{name}:2")), "ParameterVersionNotFound");
    assert_eq!(code(format!("{BASE}/regions/xx-east-1")), "ParameterNotFound");
    assert_eq!(
        code(format!("{BASE}/services/kinesis")),
        "ParameterNotFound",
        "is not served here"
    );
    assert_eq!(
        code("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64".to_owned()),
        "ParameterNotFound"
    );
    let several = ok(
        &here,
        "GetParameters",
        json!({ "Names": [name, format!("{BASE}/none")] }),
    );
    assert_eq!(names(&several), [name.as_str()]);
    assert_eq!(several["InvalidParameters"], json!([format!("{BASE}/none")]));
    let history = ok(&here, "GetParameterHistory", json!({ "Name": name }));
    assert_eq!(history["Parameters"].as_array().unwrap().len(), 1);
    assert!(history["Parameters"][0].get("LastModifiedUser").is_none());
}

/// S10.9: the tree under `/aws/service` is walked level by level or whole, in pages of ten.
#[test]
fn public_parameters_are_read_by_path() {
    let here = Here::new();
    put(&here, "/own", "v");
    let own = [format!("{BASE}/current-region"), format!("{BASE}/version")];
    assert_eq!(under(&here, BASE, false), own);
    let regions = under(&here, &format!("{BASE}/regions/"), false);
    assert_eq!(regions.len(), 39);
    assert!(regions.contains(&format!("{BASE}/regions/us-east-1")));
    let zones = under(
        &here,
        &format!("{BASE}/regions/us-east-2/availability-zones"),
        false,
    );
    let zone = |number: u8| format!("{BASE}/regions/us-east-2/availability-zones/use2-az{number}");
    assert_eq!(zones, [zone(1), zone(2), zone(3)]);
    let services = under(&here, &format!("{BASE}/services"), false);
    assert!(services.contains(&format!("{BASE}/services/kms")));
    assert!(
        !services.contains(&format!("{BASE}/services/kinesis")),
        "is not served here"
    );
    let offered = under(&here, &format!("{BASE}/services/kms/regions"), false);
    assert_eq!(offered.len(), 39);
    assert_eq!(
        under(&here, "/aws/service/list", true),
        ["/aws/service/list/global-infrastructure"]
    );
    let whole = under(&here, "/aws/service", true);
    let sorted = {
        let mut sorted = whole.clone();
        sorted.sort();
        sorted.dedup();
        sorted
    };
    assert_eq!(whole, sorted);
    assert!(whole.contains(&zone(3)));
    assert_eq!(
        under(&here, "/", true),
        ["/own"],
        "one's own root does not hold AWS's"
    );
    let filtered =
        json!({ "Path": BASE, "ParameterFilters": [{ "Key": "Type", "Values": ["SecureString"] }] });
    assert!(names(&ok(&here, "GetParametersByPath", filtered)).is_empty());
}

/// S10.9: a list tells of public parameters only if it is asked for their names.
#[test]
fn lists_leave_public_parameters_out_unless_they_are_named() {
    let here = Here::new();
    put(&here, "/own", "v");
    assert_eq!(names(&ok(&here, "DescribeParameters", json!({}))), ["/own"]);
    let filter = |key: &str, option: &str, value: &str| {
        let filters = json!([{ "Key": key, "Option": option, "Values": [value] }]);
        ok(
            &here,
            "DescribeParameters",
            json!({ "ParameterFilters": filters, "MaxResults": 5 }),
        )
    };
    let named = filter(
        "Name",
        "BeginsWith",
        &format!("{BASE}/regions/eu-west-1/availability"),
    );
    assert_eq!(names(&named).len(), 3);
    assert_eq!(named["Parameters"][0]["Tier"], "Standard");
    assert!(named["Parameters"][0].get("Value").is_none());
    assert_eq!(names(&filter("Path", "OneLevel", BASE)).len(), 2);
    let many = filter("Name", "BeginsWith", "/aws/service/");
    assert_eq!(names(&many).len(), 5);
    assert!(many["NextToken"].is_string());
}

/// S10.11: the permission is for an ARN without an account.
#[test]
fn permission_names_an_arn_without_an_account() {
    let here = Here::new();
    let name = format!("{BASE}/current-region");
    let allow =
        |resource: &str| json!([{ "Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": resource }]);
    let own = here.user(
        ACCOUNT,
        "own",
        &allow(&format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/*")),
    );
    let input = json!({ "Name": name });
    let denied = call(&here, &own, "GetParameter", input.clone()).unwrap_err();
    assert_eq!(denied.code, "AccessDeniedException");
    assert!(denied.message.contains(&arn(&name)), "{}", denied.message);
    let path = json!({ "Path": BASE });
    let denied = call(&here, &own, "GetParametersByPath", path.clone()).unwrap_err();
    assert!(denied.message.contains(&arn(BASE)), "{}", denied.message);
    for account in [ACCOUNT, OTHER] {
        let reader = here.user(account, "reader", &allow(&arn("/aws/service/*")));
        call(&here, &reader, "GetParameter", input.clone()).unwrap();
        call(&here, &reader, "GetParametersByPath", path.clone()).unwrap();
        let own = json!({ "Name": "/own" });
        assert_eq!(
            call(&here, &reader, "GetParameter", own).unwrap_err().code,
            "AccessDeniedException"
        );
    }
}

/// S10.2: nobody writes where AWS's own parameters lie.
#[test]
fn reserved_names_are_refused_to_all() {
    let here = Here::new();
    let name = format!("{BASE}/version");
    let calls: [(&str, Value); 7] = [
        (
            "PutParameter",
            json!({ "Name": name, "Value": "v", "Type": "String", "Overwrite": true }),
        ),
        ("DeleteParameter", json!({ "Name": name })),
        ("DeleteParameters", json!({ "Names": [name] })),
        (
            "LabelParameterVersion",
            json!({ "Name": name, "Labels": ["live"] }),
        ),
        (
            "UnlabelParameterVersion",
            json!({ "Name": name, "ParameterVersion": 1, "Labels": ["live"] }),
        ),
        (
            "AddTagsToResource",
            json!({ "ResourceType": "Parameter", "ResourceId": name, "Tags": [{ "Key": "a", "Value": "b" }] }),
        ),
        (
            "RemoveTagsFromResource",
            json!({ "ResourceType": "Parameter", "ResourceId": name, "TagKeys": ["a"] }),
        ),
    ];
    for (operation, input) in calls {
        let (code, message) = refused(&here, operation, input);
        assert_eq!(code, "AccessDeniedException", "{operation}");
        assert_eq!(
            message,
            format!("No access to reserved parameter name: {name}."),
            "{operation}"
        );
    }
    assert!(value(&here, &name).starts_with("1.0.0-"));
    let listed = json!({ "ResourceType": "Parameter", "ResourceId": name });
    assert_eq!(
        refused(&here, "ListTagsForResource", listed).0,
        "InvalidResourceId"
    );
    let shared = json!({ "ResourceArn": arn(&name), "Policy": "{}" });
    assert_eq!(
        refused(&here, "PutResourcePolicy", shared).0,
        "ResourceNotFoundException"
    );
}
