//! Functions, conditions, the order, and dynamic references.

use super::*;

const HEAD: &str = "Parameters:\n  Env: {Type: String, Default: dev}\n  Nets: {Type: CommaDelimitedList, Default: 'a, b,c'}\n\
    Mappings:\n  M: {eu-west-1: {Ami: ami-1, Size: 2}}\nConditions:\n  Prod: !Equals [!Ref Env, prod]\n  \
    Dev: !Not [!Condition Prod]\n  Both: !And [!Condition Prod, !Condition Dev]\n  Any: !Or [!Condition Prod, !Condition Dev]\n";

fn properties(
    template: &Template,
    pairs: &[(&str, &str)],
    logical_id: &str,
) -> std::result::Result<String, String> {
    let settings = settle(template, pairs)?;
    let facts = facts();
    let evaluation = Evaluation::new(template, &settings, &facts).map_err(|fault| fault.message)?;
    let resource = template.resource(logical_id).unwrap();
    let value = evaluation.properties(resource, &mut World::default());
    value.map(|value| value.to_json()).map_err(|fault| fault.message)
}

fn one(value: &str) -> std::result::Result<String, String> {
    let body = format!(
        "{HEAD}Resources:\n  K: {{Type: AWS::KMS::Key}}\n  R:\n    Type: AWS::S3::Bucket\n    Properties: {{P: {value}}}\n"
    );
    let template = Template::read(&body).map_err(|fault| fault.message)?;
    properties(&template, &[], "R")
}

#[test]
fn functions_give_what_the_guide_says() {
    for (value, came) in [
        ("!Ref Env", "\"dev\""),
        ("!Ref Nets", r#"["a","b","c"]"#),
        ("!Ref K", "\"ref-K\""),
        ("!Ref 'AWS::AccountId'", "\"111122223333\""),
        ("!Ref 'AWS::URLSuffix'", "\"amazonaws.com\""),
        (
            "!Ref 'AWS::NotificationARNs'",
            r#"["arn:aws:sns:eu-west-1:111122223333:told"]"#,
        ),
        ("!GetAtt K.Arn", "\"K/Arn\""),
        (
            "!Sub '${Env}-${K.Arn}-${AWS::Region}-${!Kept}'",
            "\"dev-K/Arn-eu-west-1-${Kept}\"",
        ),
        ("!Sub ['${x}/${Env}', {x: !Ref K}]", "\"ref-K/dev\""),
        ("!Join ['-', [a, !Ref Env, 3]]", "\"a-dev-3\""),
        ("!Join [',', !Ref Nets]", "\"a,b,c\""),
        ("!Split ['|', 'a||b']", r#"["a","","b"]"#),
        ("!Select [1, !Ref Nets]", "\"b\""),
        ("!Select ['0', !GetAZs '']", "\"eu-west-1a\""),
        ("!FindInMap [M, !Ref 'AWS::Region', Ami]", "\"ami-1\""),
        ("!FindInMap [M, eu-west-1, Size]", "2"),
        ("!Base64 hello", "\"aGVsbG8=\""),
        ("!Cidr [10.0.0.0/24, 2, 4]", r#"["10.0.0.0/28","10.0.0.16/28"]"#),
        ("!ImportValue {'Fn::Sub': '${Env}-out'}", "\"import-dev-out\""),
        ("!If [Prod, big, small]", "\"small\""),
        ("[a, !If [Prod, b, !Ref 'AWS::NoValue'], c]", r#"["a","c"]"#),
        ("{A: 1, Condition: x}", r#"{"A":1,"Condition":"x"}"#),
        ("{Condition: x}", r#"{"Condition":"x"}"#),
        ("!If [Any, {X: !If [Both, 1, 2]}, no]", r#"{"X":2}"#),
    ] {
        assert_eq!(one(value), Ok(format!("{{\"P\":{came}}}")), "{value}");
    }
    assert_eq!(one("!Ref 'AWS::NoValue'"), Ok("{}".to_owned()));
}

#[test]
fn functions_refuse_what_they_do_not_take() {
    for (value, said) in [
        (
            "!Select [3, [a, b]]",
            "Template error: Fn::Select cannot select nonexistent value at index 3",
        ),
        (
            "!Select [x, [a]]",
            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
        ),
        (
            "!FindInMap [M, us-east-1, Ami]",
            "Template error: Unable to get mapping for M::us-east-1::Ami",
        ),
        (
            "!Sub '${Nets}'",
            "Template error: variable Nets in Fn::Sub expression does not resolve to a string",
        ),
        (
            "!Base64 [a]",
            "Template error: every Fn::Base64 object must have a String-typed value.",
        ),
        (
            "!Cidr [10.0.0.0/24, 9, 5]",
            "Template error: Fn::Cidr cannot cut 9 blocks of 5 subnet bits from 10.0.0.0/24",
        ),
    ] {
        assert_eq!(one(value), Err(said.to_owned()), "{value}");
    }
}

#[test]
fn the_extensions_need_their_transform() {
    let body = "Transform: AWS::LanguageExtensions\nMappings: {M: {a: {b: c}}}\nResources:\n  R:\n    Type: AWS::S3::Bucket\n    \
                DeletionPolicy: !FindInMap [M, x, y, {DefaultValue: Retain}]\n    \
                Properties: {L: !Length [1, 2], J: !ToJsonString {a: [1, x]}, D: !FindInMap [M, x, y, {DefaultValue: d}]}\n";
    let template = read(body);
    assert_eq!(
        properties(&template, &[], "R"),
        Ok(r#"{"L":2,"J":"{\"a\":[1,\"x\"]}","D":"d"}"#.to_owned())
    );
    let facts = facts();
    let evaluation = Evaluation::new(&template, &[], &facts)
        .map_err(|fault| fault.message)
        .unwrap();
    let policy = evaluation.policy(template.resources[0].deletion_policy.as_ref());
    assert_eq!(
        policy.map_err(|fault| fault.message),
        Ok(Some("Retain".to_owned()))
    );
}

const CHOICES: &str = "Resources:\n  Only: {Type: AWS::S3::Bucket, Condition: Prod}\n  \
    Late: {Type: AWS::S3::Bucket, DependsOn: [Only, Last]}\n  \
    Uses: {Type: AWS::S3::Bucket, Properties: {N: !If [Prod, !Ref Only, !Ref Late]}}\n  Last: {Type: AWS::S3::Bucket}\n\
    Outputs:\n  A: {Value: !Ref Only, Condition: Prod}\n  B: {Value: !GetAtt Last.Arn, Export: {Name: !Sub '${AWS::StackName}-b'}}\n";

#[test]
fn what_conditions_leave_out_is_not_made_nor_waited_for() {
    let template = read(&format!("{HEAD}{CHOICES}"));
    let facts = facts();
    for (env, order, outputs) in [
        ("dev", ["Last", "Late", "Uses"].as_slice(), ["B"].as_slice()),
        (
            "prod",
            ["Only", "Uses", "Last", "Late"].as_slice(),
            ["A", "B"].as_slice(),
        ),
    ] {
        let settings = settle(&template, &[("Env", env)]).unwrap();
        let evaluation = Evaluation::new(&template, &settings, &facts)
            .map_err(|fault| fault.message)
            .unwrap();
        let made = evaluation.order().map_err(|fault| fault.message).unwrap();
        let position = |name: &str| made.iter().position(|resource| resource.logical_id == name);
        assert_eq!(made.len(), order.len());
        for name in order {
            let resource = template.resource(name).unwrap();
            for needed in evaluation
                .dependencies(resource)
                .map_err(|fault| fault.message)
                .unwrap()
            {
                assert!(position(&needed) < position(name), "{needed} before {name}");
            }
        }
        let told = evaluation
            .outputs(&mut World::default())
            .map_err(|fault| fault.message)
            .unwrap();
        let keys: Vec<&str> = told.iter().map(|told| told.key.as_str()).collect();
        assert_eq!(keys, outputs);
        assert_eq!(told.last().unwrap().export.as_deref(), Some("shop-b"));
    }
}

#[test]
fn what_is_made_must_not_name_what_is_not() {
    let template = read(&format!(
        "{HEAD}Resources:\n  Only: {{Type: AWS::S3::Bucket, Condition: Prod}}\n  Uses: {{Type: AWS::S3::Bucket, Properties: {{N: !Ref Only}}}}\n"
    ));
    assert_eq!(
        properties(&template, &[], "Uses").unwrap_err(),
        "Template format error: Unresolved resource dependencies [Only] in the Resources block of the template"
    );
    assert!(properties(&template, &[("Env", "prod")], "Uses").is_ok());
}

#[test]
fn rules_assert_what_parameters_are() {
    let template = read(
        "Parameters:\n  Env: {Type: String}\n  Size: {Type: String}\nRules:\n  Big:\n    RuleCondition: !Equals [!Ref Env, prod]\n    \
         Assertions:\n      - Assert: {'Fn::Contains': [[l, xl], !Ref Size]}\n        AssertDescription: production is large\n\
         Resources:\n  B: {Type: AWS::S3::Bucket}\n",
    );
    assert!(properties(&template, &[("Env", "dev"), ("Size", "s")], "B").is_ok());
    assert!(properties(&template, &[("Env", "prod"), ("Size", "xl")], "B").is_ok());
    assert_eq!(
        properties(&template, &[("Env", "prod"), ("Size", "s")], "B").unwrap_err(),
        "Template validation error: production is large"
    );
}

fn resolved(kind: &str, text: &str) -> (std::result::Result<String, String>, Vec<String>) {
    let mut world = World::default();
    let value = Value::Map(vec![("P".to_owned(), Value::List(vec![Value::text(text)]))]);
    let resolved = dynamic::resolve(&value, kind, &mut world);
    let text = resolved.map_err(|fault| fault.message).map(|value| {
        let item = value
            .get("P")
            .and_then(Value::as_list)
            .and_then(<[Value]>::first)
            .cloned();
        item.and_then(|item| item.scalar()).unwrap()
    });
    (text, world.asked)
}

/// Dynamic references are opened in what the service is given (S10.10), and evaluating alone leaves them as they stand.
#[test]
fn dynamic_references_are_opened_late() {
    let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3";
    for (text, came, asked) in [
        ("{{resolve:ssm:/a/b}}", "a, b", "ssm /a/b"),
        ("x{{resolve:ssm:a:3}}y", "xa, by", "ssm a:3"),
        (
            "{{resolve:secretsmanager:db:SecretString:user}}",
            "ada",
            "secret db None None",
        ),
        (
            "{{resolve:secretsmanager:db:SecretString:port:AWSPREVIOUS}}",
            "5432",
            "secret db Some(\"AWSPREVIOUS\") None",
        ),
        (
            "{{resolve:secretsmanager:db:SecretString:user::v1}}",
            "ada",
            "secret db None Some(\"v1\")",
        ),
        (
            "{{resolve:secretsmanager:db}}",
            r#"{"user":"ada","port":5432}"#,
            "secret db None None",
        ),
    ] {
        let (value, world) = resolved("AWS::RDS::DBInstance", text);
        assert_eq!(
            (value, world),
            (Ok(came.to_owned()), vec![asked.to_owned()]),
            "{text}"
        );
    }
    let (value, asked) = resolved(
        "AWS::S3::Bucket",
        &format!("{{{{resolve:secretsmanager:{secret}:SecretString:user}}}}"),
    );
    assert_eq!(
        (value, asked),
        (Ok("ada".to_owned()), vec![format!("secret {secret} None None")])
    );
    assert_eq!(
        one("'{{resolve:ssm:/a}}-${x}'"),
        Ok("{\"P\":\"{{resolve:ssm:/a}}-${x}\"}".to_owned())
    );
}

#[test]
fn dynamic_references_are_refused_precisely() {
    for (text, said) in [
        (
            "{{resolve:ssm-secure:/a:1}}",
            "SSM Secure reference is not supported in: [AWS::S3::Bucket/Properties/P]",
        ),
        (
            "{{resolve:secretsmanager:db:SecretBinary}}",
            "Incorrect format is used in the following Secrets Manager reference: [{{resolve:secretsmanager:db:SecretBinary}}]",
        ),
        (
            "{{resolve:secretsmanager:db:SecretString:nope}}",
            "Could not find a value associated with JSONKey in SecretString",
        ),
    ] {
        assert_eq!(resolved("AWS::S3::Bucket", text).0, Err(said.to_owned()));
    }
    let mut world = World::default();
    let login = Value::from_json(r#"{"LoginProfile":{"Password":"{{resolve:ssm-secure:/pw:2}}"}}"#).unwrap();
    let opened = dynamic::resolve(&login, "AWS::IAM::User", &mut world)
        .map_err(|fault| fault.message)
        .unwrap();
    assert_eq!(opened.to_json(), r#"{"LoginProfile":{"Password":"hidden"}}"#);
    assert_eq!(world.asked, ["ssm-secure /pw:2"]);
}

/// Functions in functions multiply: each of these asks for more than any machine has, in less than a page.
#[test]
fn what_functions_come_to_is_bounded() {
    let mut sub = "!Ref Env".to_owned();
    for _ in 0..12 {
        sub = format!("!Sub ['{}', {{a: {sub}}}]", "${a}".repeat(40));
    }
    let mut join = "!Ref Env".to_owned();
    for _ in 0..12 {
        join = format!("!Join ['{}', !Split ['e', {join}]]", "e".repeat(40));
    }
    for bomb in [sub, join] {
        let refused = one(&bomb).unwrap_err();
        assert!(refused.contains("come to more than"), "{refused}");
    }
}
