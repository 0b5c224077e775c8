//! Values of templates as inputs of services: loose in how they are written, strict in what they are.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;

use serde_json::{Value, json};
use wire::loose::{from_json, to_json};
use wire::model::load;

fn read(service: &str, operation: &str, input: Value) -> Result<Value, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../models/{service}.json.gz"));
    let model = load::parse(&std::fs::read(path).unwrap()).unwrap();
    let shape = model.operation(operation).unwrap().input.unwrap();
    from_json(&model, shape, input).map(|document| to_json(&document))
}

#[test]
fn numbers_and_truths_may_be_text_and_text_a_number() {
    let loose = json!({
        "Name": 12, "Value": true, "Overwrite": "True", "Tags": [{ "Key": "a", "Value": 1.5 }], "Description": null,
    });
    let strict = json!({
        "Name": "12", "Value": "true", "Overwrite": true, "Tags": [{ "Key": "a", "Value": "1.5" }],
    });
    assert_eq!(read("ssm", "PutParameter", loose), Ok(strict));
    let loose = json!({ "FunctionName": "f", "Timeout": "30", "Environment": { "Variables": { "A": 1 } } });
    let strict = json!({ "FunctionName": "f", "Timeout": 30, "Environment": { "Variables": { "A": "1" } } });
    assert_eq!(read("lambda", "UpdateFunctionConfiguration", loose), Ok(strict));
    let blob = json!({ "FunctionName": "f", "ZipFile": "UEs=" });
    assert_eq!(read("lambda", "UpdateFunctionCode", blob.clone()), Ok(blob));
}

#[test]
fn what_does_not_fit_is_refused_where_it_stands() {
    let refused = |input| read("ssm", "PutParameter", input).unwrap_err();
    assert_eq!(
        refused(json!({ "Nmae": "a" })),
        "#: extraneous key [Nmae] is not permitted"
    );
    assert_eq!(
        refused(json!({ "Tags": [{ "Key": ["a"] }] })),
        "#/Tags/0/Key: expected type: String, found: JSONArray"
    );
    assert_eq!(
        refused(json!({ "Overwrite": "perhaps" })),
        "#/Overwrite: expected type: Boolean, found: String"
    );
    assert_eq!(
        refused(json!({ "Tags": {} })),
        "#/Tags: expected type: JSONArray, found: JSONObject"
    );
    assert_eq!(
        refused(json!([])),
        "#: expected type: JSONObject, found: JSONArray"
    );
}
