//! From one of botocore's models to the compact tables that `wire::model::load` reads.
//!
//! Invariant: no prose passes: only names, bindings, traits and constraints do. Shapes that nothing reaches stay out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Strings by first use.
#[derive(Default)]
struct Strings {
    table: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Strings {
    fn add(&mut self, text: &str) -> Value {
        if let Some(place) = self.places.get(text) {
            return json!(place);
        }
        let place = self.table.len();
        self.table.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        json!(place)
    }

    fn maybe(&mut self, text: Option<&str>) -> Value {
        text.map_or(Value::Null, |text| self.add(text))
    }
}

struct Compactor<'a> {
    shapes: &'a Object,
    ids: BTreeMap<&'a str, usize>,
    strings: Strings,
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn truth(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Object, String> {
    value
        .get(key)
        .and_then(Value::as_object)
        .ok_or_else(|| format!("{key} is no object"))
}

fn require<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    text(value, key).ok_or_else(|| format!("{key} is missing"))
}

/// The compact text of a model.
pub(crate) fn compact(name: &str, model: &Value) -> Result<String, String> {
    let shapes = object(model, "shapes")?;
    let operations = object(model, "operations")?;
    let ids = reached(operations, shapes)?.into_iter().zip(0..).collect();
    let mut compactor = Compactor {
        shapes,
        ids,
        strings: Strings::default(),
    };
    let service = compactor.service(name, model.get("metadata").unwrap_or(&Value::Null))?;
    let queries = protocol_names(model)
        .iter()
        .any(|protocol| matches!(protocol, &"query"));
    let mut rows = Vec::new();
    for operation in operations.values() {
        rows.push(compactor.operation(operation, queries)?);
    }
    let names: Vec<&str> = compactor.ids.keys().copied().collect();
    let mut shape_rows = Vec::new();
    for name in names {
        shape_rows.push(compactor.shape(name).map_err(|e| format!("{name}: {e}"))?);
    }
    let strings = compactor.strings.table;
    let format = wire::model::load::FORMAT;
    let compact = json!({"format": format, "strings": strings, "service": service, "operations": rows, "shapes": shape_rows});
    Ok(compact.to_string())
}

fn protocol_names(model: &Value) -> Vec<&str> {
    let metadata = model.get("metadata").unwrap_or(&Value::Null);
    let mut names: Vec<&str> = text(metadata, "protocol").into_iter().collect();
    let more = metadata
        .get("protocols")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for name in more.filter_map(Value::as_str) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Every shape that an operation reaches, and every error.
fn reached<'a>(operations: &'a Object, shapes: &'a Object) -> Result<BTreeSet<&'a str>, String> {
    let mut open: Vec<&str> = Vec::new();
    for operation in operations.values() {
        let ends = ["input", "output"]
            .into_iter()
            .filter_map(|end| operation.get(end));
        let errors = operation
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        open.extend(
            ends.chain(errors)
                .filter_map(|reference| text(reference, "shape")),
        );
    }
    open.extend(
        shapes
            .iter()
            .filter(|(_, shape)| truth(shape, "exception"))
            .map(|(name, _)| name.as_str()),
    );
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let shape = shapes.get(name).ok_or_else(|| format!("{name} is no shape"))?;
        let members = shape
            .get("members")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::values);
        let parts = ["member", "key", "value"]
            .into_iter()
            .filter_map(|part| shape.get(part));
        open.extend(
            members
                .chain(parts)
                .filter_map(|reference| text(reference, "shape")),
        );
    }
    Ok(seen)
}

impl Compactor<'_> {
    fn service(&mut self, name: &str, metadata: &Value) -> Result<Value, String> {
        let endpoint = require(metadata, "endpointPrefix")?;
        let json = if text(metadata, "jsonVersion") == Some("1.0") {
            0
        } else {
            1
        };
        let mut protocols = Vec::new();
        for protocol in protocol_names(&json!({ "metadata": metadata })) {
            protocols.push(match protocol {
                "json" => json,
                "query" => 2,
                "ec2" => 3,
                "rest-json" => 4,
                "rest-xml" => 5,
                "smithy-rpc-v2-cbor" => 6,
                _ => return Err(format!("{protocol} is an unknown protocol")),
            });
        }
        let strings = &mut self.strings;
        let more = metadata
            .get("targetPrefixes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let prefixes = text(metadata, "targetPrefix")
            .into_iter()
            .chain(more.filter_map(Value::as_str));
        let prefixes: Vec<Value> = prefixes.map(|prefix| strings.add(prefix)).collect();
        Ok(json!({
            "name": strings.add(name),
            "api_version": strings.add(require(metadata, "apiVersion")?),
            "service_id": strings.add(require(metadata, "serviceId")?),
            "signing_name": strings.add(text(metadata, "signingName").unwrap_or(endpoint)),
            "endpoint_prefix": strings.add(endpoint),
            "event_source": strings.add(text(metadata, "eventSource").unwrap_or(endpoint)),
            "xml_namespace": strings.maybe(text(metadata, "xmlNamespace")),
            "global": truth(metadata, "global"),
            "query_compatible": metadata.get("awsQueryCompatible").is_some(),
            "bare_errors": truth(metadata, "bareErrors"),
            "target_prefixes": prefixes,
            "protocols": protocols,
        }))
    }

    fn id(&self, reference: &Value) -> Result<Value, String> {
        let name = require(reference, "shape")?;
        self.ids
            .get(name)
            .map(|id| json!(id))
            .ok_or_else(|| format!("{name} is no shape"))
    }

    fn maybe_id(&self, reference: Option<&Value>) -> Result<Value, String> {
        reference.map_or(Ok(Value::Null), |reference| self.id(reference))
    }

    fn operation(&mut self, operation: &Value, queries: bool) -> Result<Value, String> {
        let name = require(operation, "name")?;
        let (input, output) = (operation.get("input"), operation.get("output"));
        let http = operation.get("http").unwrap_or(&Value::Null);
        let root = match input.and_then(|input| Some((text(input, "locationName")?, input))) {
            Some((root, input)) => {
                let namespace = input
                    .get("xmlNamespace")
                    .and_then(|namespace| text(namespace, "uri"));
                json!([self.strings.add(root), self.strings.maybe(namespace)])
            }
            None => Value::Null,
        };
        // The Query protocol names the result after the operation where the model does not.
        let wrapper = match output {
            Some(output) if queries => {
                let default = format!("{name}Result");
                self.strings
                    .add(text(output, "resultWrapper").unwrap_or(&default))
            }
            _ => Value::Null,
        };
        let mut errors = Vec::new();
        for error in operation
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            errors.push(self.id(error)?);
        }
        let authtype = text(operation, "authtype");
        let anonymous = u8::from(authtype == Some("none"));
        let unsigned = truth(operation, "unsignedPayload") || authtype == Some("v4-unsigned-body");
        Ok(json!([
            self.strings.add(name),
            self.strings.add(require(http, "method")?),
            self.strings.add(require(http, "requestUri")?),
            http.get("responseCode").cloned().unwrap_or(json!(200)),
            self.maybe_id(input)?,
            self.maybe_id(output)?,
            wrapper,
            root,
            errors,
            anonymous | u8::from(unsigned) << 1,
        ]))
    }

    fn shape(&mut self, name: &str) -> Result<Value, String> {
        let shapes = self.shapes;
        let shape = shapes.get(name).unwrap_or(&Value::Null);
        let kind = match require(shape, "type")? {
            "structure" if truth(shape, "document") => 7,
            "structure" => 0,
            "list" => 1,
            "map" => 2,
            "string" | "character" => 3,
            "blob" => 4,
            "boolean" => 5,
            "byte" => 8,
            "short" => 16,
            "integer" => 32,
            "long" => 64,
            "float" => 132,
            "double" => 164,
            "timestamp" => timestamp_format(shape)?.map_or(6, |format| 200 + format),
            other => return Err(format!("{other} is an unknown type")),
        };
        let traits = [
            ("sensitive", 1),
            ("flattened", 2),
            ("sparse", 4),
            ("union", 8),
            ("eventstream", 16),
        ];
        let flags = flags(shape, &traits);
        let required: Vec<&str> = shape
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut members = Vec::new();
        let mut payload = Value::Null;
        for (i, (member, reference)) in shape
            .get("members")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .enumerate()
        {
            if text(shape, "payload") == Some(member) {
                payload = json!(i);
            }
            members.push(self.member(member, reference, required.contains(&member.as_str()))?);
        }
        for part in ["member", "key", "value"] {
            if let Some(reference) = shape.get(part) {
                members.push(self.member(part, reference, false)?);
            }
        }
        let values = shape.get("enum").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<Value> = values
            .filter_map(Value::as_str)
            .map(|v| self.strings.add(v))
            .collect();
        let error = if truth(shape, "exception") {
            self.error(name, shape)
        } else {
            Value::Null
        };
        Ok(json!([
            self.strings.add(name),
            kind,
            flags,
            shape.get("min"),
            shape.get("max"),
            self.strings.maybe(text(shape, "pattern")),
            members,
            values,
            payload,
            error,
        ]))
    }

    /// Code, status and whether the sender is at fault. Without a word from the model: the name, 400 (or 500), yes (or no).
    fn error(&mut self, name: &str, shape: &Value) -> Value {
        let error = shape.get("error").unwrap_or(&Value::Null);
        let default = if truth(shape, "fault") { 500 } else { 400 };
        let status = error
            .get("httpStatusCode")
            .and_then(Value::as_u64)
            .unwrap_or(default);
        let sender = truth(error, "senderFault") || status < 500;
        json!([
            self.strings.add(text(error, "code").unwrap_or(name)),
            status,
            sender
        ])
    }

    /// A member carries its shape's serialization traits unless it has its own.
    fn member(&mut self, name: &str, reference: &Value, required: bool) -> Result<Value, String> {
        let target = self
            .shapes
            .get(require(reference, "shape")?)
            .unwrap_or(&Value::Null);
        let location = match text(reference, "location") {
            None => Value::Null,
            Some("header") => json!(0),
            Some("headers") => json!(1),
            Some("querystring") if text(target, "type") == Some("map") => json!(3),
            Some("querystring") => json!(2),
            Some("uri") => json!(4),
            Some("statusCode") => json!(5),
            Some(other) => return Err(format!("{other} is an unknown location")),
        };
        let wire_name = text(reference, "locationName").or_else(|| text(target, "locationName"));
        let wire_name = wire_name.filter(|wire_name| *wire_name != name);
        let traits = [
            ("sensitive", 1),
            ("flattened", 2),
            ("xmlAttribute", 8),
            ("streaming", 16),
            ("idempotencyToken", 32),
            ("jsonvalue", 64),
            ("hostLabel", 128),
        ];
        let streaming = if truth(target, "streaming") { 16 } else { 0 };
        let flags = flags(reference, &traits) | streaming | if required { 4 } else { 0 };
        let namespace = reference
            .get("xmlNamespace")
            .or_else(|| target.get("xmlNamespace"));
        let namespace = match namespace {
            Some(Value::String(uri)) => json!([null, self.strings.add(uri)]),
            Some(namespace) => {
                let uri = self.strings.add(require(namespace, "uri")?);
                json!([self.strings.maybe(text(namespace, "prefix")), uri])
            }
            None => Value::Null,
        };
        let query_name = self.strings.maybe(text(reference, "queryName"));
        let format = timestamp_format(reference)?.map_or(Value::Null, |format| json!(format));
        let rare = if query_name.is_null() && namespace.is_null() && format.is_null() {
            Value::Null
        } else {
            json!([query_name, namespace, format])
        };
        let id = self.id(reference)?;
        Ok(json!([
            self.strings.add(name),
            id,
            flags,
            self.strings.maybe(wire_name),
            location,
            rare
        ]))
    }
}

fn flags(value: &Value, traits: &[(&str, u16)]) -> u16 {
    traits
        .iter()
        .filter(|(key, _)| truth(value, key))
        .fold(0, |flags, (_, flag)| flags | flag)
}

fn timestamp_format(value: &Value) -> Result<Option<u8>, String> {
    Ok(match text(value, "timestampFormat") {
        None => None,
        Some("unixTimestamp") => Some(0),
        Some("iso8601") => Some(1),
        Some("rfc822") => Some(2),
        Some(other) => return Err(format!("{other} is an unknown timestamp format")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_unreached_shapes_stay_out() {
        let model = json!({
            "metadata": {"endpointPrefix": "e", "apiVersion": "v", "serviceId": "S", "protocol": "query"},
            "operations": {"Get": {
                "name": "Get", "documentation": "Prose.", "http": {"method": "POST", "requestUri": "/"},
                "output": {"shape": "Answer"},
            }},
            "shapes": {
                "Answer": {"type": "structure", "members": {"Text": {"shape": "Text", "documentation": "Prose."}}},
                "Text": {"type": "string", "sensitive": true, "max": 3},
                "Unreached": {"type": "string"},
                "Gone": {"type": "structure", "members": {}, "exception": true},
            },
        });
        let text = compact("sample", &model).unwrap();
        assert!(!text.contains("Prose") && !text.contains("Unreached"));
        let service = wire::model::load::parse_text(text.as_bytes()).unwrap();
        assert_eq!(service.operations[0].result_wrapper, Some("GetResult"));
        assert_eq!(
            service.shapes.iter().map(|shape| shape.name).collect::<Vec<_>>(),
            ["Answer", "Gone", "Text"]
        );
        assert!(service.shapes[2].sensitive);
        let wire::model::Kind::Structure(gone) = &service.shapes[1].kind else {
            panic!("no structure")
        };
        let error = gone.error.as_ref().unwrap();
        assert_eq!((error.code, error.status, error.sender), ("Gone", 400, true));
    }
}
