//! CloudFormation's templates: any text is read or refused; what was read is written as JSON that reads as the same; and what passed
//! every check is ordered and evaluated, or refused, without end or panic.
#![no_main]

use pipeline::Result;
use platform::cloudformation::template::{
    Asks, Evaluation, Facts, Sources, Template, Value, dynamic, parameter, yaml,
};

struct World;

impl Asks for World {
    fn reference(&mut self, logical_id: &str) -> Result<Value> {
        Ok(Value::text(logical_id))
    }

    fn attribute(&mut self, logical_id: &str, attribute: &str) -> Result<Value> {
        Ok(Value::text(format!("{logical_id}.{attribute}")))
    }

    fn import(&mut self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn zones(&mut self, region: &str) -> Result<Vec<String>> {
        Ok(vec![format!("{region}a")])
    }
}

impl Sources for World {
    fn parameter(&mut self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn secure_parameter(&mut self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn secret(&mut self, id: &str, _: Option<&str>, _: Option<&str>) -> Result<String> {
        Ok(id.to_owned())
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(value) = yaml::read(text) {
        let json = value.to_json();
        let again = Value::from_json(&json).expect("what was written is JSON");
        assert_eq!(again.to_json(), json);
    }
    let Ok(template) = Template::read(text) else {
        return;
    };
    assert!(Template::stored(text).is_ok(), "what was taken is read again");
    let Ok(settings) = parameter::settle(&template, &[], &[], &mut World) else {
        return;
    };
    let facts = Facts {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        stack_name: "s".to_owned(),
        stack_id: "arn".to_owned(),
        notification_arns: Vec::new(),
    };
    let Ok(evaluation) = Evaluation::new(&template, &settings, &facts) else {
        return;
    };
    let order = evaluation.order().ok().expect("what has no circle has an order");
    assert_eq!(order.len(), evaluation.resources().count());
    for resource in order {
        if let Ok(properties) = evaluation.properties(resource, &mut World) {
            let _ = dynamic::resolve(&properties, &resource.kind, &mut World);
        }
    }
    let _ = evaluation.outputs(&mut World);
});
