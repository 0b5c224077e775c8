//! What templates may be, and CloudFormation's words for what they may not.

use super::*;

const BUCKET: &str = "Resources:\n  B: {Type: AWS::S3::Bucket}\n";

#[test]
fn every_section_is_kept() {
    let template = read(
        "AWSTemplateFormatVersion: 2010-09-09\nDescription: All of it\nMetadata: {A: 1}\nTransform: AWS::LanguageExtensions\n\
         Parameters:\n  P: {Type: Number, Default: 3, NoEcho: true}\nMappings: {M: {a: {b: c}}}\n\
         Conditions: {C: !Equals [!Ref P, 3]}\nResources:\n  B:\n    Type: AWS::S3::Bucket\n    DependsOn: K\n    \
         Condition: C\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Delete\n    CreationPolicy: {X: 1}\n    \
         UpdatePolicy: {Y: 1}\n    Metadata: {Z: 1}\n  K: {Type: AWS::KMS::Key}\n\
         Outputs:\n  O: {Value: !Ref B, Condition: C, Description: d, Export: {Name: !Sub '${AWS::StackName}-o'}}\n",
    );
    let bucket = template.resource("B").unwrap();
    assert_eq!(bucket.depends_on, ["K"]);
    assert_eq!(bucket.deletion_policy, Some(Value::text("Retain")));
    assert!(bucket.creation_policy.is_some() && bucket.update_policy.is_some() && bucket.metadata.is_some());
    let parameter = template.parameter("P").unwrap();
    assert_eq!(
        (parameter.default.as_deref(), parameter.no_echo),
        (Some("3"), true)
    );
    assert!(template.outputs[0].export.is_some() && template.extended());
}

/// JSON and YAML both, and the places at which they break.
#[test]
fn what_is_not_well_formed_is_told_with_line_and_column() {
    assert_eq!(
        refusal("{\"Resources\": }"),
        "Template format error: JSON not well-formed. (line 1, column 15)"
    );
    assert!(refusal("Resources: [").starts_with("Template format error: YAML not well-formed. (line "));
    assert_eq!(
        refusal("just text"),
        "Template format error: unsupported structure."
    );
    assert_eq!(
        refusal("Resources: {}"),
        "Template format error: At least one Resources member must be defined."
    );
}

#[test]
fn the_words_of_refusals_are_cloudformations() {
    for (body, said) in [
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !Ref Nope, M: !Sub '${Lost}'}}",
            "Template format error: Unresolved resource dependencies [Lost, Nope] in the Resources block of the template",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, DependsOn: [Nope]}",
            "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !GetAtt Nope.Arn}}",
            "Template error: instance of Fn::GetAtt references undefined resource Nope",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Condition: Nope}",
            "Template format error: Unresolved condition dependency Nope in the Resources block of the template",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !If [Nope, a, b]}}",
            "Template error: unresolved condition dependency Nope in Fn::If",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !FindInMap [Nope, a, b]}}",
            "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !Ref C}}\n  C: {Type: AWS::S3::Bucket, Properties: {N: !GetAtt B.Arn}}",
            "Circular dependency between resources: [B, C]",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: null}}",
            "Template format error: [/Resources/B/Properties/N] 'null' values are not allowed in templates",
        ),
        (
            "Resources:\n  my-bucket: {Type: AWS::S3::Bucket}",
            "Template format error: Resource name my-bucket is non alphanumeric.",
        ),
        (
            "Resources:\n  B: {Typ: AWS::S3::Bucket}",
            "Invalid template resource property 'Typ'",
        ),
        (
            "Resources:\n  B: {Properties: {}}",
            "Template format error: [/Resources/B] Every Resources object must contain a Type member.",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, DeletionPolicy: Snapshot}",
            "Template error: resource type AWS::S3::Bucket does not support deletion policy Snapshot",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: {'Fn::Foo': 1}}}",
            "Template error: Encountered unsupported function: Fn::Foo Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr]",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: {'Fn::Length': [1]}}}",
            "Template error: Encountered unsupported function: Fn::Length Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr]",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: {'Fn::GetAtt': [B]}}}",
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !Sub '${a b}'}}",
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: !ImportValue {'Ref': B}}}",
            "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs",
        ),
        (
            "Resources:\n  B: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {K: '{{resolve:ssm-secure:/k:1}}'}}}}",
            "SSM Secure reference is not supported in: [AWS::Lambda::Function/Properties/Environment/Variables/K]",
        ),
        (
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {N: '{{resolve:ssm:/k:latest}}'}}",
            "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/k:latest}}]",
        ),
    ] {
        assert_eq!(refusal(body), said, "{body}");
    }
}

#[test]
fn the_words_about_sections_are_cloudformations() {
    for (head, said) in [
        ("Foo: 1\n", "Invalid template property or properties [Foo]"),
        (
            "AWSTemplateFormatVersion: '2011-01-01'\n",
            "Template format error: unsupported value for AWSTemplateFormatVersion.",
        ),
        (
            "Parameters:\n  P: {Type: Strin}\n",
            "Template format error: Unrecognized parameter type: Strin",
        ),
        (
            "Parameters:\n  P: {Default: a}\n",
            "Template format error: [/Parameters/P] Every Parameters object must contain a Type member.",
        ),
        (
            "Parameters:\n  P: {Type: String, MinValue: 1}\n",
            "Template error: Parameter 'P' MinValue must be on a parameter of type Number",
        ),
        (
            "Parameters:\n  B: {Type: String}\n",
            "Template error: all resources and parameters must have unique names. Common name(s):[B]",
        ),
        (
            "Conditions:\n  C: !Equals [!Ref B, x]\n",
            "Template format error: Unresolved dependencies [B]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            "Conditions:\n  C: !Not [!Condition Nope]\n",
            "Template format error: Unresolved condition dependencies [Nope] in the Conditions block of the template",
        ),
        (
            "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n",
            "Template format error: Circular dependency between conditions: [A, B]",
        ),
        (
            "Conditions:\n  C: yes\n",
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
        ),
        (
            "Conditions:\n  C: !And [!Equals [a, a]]\n",
            "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
        ),
        (
            "Mappings: {M: {a: b}}\n",
            "Template format error: [/Mappings/M/a] Every Mappings member must be a map",
        ),
        (
            "Transform: AWS::Serverless-2016-10-31\n",
            "Transform AWS::Serverless-2016-10-31 is not implemented by this version of Ringwork.",
        ),
        ("Transform: Mine\n", "No transform named Mine found."),
        (
            "Outputs: {O: {Value: !Ref Nope}}\n",
            "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template",
        ),
        (
            "Outputs: {O: {}}\n",
            "Template format error: [/Outputs/O] Every Outputs member must contain a Value object",
        ),
        (
            "Outputs: {O: {Value: a, Export: {Name: !Ref B}}}\n",
            "Template format error: Output O is malformed. The Name field of every Export member must not depend on any resources, imported values, or Fn::GetAZs",
        ),
    ] {
        assert_eq!(refusal(&format!("{head}{BUCKET}")), said, "{head}");
    }
    let long = format!("Description: {}\n{BUCKET}", "x".repeat(1025));
    assert_eq!(
        refusal(&long),
        "Template format error: 'Description' length is greater than 1024"
    );
}

#[test]
fn limits_are_kept() {
    let resources = |count: usize| {
        let lines = (0..count).map(|index| format!("  R{index}: {{Type: AWS::S3::Bucket}}\n"));
        format!("Resources:\n{}", lines.collect::<String>())
    };
    assert_eq!(read(&resources(500)).resources.len(), 500);
    assert_eq!(
        refusal(&resources(501)),
        "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    );
    let parameters = (0..201).map(|index| format!("  P{index}: {{Type: String}}\n"));
    let body = format!("Parameters:\n{}{BUCKET}", parameters.collect::<String>());
    assert_eq!(
        refusal(&body),
        "Template format error: Number of parameters, 201, is greater than maximum allowed, 200"
    );
    assert!(
        refusal(&format!(
            "Metadata: {}1{}\n{BUCKET}",
            "[".repeat(90),
            "]".repeat(90)
        ))
        .contains("not well-formed")
    );
}

#[test]
fn capabilities_are_told_of_identities_and_of_their_names() {
    assert_eq!(read(BUCKET).capabilities(), (Vec::new(), None));
    let role = |properties: &str| {
        let body = format!(
            "Resources:\n  R: {{Type: AWS::IAM::Role, Properties: {properties}}}\n  P: {{Type: AWS::IAM::Policy}}"
        );
        read(&body).capabilities()
    };
    let reason =
        "The following resource(s) require capabilities: [AWS::IAM::Role, AWS::IAM::Policy]".to_owned();
    assert_eq!(role("{}"), (vec!["CAPABILITY_IAM"], Some(reason.clone())));
    assert_eq!(
        role("{RoleName: r}"),
        (vec!["CAPABILITY_NAMED_IAM"], Some(reason))
    );
}

#[test]
fn parameters_are_what_is_given_or_the_default_and_keep_their_constraints() {
    let declared = "Parameters:\n  Stage: {Type: String, AllowedValues: [dev, prod], Default: dev}\n  \
                    Size: {Type: Number, MinValue: 1, MaxValue: 9, Default: 3}\n  \
                    Name: {Type: String, AllowedPattern: '[a-z]+', MinLength: 2, MaxLength: 4, Default: abc}\n  \
                    Code: {Type: String, AllowedPattern: '[0-9]+', ConstraintDescription: digits only, Default: '1'}\n  \
                    Ports: {Type: List<Number>, Default: '80, 443'}\n";
    let template = read(&format!("{declared}{BUCKET}"));
    let settings = settle(&template, &[("Stage", "prod")]).unwrap();
    assert_eq!(settings[0].value, "prod");
    assert_eq!(settings[1].value, "3");
    assert!(settings[4].list);
    assert_eq!(parameter::value(&settings[4]).to_json(), r#"["80","443"]"#);
    for (key, value, said) in [
        ("Stage", "test", "Parameter 'Stage' must be one of AllowedValues"),
        ("Size", "x", "Parameter 'Size' must be a number"),
        ("Size", "0", "Parameter 'Size' must be a number not less than 1"),
        (
            "Size",
            "10",
            "Parameter 'Size' must be a number not greater than 9",
        ),
        ("Name", "a1", "Parameter 'Name' must match pattern [a-z]+"),
        ("Name", "a", "Parameter 'Name' must contain at least 2 characters"),
        (
            "Name",
            "abcde",
            "Parameter 'Name' must contain at most 4 characters",
        ),
        (
            "Code",
            "a",
            "Parameter 'Code' failed to satisfy constraint: digits only",
        ),
        ("Ports", "80,x", "Parameter 'Ports' must be a number"),
        ("Other", "1", "Parameters: [Other] do not exist in the template"),
    ] {
        assert_eq!(settle(&template, &[(key, value)]).unwrap_err(), said);
    }
    let bare = read(&format!(
        "Parameters:\n  A: {{Type: String}}\n  B2: {{Type: String}}\n{BUCKET}"
    ));
    assert_eq!(
        settle(&bare, &[]).unwrap_err(),
        "Parameters: [A, B2] must have values"
    );
}

#[test]
fn previous_values_are_used_where_they_are_asked_for() {
    let template = read(&format!("Parameters:\n  A: {{Type: String}}\n{BUCKET}"));
    let before = settle(&template, &[("A", "was")]).unwrap();
    let again = [Given {
        key: "A".to_owned(),
        value: None,
        use_previous: true,
    }];
    let settled = parameter::settle(&template, &again, &before, &mut World::default());
    assert_eq!(settled.map_err(|fault| fault.message).unwrap()[0].value, "was");
    let refused = parameter::settle(&template, &again, &[], &mut World::default());
    assert_eq!(
        refused.unwrap_err().message,
        "Invalid input for parameter key A. Cannot specify usePreviousValue as true for a parameter key not in the \
         previous template"
    );
}

/// Who may hand in a template may not see by it what was given as a secret.
#[test]
fn what_was_given_without_echo_stays_so() {
    let silent = read(&format!(
        "Parameters:\n  A: {{Type: String, NoEcho: true}}\n{BUCKET}"
    ));
    let loud = read(&format!("Parameters:\n  A: {{Type: String}}\n{BUCKET}"));
    let before = settle(&silent, &[("A", "was")]).unwrap();
    let again = [Given {
        key: "A".to_owned(),
        value: None,
        use_previous: true,
    }];
    let settled = parameter::settle(&loud, &again, &before, &mut World::default());
    assert!(settled.map_err(|fault| fault.message).unwrap()[0].no_echo);
    assert!(!settle(&loud, &[("A", "is")]).unwrap()[0].no_echo);
}

/// Nor by asking Systems Manager for a parameter of that name, which would tell what was asked for.
#[test]
fn what_was_given_without_echo_is_no_name_to_ask_for() {
    let silent = read(&format!(
        "Parameters:\n  A: {{Type: String, NoEcho: true}}\n{BUCKET}"
    ));
    let named = read(&format!(
        "Parameters:\n  A: {{Type: 'AWS::SSM::Parameter::Value<String>'}}\n{BUCKET}"
    ));
    let before = settle(&silent, &[("A", "s3cr3t")]).unwrap();
    let again = [Given {
        key: "A".to_owned(),
        value: None,
        use_previous: true,
    }];
    let mut world = World::default();
    let refused = parameter::settle(&named, &again, &before, &mut world).unwrap_err();
    assert!(refused.message.starts_with("Invalid input for parameter key A."));
    assert!(!refused.message.contains("s3cr3t"), "{}", refused.message);
    assert_eq!(world.asked, Vec::<String>::new());
}

/// A name that is not to be shown is not shown in what Systems Manager says of it.
#[test]
fn a_silent_name_stands_in_no_refusal() {
    struct Nothing;
    impl Sources for Nothing {
        fn parameter(&mut self, name: &str) -> Result<String> {
            Err(wire::Fault::validation(format!(
                "Unable to fetch parameters [{name}]"
            )))
        }
        fn secure_parameter(&mut self, name: &str) -> Result<String> {
            self.parameter(name)
        }
        fn secret(&mut self, id: &str, _: Option<&str>, _: Option<&str>) -> Result<String> {
            self.parameter(id)
        }
    }
    let template = read(&format!(
        "Parameters:\n  A: {{Type: 'AWS::SSM::Parameter::Value<String>', NoEcho: true}}\n{BUCKET}"
    ));
    let refused = parameter::settle(&template, &given(&[("A", "/n")]), &[], &mut Nothing);
    assert_eq!(refused.unwrap_err().message, "Unable to fetch parameters [****]");
}

/// A step reads a template whose patterns were compiled when it was handed in, and compiles none.
#[test]
fn a_stored_template_compiles_no_pattern() {
    let text = format!("Parameters:\n  A: {{Type: String, AllowedPattern: '('}}\n{BUCKET}");
    assert!(refusal(&text).contains("must be a valid regular expression"));
    let stored = Template::stored(&text).map_err(|fault| fault.message).unwrap();
    assert_eq!(stored.parameters[0].allowed_pattern.as_deref(), Some("("));
}

/// Parameters of Systems Manager are looked up when the stack's parameters are settled (S10.10).
#[test]
fn parameters_of_systems_manager_are_resolved_by_their_kind() {
    let template = read(&format!(
        "Parameters:\n  One: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: /a}}\n  \
         Many: {{Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /b}}\n  \
         Name: {{Type: 'AWS::SSM::Parameter::Name', Default: /c}}\n{BUCKET}"
    ));
    let mut world = World::default();
    let settings = parameter::settle(&template, &given(&[("One", "/other")]), &[], &mut world);
    let settings = settings.map_err(|fault| fault.message).unwrap();
    assert_eq!(world.asked, ["ssm /other", "ssm /b"]);
    assert_eq!(settings[0].value, "/other");
    assert_eq!(parameter::value(&settings[0]), Value::text("a, b"));
    assert_eq!(parameter::value(&settings[1]).to_json(), r#"["a","b"]"#);
    assert_eq!(parameter::value(&settings[2]), Value::text("/c"));
    assert!(
        refusal(&format!(
            "Parameters:\n  P: {{Type: 'AWS::SSM::Parameter::Value<Nope>'}}\n{BUCKET}"
        ))
        .contains("Unrecognized")
    );
}
