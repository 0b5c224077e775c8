//! The template language: what is read, refused and evaluated, on the examples of AWS's guide and on random input.

use proptest::prelude::*;

use super::*;

mod evaluating;
mod reading;

/// A stack whose resources are known by what they are called.
#[derive(Default)]
struct World {
    asked: Vec<String>,
}

impl Asks for World {
    fn reference(&mut self, logical_id: &str) -> Result<Value> {
        Ok(Value::text(format!("ref-{logical_id}")))
    }

    fn attribute(&mut self, logical_id: &str, attribute: &str) -> Result<Value> {
        Ok(Value::text(format!("{logical_id}/{attribute}")))
    }

    fn import(&mut self, name: &str) -> Result<String> {
        Ok(format!("import-{name}"))
    }

    fn zones(&mut self, region: &str) -> Result<Vec<String>> {
        Ok(vec![format!("{region}a"), format!("{region}b")])
    }
}

impl Sources for World {
    fn parameter(&mut self, name: &str) -> Result<String> {
        self.asked.push(format!("ssm {name}"));
        Ok("a, b".to_owned())
    }

    fn secure_parameter(&mut self, name: &str) -> Result<String> {
        self.asked.push(format!("ssm-secure {name}"));
        Ok("hidden".to_owned())
    }

    fn secret(&mut self, id: &str, stage: Option<&str>, version: Option<&str>) -> Result<String> {
        self.asked.push(format!("secret {id} {stage:?} {version:?}"));
        Ok(r#"{"user":"ada","port":5432}"#.to_owned())
    }
}

fn facts() -> Facts {
    Facts {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        stack_name: "shop".to_owned(),
        stack_id: "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1".to_owned(),
        notification_arns: vec!["arn:aws:sns:eu-west-1:111122223333:told".to_owned()],
    }
}

fn read(body: &str) -> Template {
    Template::read(body).unwrap_or_else(|fault| panic!("{}", fault.message))
}

fn refusal(body: &str) -> String {
    match Template::read(body) {
        Ok(_) => panic!("read {body}"),
        Err(fault) => fault.message,
    }
}

fn given(pairs: &[(&str, &str)]) -> Vec<Given> {
    let given = |(key, value): &(&str, &str)| Given {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
        use_previous: false,
    };
    pairs.iter().map(given).collect()
}

fn settle(template: &Template, pairs: &[(&str, &str)]) -> std::result::Result<Vec<Setting>, String> {
    parameter::settle(template, &given(pairs), &[], &mut World::default()).map_err(|fault| fault.message)
}

/// What is kept of a template is JSON, and reads as the template did.
#[test]
fn numbers_keep_their_last_digit() {
    for text in [
        "1.50",
        "90.42225290942383",
        "42.215889504792884",
        "3.33333333e+74",
    ] {
        let value = Value::Number(text.parse::<f64>().map(|number| format!("{number:?}")).unwrap());
        assert_eq!(Value::from_json(&value.to_json()).unwrap(), value);
    }
}

proptest! {
    /// Whatever the text, reading ends, and what was read is written as JSON that reads as the same.
    #[test]
    fn any_text_is_read_or_refused(text in "[-A-Za-z0-9:{}\\[\\]!&*'\"|>#,.$ \n]{0,400}") {
        if let Ok(value) = yaml::read(&text)
            && let Ok(again) = Value::from_json(&value.to_json())
        {
            prop_assert_eq!(again.to_json(), value.to_json());
        }
        let _ = Template::read(&text);
    }

    /// The same template in JSON and in YAML's flow is the same.
    #[test]
    fn json_is_yaml(pairs in proptest::collection::btree_map("[A-Za-z][A-Za-z0-9]{0,8}", "[ -~]{0,20}", 0..8)) {
        let map = Value::Map(pairs.into_iter().map(|(name, text)| (name, Value::String(text))).collect());
        let json = map.to_json();
        prop_assert_eq!(yaml::read(&json).map_err(|fault| fault.message), Ok(map.clone()));
        prop_assert_eq!(Value::from_json(&json).unwrap(), map);
    }

    /// Any pieces of a text of Fn::Sub put together again are the text.
    #[test]
    fn substitution_keeps_the_text(text in "[a-z${}!. ]{0,60}") {
        if let Ok(parts) = sub::parts(&text) {
            let whole: String = parts.iter().map(|part| match part {
                sub::Part::Text(text) => (*text).to_owned(),
                sub::Part::Name(name) => format!("${{{name}}}"),
                sub::Part::Literal(text) => format!("${{!{text}}}"),
            }).collect();
            prop_assert_eq!(whole.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
