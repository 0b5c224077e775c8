//! A function for the world, and what Lambda's operations name beside it.

use pipeline::testing::ACCOUNT;
use serde_json::json;
use wire::Document;

use crate::world::World;

impl World {
    /// A function with a version, an alias, a policy and settings for events, and what the others are made of.
    pub(crate) fn furnish_function(&mut self, name: &str) {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        self.make(
            "CreateRole",
            json!({"RoleName": "lambda", "AssumeRolePolicyDocument": trust}),
        );
        let role = format!("arn:aws:iam::{ACCOUNT}:role/lambda");
        let zip = crate::runner::zip();
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &zip);
        let retries = json!({"FunctionName": name, "MaximumRetryAttempts": 1});
        let permission = json!({"FunctionName": name, "StatementId": name, "Action": "lambda:InvokeFunction", "Principal": ACCOUNT});
        for (operation, input) in [
            (
                "CreateFunction",
                json!({"FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "index.handler",
                    "Code": {"ZipFile": encoded}, "Publish": true}),
            ),
            (
                "CreateAlias",
                json!({"FunctionName": name, "Name": name, "FunctionVersion": "1"}),
            ),
            ("AddPermission", permission),
            ("PutFunctionEventInvokeConfig", retries),
            (
                "PublishLayerVersion",
                json!({"LayerName": name, "Content": {"ZipFile": encoded}}),
            ),
            (
                "AddLayerVersionPermission",
                json!({"LayerName": name, "VersionNumber": 1, "StatementId": name, "Action": "lambda:GetLayerVersion",
                    "Principal": ACCOUNT}),
            ),
        ] {
            let made = self.call("lambda", operation, input);
            made.unwrap_or_else(|code| panic!("{operation}: {code}"));
        }
        let text = |value: &str| Document::String(value.to_owned());
        let code = Document::Structure(vec![("ZipFile", Document::Blob(zip.clone()))]);
        let layer = vec![("Content", code.clone())];
        let whole = vec![
            ("FunctionName", text("made")),
            ("Role", text(&role)),
            ("Runtime", text("python3.13")),
            ("Handler", text("index.handler")),
            ("Code", code),
        ];
        let alias = vec![("Name", text("made")), ("FunctionVersion", text("1"))];
        let permission = vec![
            ("StatementId", text("made")),
            ("Action", text("lambda:InvokeFunction")),
            ("Principal", text(ACCOUNT)),
        ];
        let retries = vec![("MaximumRetryAttempts", Document::Integer(2))];
        let shared = vec![
            ("StatementId", text("made")),
            ("Action", text("lambda:GetLayerVersion")),
            ("Principal", text(ACCOUNT)),
        ];
        for (operation, members) in [
            ("lambda:CreateFunction", whole),
            (
                "lambda:UpdateFunctionCode",
                vec![("ZipFile", Document::Blob(zip))],
            ),
            ("lambda:CreateAlias", alias),
            ("lambda:AddPermission", permission),
            ("lambda:PublishLayerVersion", layer),
            ("lambda:AddLayerVersionPermission", shared),
            ("lambda:PutFunctionEventInvokeConfig", retries.clone()),
            ("lambda:UpdateFunctionEventInvokeConfig", retries),
        ] {
            self.existing.pairs.insert(operation, members);
        }
    }
}
