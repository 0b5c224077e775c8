//! The language of CloudFormation's templates: reading, checking and evaluating them. Pure: what a template asks of the world it asks
//! of the traits here (`Asks`, `Sources`), which the stacks implement.
//!
//! Read `read` for the sections, `check` for what is told of a template alone, `parameter` for what users give, `evaluate` for functions,
//! conditions and the order, and `dynamic` for `{{resolve:…}}`.
//!
//! Invariant: evaluating a template never opens a dynamic reference. The text `{{resolve:…}}` stays in what is stored, shown and
//! compared; `dynamic::resolve` opens it in a copy that goes to the resource's service and nowhere else.
//!
//! Source: CloudFormation User Guide, "Template sections", "Intrinsic function reference", "Dynamic references".

use pipeline::operation::Result;

pub mod check;
pub mod cidr;
mod condition;
pub mod dynamic;
pub mod evaluate;
pub mod function;
pub mod parameter;
pub mod read;
pub mod sub;
#[cfg(test)]
mod tests;
pub mod value;
pub mod yaml;

pub use evaluate::Evaluation;
pub use value::Value;

/// What is shown in place of what must not be.
pub const MASK: &str = "****";

/// A template that was read and found well formed.
#[derive(Clone, Debug)]
pub struct Template {
    pub description: Option<String>,
    pub metadata: Option<Value>,
    /// Names in the `Transform` section, in order.
    pub transforms: Vec<String>,
    pub parameters: Vec<Parameter>,
    /// Map, first key, second key.
    pub mappings: Vec<(String, Value)>,
    /// By name, unevaluated.
    pub conditions: Vec<(String, Value)>,
    pub rules: Vec<(String, Value)>,
    pub resources: Vec<Resource>,
    pub outputs: Vec<Output>,
}

/// A parameter's declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    pub key: String,
    /// `String`, `List<Number>`, `AWS::SSM::Parameter::Value<String>`…, as written.
    pub kind: String,
    pub default: Option<String>,
    pub no_echo: bool,
    pub description: Option<String>,
    pub allowed_values: Vec<String>,
    pub allowed_pattern: Option<String>,
    pub constraint_description: Option<String>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    /// As written: numbers of any size.
    pub min_value: Option<String>,
    pub max_value: Option<String>,
}

/// A resource's declaration; its values are not evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    pub logical_id: String,
    /// `AWS::SSM::Parameter`
    pub kind: String,
    pub properties: Value,
    pub condition: Option<String>,
    pub depends_on: Vec<String>,
    pub deletion_policy: Option<Value>,
    pub update_replace_policy: Option<Value>,
    pub creation_policy: Option<Value>,
    pub update_policy: Option<Value>,
    pub metadata: Option<Value>,
}

/// An output's declaration; its values are not evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    pub key: String,
    pub description: Option<String>,
    pub value: Value,
    pub condition: Option<String>,
    /// The value of `Export.Name`.
    pub export: Option<Value>,
}

/// What a user gives for a parameter (CreateStack's `Parameters`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    pub key: String,
    pub value: Option<String>,
    pub use_previous: bool,
}

/// A parameter with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    pub key: String,
    /// As given or defaulted: for `AWS::SSM::Parameter::Value<…>` the name of the Systems Manager parameter.
    pub value: String,
    /// What Systems Manager said, for `AWS::SSM::Parameter::Value<…>`.
    pub resolved: Option<String>,
    pub no_echo: bool,
    /// Whether `Ref` makes a list of it.
    pub list: bool,
}

/// What pseudo parameters tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    pub account: String,
    pub region: String,
    pub stack_name: String,
    pub stack_id: String,
    pub notification_arns: Vec<String>,
}

/// What an output came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

/// What evaluating asks of the stack.
pub trait Asks {
    /// What `Ref` gives of a resource that was made.
    fn reference(&mut self, logical_id: &str) -> Result<Value>;
    /// What `Fn::GetAtt` gives.
    fn attribute(&mut self, logical_id: &str, attribute: &str) -> Result<Value>;
    /// What another stack of the account and region exports under the name.
    fn import(&mut self, name: &str) -> Result<String>;
    /// The availability zones of a region.
    fn zones(&mut self, region: &str) -> Result<Vec<String>>;
}

/// Where dynamic references, and parameters of the SSM kinds, are looked up: with GetParameter and GetSecretValue, as the caller.
pub trait Sources {
    /// A plain parameter of Systems Manager: its value. `name` may be followed by `:version`.
    fn parameter(&mut self, name: &str) -> Result<String>;
    /// A secure one, decrypted.
    fn secure_parameter(&mut self, name: &str) -> Result<String>;
    /// Learns of a secret that a reference opened to.
    fn revealed(&mut self, _secret: &str) {}
    /// A secret's `SecretString`, whole.
    fn secret(&mut self, id: &str, stage: Option<&str>, version: Option<&str>) -> Result<String>;
}
