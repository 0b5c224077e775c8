//! Truths: conditions, the functions that come to true or false, and the rules that parameters must keep.
//!
//! Invariant: a condition asks nothing of resources, exports or zones.
//!
//! Source: CloudFormation User Guide, "Condition functions", "Rules section".

use pipeline::Result;
use wire::Fault;

use super::Asks;
use super::evaluate::{Evaluation, refused};
use super::function::{self, Function};
use super::value::Value;

impl<'a> Evaluation<'a> {
    pub(super) fn decide(&mut self, name: &'a str) -> Result<bool> {
        if let Some(decided) = self.conditions.get(name) {
            return Ok(*decided);
        }
        let condition = self.template.conditions.iter().find(|(known, _)| known == name);
        let Some((name, value)) = condition else {
            return Err(refused(&format!(
                "unresolved condition dependency {name} in Condition"
            )));
        };
        // `check` refused circles, so this ends. Those that it needs are decided first.
        let mut needed = Vec::new();
        function::mentions(value, &mut |mention| {
            if let function::Mention::Condition(other) = mention {
                needed.push(other);
            }
        })?;
        for other in needed {
            self.decide(other)?;
        }
        let held = self.boolean(value, &mut Nothing)?;
        self.conditions.insert(name, held);
        Ok(held)
    }

    fn boolean(&self, value: &Value, asks: &mut dyn Asks) -> Result<bool> {
        match Function::deciding(value)? {
            Some(function) if function.decides() => self.holds(function, asks),
            _ => match self.value(value, asks)? {
                Some(Value::Bool(flag)) => Ok(flag),
                Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
                _ => Err(refused("a condition does not come to true or false")),
            },
        }
    }

    pub(super) fn holds(&self, function: Function<'_>, asks: &mut dyn Asks) -> Result<bool> {
        let items = function.argument.as_list().unwrap_or_default();
        let list = |value: &Value, asks: &mut dyn Asks| -> Result<Vec<String>> {
            Ok(match self.value(value, asks)? {
                Some(Value::List(items)) => items.iter().filter_map(Value::scalar).collect(),
                Some(scalar) => scalar.scalar().into_iter().collect(),
                None => Vec::new(),
            })
        };
        match (function.name, items) {
            ("Condition", _) => Ok(self.includes(function.argument.as_str())),
            ("Fn::And", _) => {
                let mut all = true;
                for item in items {
                    all &= self.boolean(item, asks)?;
                }
                Ok(all)
            }
            ("Fn::Or", _) => {
                let mut any = false;
                for item in items {
                    any |= self.boolean(item, asks)?;
                }
                Ok(any)
            }
            ("Fn::Not", [item]) => Ok(!self.boolean(item, asks)?),
            ("Fn::Equals", [left, right]) => {
                let (left, right) = (self.value(left, asks)?, self.value(right, asks)?);
                let scalars = left
                    .as_ref()
                    .and_then(Value::scalar)
                    .zip(right.as_ref().and_then(Value::scalar));
                // `true` is equal to `'true'`, and 1 to '1': both end as strings.
                Ok(scalars.map_or_else(|| left == right, |(left, right)| left == right))
            }
            ("Fn::Contains", [all, one]) => {
                let all = list(all, asks)?;
                Ok(all.contains(&self.text(one, asks, "Fn::Contains")?))
            }
            ("Fn::EachMemberEquals", [all, one]) => {
                let one = self.text(one, asks, "Fn::EachMemberEquals")?;
                Ok(list(all, asks)?.iter().all(|member| *member == one))
            }
            ("Fn::EachMemberIn", [some, all]) => {
                let all = list(all, asks)?;
                Ok(list(some, asks)?.iter().all(|member| all.contains(member)))
            }
            (name, _) => Err(refused(&format!("malformed arguments of {name}"))),
        }
    }

    pub(super) fn rules(&self) -> Result<()> {
        for (name, rule) in &self.template.rules {
            if let Some(condition) = rule.get("RuleCondition")
                && !self.boolean(condition, &mut Nothing)?
            {
                continue;
            }
            for assertion in rule
                .get("Assertions")
                .and_then(Value::as_list)
                .unwrap_or_default()
            {
                let said = assertion.get("Assert").unwrap_or(&Value::Null);
                if !self.boolean(said, &mut Nothing)? {
                    let description = assertion.get("AssertDescription").and_then(Value::as_str);
                    let description =
                        description.map_or_else(|| format!("assertion of rule {name} failed"), str::to_owned);
                    return Err(Fault::validation(format!(
                        "Template validation error: {description}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Where nothing can be asked: conditions and rules are decided before anything is made.
pub(super) struct Nothing;

impl Nothing {
    fn no<T>(what: &str) -> Result<T> {
        Err(refused(&format!(
            "{what} cannot be used before resources are made"
        )))
    }
}

impl Asks for Nothing {
    fn reference(&mut self, logical_id: &str) -> Result<Value> {
        Self::no(logical_id)
    }

    fn attribute(&mut self, logical_id: &str, _: &str) -> Result<Value> {
        Self::no(logical_id)
    }

    fn import(&mut self, _: &str) -> Result<String> {
        Self::no("Fn::ImportValue")
    }

    fn zones(&mut self, _: &str) -> Result<Vec<String>> {
        Self::no("Fn::GetAZs")
    }
}
