//! A world with one thing of every kind that operations name.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};
use wire::Document;

use crate::sign::Keys;
use crate::world::World;

impl World {
    /// An account with one thing of every kind, named `existing`.
    pub fn furnished() -> Self {
        let mut world = Self::bare()
            .with_functions(Arc::new(crate::runner::Echo))
            .with_instances(Arc::new(crate::plane::Idle));
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#;
        let name = "existing";
        world.make("CreateUser", json!({"UserName": name}));
        world.make("CreateGroup", json!({"GroupName": name}));
        world.make(
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": trust}),
        );
        world.make("CreateInstanceProfile", json!({"InstanceProfileName": name}));
        world.make("CreateVirtualMFADevice", json!({"VirtualMFADeviceName": name}));
        let provider = json!({"Url": "https://existing.example", "ClientIDList": ["a"], "ThumbprintList": ["a".repeat(40)]});
        world.make("CreateOpenIDConnectProvider", provider);
        let metadata = crate::sample::METADATA;
        world.make(
            "CreateSAMLProvider",
            json!({"Name": name, "SAMLMetadataDocument": metadata}),
        );
        let policy = crate::sample::POLICY;
        world.make(
            "CreatePolicy",
            json!({"PolicyName": name, "PolicyDocument": policy}),
        );
        let inline = json!({"PolicyName": name, "PolicyDocument": policy});
        for (kind, operation) in [
            ("UserName", "PutUserPolicy"),
            ("GroupName", "PutGroupPolicy"),
            ("RoleName", "PutRolePolicy"),
        ] {
            let mut input = inline.clone();
            input[kind] = name.into();
            world.make(operation, input);
        }
        world.existing.access_key_id = Keys::of(&world.make("CreateAccessKey", json!({"UserName": name}))).id;
        world.furnish_credentials(name);
        world.furnish_keys(name);
        world.furnish_secret(name);
        world.furnish_function(name);
        world.furnish_instance(name);
        world.furnish_stack(name);
        world.furnish_metrics();
        world.furnish_parameter(name);
        world.furnish_bucket(name);
        world.furnish_analyzer(name, trust);
        if world
            .gateway
            .endpoint("organizations", "CreateOrganization")
            .is_some()
        {
            world.organize();
        }
        world.plan.take_written();
        world
    }

    /// A key with an alias and a grant, one that waits for its material, one of two regions, and pairs.
    fn furnish_keys(&mut self, name: &str) {
        let made = self.call("kms", "CreateKey", json!({})).expect("a key");
        self.existing.key_id = made["KeyMetadata"]["KeyId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let id = |input| {
            let made = self.call("kms", "CreateKey", input).expect("a key");
            made["KeyMetadata"]["KeyId"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let (external, primary) = (
            id(json!({"Origin": "EXTERNAL"})),
            id(json!({"MultiRegion": true})),
        );
        let replica = json!({"KeyId": primary, "ReplicaRegion": "eu-west-1"});
        self.call("kms", "ReplicateKey", replica).expect("a replica");
        self.furnish_pairs();
        // A key whose material is to be imported, and a primary key with a replica.
        for (operation, key) in [
            ("GetParametersForImport", &external),
            ("ImportKeyMaterial", &external),
            ("DeleteImportedKeyMaterial", &external),
            ("ReplicateKey", &primary),
            ("UpdatePrimaryRegion", &primary),
        ] {
            let named = vec![("KeyId", Document::String(key.clone()))];
            self.existing.pairs.insert(operation, named);
        }
        let alias = json!({"AliasName": "alias/existing", "TargetKeyId": self.existing.key_id});
        self.call("kms", "CreateAlias", alias).expect("an alias");
        let user = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        let grant =
            json!({"KeyId": self.existing.key_id, "GranteePrincipal": user, "Operations": ["Encrypt"]});
        let made = self.call("kms", "CreateGrant", grant).expect("a grant");
        self.existing.grant_id = made["GrantId"].as_str().unwrap_or_default().to_owned();
        let encrypted = json!({"KeyId": self.existing.key_id, "Plaintext": "AAAA"});
        let made = self.call("kms", "Encrypt", encrypted).expect("a ciphertext");
        let text = made["CiphertextBlob"].as_str().unwrap_or_default();
        self.existing.ciphertext =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).expect("base64");
    }

    /// A stack to come, with its change set.
    fn furnish_stack(&mut self, name: &str) {
        let template = crate::sample::TEMPLATE;
        let set = json!({
            "StackName": name, "ChangeSetName": name, "ChangeSetType": "CREATE", "TemplateBody": template,
        });
        self.call("cloudformation", "CreateChangeSet", set)
            .expect("a change set");
        let text = |text: &str| Document::String(text.to_owned());
        let body = ("TemplateBody", text(template));
        let pairs = &mut self.existing.pairs;
        for operation in ["ValidateTemplate", "GetTemplateSummary"] {
            pairs.insert(operation, vec![body.clone()]);
        }
        let made = vec![
            ("StackName", text("made")),
            ("ChangeSetType", text("CREATE")),
            body.clone(),
        ];
        pairs.insert("CreateChangeSet", made);
        pairs.insert("CreateStack", vec![("StackName", text("made")), body]);
        for operation in ["DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"] {
            pairs.insert(operation, vec![("StackName", text(name))]);
        }
        for operation in ["GetTemplate", "DescribeStackResources"] {
            pairs.insert(operation, vec![("StackName", text(name))]);
        }
        let allowed =
            r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
        pairs.insert("SetStackPolicy", vec![("StackPolicyBody", text(allowed))]);
    }

    /// What requests for metrics say beside what the model requires.
    pub(crate) fn furnish_metrics(&mut self) {
        let text = |text: &str| Document::String(text.to_owned());
        let at =
            |seconds: i64| Document::Timestamp(wire::Timestamp::from_seconds(BEGINNING / 1000 + seconds));
        let datum = Document::Structure(vec![("MetricName", text("m")), ("Value", Document::Float(1.0))]);
        let metric = Document::Structure(vec![("Namespace", text("n")), ("MetricName", text("m"))]);
        let stat = Document::Structure(vec![
            ("Metric", metric),
            ("Period", Document::Integer(60)),
            ("Stat", text("Sum")),
        ]);
        let query = Document::Structure(vec![("Id", text("m1")), ("MetricStat", stat)]);
        let span = [("StartTime", at(-600)), ("EndTime", at(0))];
        let with = |more: Vec<(&'static str, Document)>| span.iter().cloned().chain(more).collect::<Vec<_>>();
        let pairs = &mut self.existing.pairs;
        pairs.insert("PutMetricData", vec![("MetricData", Document::List(vec![datum]))]);
        let queries = Document::List(vec![query]);
        pairs.insert("GetMetricData", with(vec![("MetricDataQueries", queries)]));
        let statistics = Document::List(vec![text("Sum")]);
        pairs.insert(
            "GetMetricStatistics",
            with(vec![
                ("Statistics", statistics),
                ("Period", Document::Integer(60)),
            ]),
        );
    }

    /// A parameter that is shared with another account.
    fn furnish_parameter(&mut self, name: &str) {
        let parameter = json!({"Name": name, "Value": "v", "Type": "String", "Tier": "Advanced"});
        self.call("ssm", "PutParameter", parameter).expect("a parameter");
        let arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}");
        let allowed = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ssm:GetParameter", "Resource": arn});
        let policy = json!({"Version": "2012-10-17", "Statement": [allowed]}).to_string();
        let put = json!({"ResourceArn": arn, "Policy": policy});
        let held = self
            .call("ssm", "PutResourcePolicy", put)
            .expect("a resource policy");
        let text = |member: &str| Document::String(held[member].as_str().unwrap_or_default().to_owned());
        let named = ("ResourceArn", Document::String(arn));
        let deleted = vec![
            named.clone(),
            ("PolicyId", text("PolicyId")),
            ("PolicyHash", text("PolicyHash")),
        ];
        let pairs = &mut self.existing.pairs;
        pairs.insert(
            "ssm:PutResourcePolicy",
            vec![named.clone(), ("Policy", Document::String(policy))],
        );
        pairs.insert("ssm:DeleteResourcePolicy", deleted);
        pairs.insert("GetResourcePolicies", vec![named]);
    }

    /// Keys that sign, authenticate and agree.
    fn furnish_pairs(&mut self) {
        for (spec, usage, operations) in [
            ("ECC_NIST_P256", "SIGN_VERIFY", &["GetPublicKey", "Sign"][..]),
            ("HMAC_224", "GENERATE_VERIFY_MAC", &["GenerateMac"]),
            ("ECC_NIST_P256", "KEY_AGREEMENT", &["DeriveSharedSecret"]),
            ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE", &["Encapsulate"]),
        ] {
            let made = self
                .call("kms", "CreateKey", json!({"KeySpec": spec, "KeyUsage": usage}))
                .expect("a key");
            let key = made["KeyMetadata"]["KeyId"].as_str().unwrap_or_default();
            let mut members = vec![("KeyId", Document::String(key.to_owned()))];
            if usage == "SIGN_VERIFY" {
                members.push(("SigningAlgorithm", Document::String("ECDSA_SHA_256".to_owned())));
            }
            if usage == "KEY_AGREEMENT" {
                let shown = self
                    .call("kms", "GetPublicKey", json!({"KeyId": key}))
                    .expect("a public key");
                let text = shown["PublicKey"].as_str().unwrap_or_default();
                let public = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
                members.push(("PublicKey", Document::Blob(public.expect("base64"))));
            }
            for operation in operations {
                self.existing.pairs.insert(operation, members.clone());
            }
        }
        // Shapes alone leave the region of a replica away.
        let region = Document::Structure(vec![("Region", Document::String("us-west-2".to_owned()))]);
        let regions = vec![("AddReplicaRegions", Document::List(vec![region]))];
        self.existing.pairs.insert("ReplicateSecretToRegions", regions);
    }

    /// An organization with a unit, a member in it, a policy, and an invitation that stands.
    fn organize(&mut self) {
        let ok = |world: &Self, operation: &str, input: Value| {
            let answer = world.call("organizations", operation, input);
            answer.unwrap_or_else(|code| panic!("{operation}: {code}"))
        };
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let made = ok(self, "CreateOrganization", json!({}));
        let organization = text(&made["Organization"]["Id"]);
        let root = text(&ok(self, "ListRoots", json!({}))["Roots"][0]["Id"]);
        let kind = json!({"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"});
        ok(self, "EnablePolicyType", kind);
        let unit = ok(
            self,
            "CreateOrganizationalUnit",
            json!({"ParentId": root, "Name": "unit"}),
        );
        let unit = text(&unit["OrganizationalUnit"]["Id"]);
        let (member, invited) = ("222233334444", "333344445555");
        let mut sent = String::new();
        for account in [member, invited] {
            let made = self.gateway.system("us-east-1", |call| {
                identity::iam::bootstrap::ensure_account(call, account, None)
            });
            made.map_err(|fault| fault.message).expect("an account");
            let target = json!({"Target": {"Id": account, "Type": "ACCOUNT"}});
            sent = text(&ok(self, "InviteAccountToOrganization", target)["Handshake"]["Id"]);
            if account == member {
                let accept = json!({ "HandshakeId": sent });
                let accepted = self.call_as(member, "organizations", "AcceptHandshake", accept);
                accepted.expect("a member");
            }
        }
        for service in ["config.amazonaws.com", "iam.amazonaws.com"] {
            let service = json!({ "ServicePrincipal": service });
            ok(self, "EnableAWSServiceAccess", service);
        }
        self.make("EnableOrganizationsRootCredentialsManagement", json!({}));
        let asked = json!({"AccountName": "asked", "Email": "asked@example.com"});
        let asked = text(&ok(self, "CreateAccount", asked)["CreateAccountStatus"]["Id"]);
        let document = crate::sample::POLICY;
        let policy = json!({"Type": "SERVICE_CONTROL_POLICY", "Name": "existing", "Description": "d", "Content": document});
        let policy = text(&ok(self, "CreatePolicy", policy)["Policy"]["PolicySummary"]["Id"]);
        let attach = json!({"PolicyId": policy, "TargetId": unit});
        ok(self, "AttachPolicy", attach);
        let delegates = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": member}, "Action": "organizations:ListPolicies", "Resource": "*",
        }});
        ok(
            self,
            "PutResourcePolicy",
            json!({"Content": delegates.to_string()}),
        );
        self.existing.organization = BTreeMap::from([
            ("EntityPath", format!("{organization}/{root}")),
            ("ParentId", root.clone()),
            ("SourceParentId", root.clone()),
            ("DestinationParentId", unit.clone()),
            ("RootId", root),
            ("OrganizationalUnitId", unit.clone()),
            ("ChildId", unit.clone()),
            ("ResourceId", unit.clone()),
            ("TargetId", unit),
            ("AccountId", member.to_owned()),
            ("HandshakeId", sent),
            ("CreateAccountRequestId", asked),
            ("PolicyId", policy),
        ]);
    }

    /// A bucket that keeps versions and locks.
    fn furnish_bucket(&mut self, name: &str) {
        if self.gateway.endpoint("s3", "CreateBucket").is_none() {
            return;
        }
        let place = json!({"LocationConstraint": REGION});
        let input =
            json!({"Bucket": name, "ObjectLockEnabledForBucket": true, "CreateBucketConfiguration": place});
        self.call("s3", "CreateBucket", input).expect("a bucket");
        let of_bucket = |operation: &str, member: &str, value: Value| {
            let input = json!({"Bucket": name, "Id": "a", member: value});
            self.call("s3", operation, input).expect(operation);
        };
        let rule = json!({"ID": "a", "Prefix": "", "Status": "Enabled", "Expiration": {"Days": 1}});
        of_bucket(
            "PutBucketLifecycleConfiguration",
            "LifecycleConfiguration",
            json!({"Rule": [rule]}),
        );
        let rule = json!({"AllowedMethod": ["GET"], "AllowedOrigin": ["*"]});
        of_bucket("PutBucketCors", "CORSConfiguration", json!({"CORSRule": [rule]}));
        let index = json!({"IndexDocument": {"Suffix": "index.html"}});
        of_bucket("PutBucketWebsite", "WebsiteConfiguration", index);
        let tags = json!({"TagSet": [{"Key": "a", "Value": "b"}]});
        of_bucket("PutBucketTagging", "Tagging", tags);
        let destination =
            json!({"S3BucketDestination": {"Bucket": format!("arn:aws:s3:::{name}"), "Format": "CSV"}});
        let inventory = json!({
            "Id": "a", "Destination": destination, "IsEnabled": true, "IncludedObjectVersions": "Current",
            "Schedule": {"Frequency": "Daily"},
        });
        of_bucket(
            "PutBucketInventoryConfiguration",
            "InventoryConfiguration",
            inventory,
        );
        self.furnish_object(name);
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": root}, "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{name}/*"),
        }]});
        let input = json!({"Bucket": name, "Policy": policy.to_string()});
        self.call("s3", "PutBucketPolicy", input)
            .expect("a bucket policy");
        let account = ("AccountId", Document::String(ACCOUNT.to_owned()));
        let arn = ("ResourceArn", Document::String(format!("arn:aws:s3:::{name}")));
        for operation in [
            "s3control:GetPublicAccessBlock",
            "s3control:PutPublicAccessBlock",
            "s3control:DeletePublicAccessBlock",
        ] {
            self.existing.pairs.insert(operation, vec![account.clone()]);
        }
        for operation in [
            "s3control:ListTagsForResource",
            "s3control:TagResource",
            "s3control:UntagResource",
        ] {
            let members = vec![account.clone(), arn.clone()];
            self.existing.pairs.insert(operation, members);
        }
        let policy = vec![("Policy", Document::String(policy.to_string()))];
        self.existing.pairs.insert("PutBucketPolicy", policy);
        self.furnish_access_point(name, &root);
        self.existing.pairs.insert(
            "CreateBucket",
            vec![("Bucket", Document::String("another".to_owned()))],
        );
    }

    /// An access point to the bucket, of the bucket's name, with a policy.
    fn furnish_access_point(&mut self, bucket: &str, root: &str) {
        if self.gateway.endpoint("s3control", "CreateAccessPoint").is_none() {
            return;
        }
        let arn = format!("arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/{bucket}");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": root}, "Action": "s3:GetObject", "Resource": format!("{arn}/object/*"),
        }]});
        let named = |more: Value| {
            let mut input = json!({"AccountId": ACCOUNT, "Name": bucket});
            for (name, value) in more.as_object().into_iter().flatten() {
                input[name] = value.clone();
            }
            input
        };
        self.call("s3control", "CreateAccessPoint", named(json!({"Bucket": bucket})))
            .expect("an access point");
        let input = named(json!({"Policy": policy.to_string()}));
        self.call("s3control", "PutAccessPointPolicy", input)
            .expect("a policy of an access point");
        let text = |value: &str| Document::String(value.to_owned());
        let account = ("AccountId", text(ACCOUNT));
        self.existing
            .pairs
            .insert("ListAccessPoints", vec![account.clone()]);
        let another = vec![
            account.clone(),
            ("Name", text("another")),
            ("Bucket", text(bucket)),
        ];
        self.existing.pairs.insert("CreateAccessPoint", another);
        for operation in [
            "GetAccessPoint",
            "DeleteAccessPoint",
            "GetAccessPointPolicy",
            "DeleteAccessPointPolicy",
            "GetAccessPointPolicyStatus",
        ] {
            let members = vec![account.clone(), ("Name", text(bucket))];
            self.existing.pairs.insert(operation, members);
        }
        let members = vec![
            account,
            ("Name", text(bucket)),
            ("Policy", text(&policy.to_string())),
        ];
        self.existing.pairs.insert("PutAccessPointPolicy", members);
    }

    /// An object, and an upload in parts that has begun.
    fn furnish_object(&mut self, name: &str) {
        if self.gateway.endpoint("s3", "PutObject").is_none() {
            return;
        }
        let input = json!({"Bucket": name, "Key": name});
        let root = self.root.clone();
        let said = self.ask(&root, "s3", "PutObject", &input);
        assert_eq!(said.status, 200, "{said:?}");
        let said = self.ask(&root, "s3", "CreateMultipartUpload", &input);
        let text = String::from_utf8_lossy(&said.body).into_owned();
        let id = text
            .split("<UploadId>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        let id = Document::String(id.expect("an upload").to_owned());
        for operation in [
            "AbortMultipartUpload",
            "ListParts",
            "UploadPart",
            "UploadPartCopy",
        ] {
            self.existing
                .pairs
                .insert(operation, vec![("UploadId", id.clone())]);
        }
    }

    /// A secret under the key that exists.
    fn furnish_secret(&self, name: &str) {
        if self.gateway.endpoint("secretsmanager", "CreateSecret").is_some() {
            let input = json!({"Name": name, "SecretString": "a", "KmsKeyId": self.existing.key_id,
                "ClientRequestToken": crate::sample::SECRET_VERSION});
            self.call("secretsmanager", "CreateSecret", input)
                .expect("a secret");
        }
    }

    /// Certificates, keys and credentials of services, and a role whose deletion was asked for.
    fn furnish_credentials(&mut self, name: &str) {
        let text = |answer: &Value, pointer: &str| {
            let value = answer.pointer(pointer).and_then(Value::as_str);
            value.expect("an id in the answer").to_owned()
        };
        let authority = || crypto::certificate::Authority::create(BEGINNING / 1000).expect("an authority");
        let free = authority();
        self.existing.certificate = free.certificate_pem();
        self.existing.private_key = free.key_pem().expose_text().expect("text").to_owned();
        let input = json!({"ServerCertificateName": name, "CertificateBody": self.existing.certificate,
            "PrivateKey": self.existing.private_key});
        self.make("UploadServerCertificate", input);
        let input = json!({"UserName": name, "CertificateBody": authority().certificate_pem()});
        let made = self.make("UploadSigningCertificate", input);
        self.existing.signing_certificate_id = text(&made, "/Certificate/CertificateId");
        let input = json!({"UserName": name, "SSHPublicKeyBody": crate::sample::ssh_key(1)});
        let made = self.make("UploadSSHPublicKey", input);
        self.existing.ssh_key_id = text(&made, "/SSHPublicKey/SSHPublicKeyId");
        let input = json!({"UserName": name, "ServiceName": crate::sample::CREDENTIAL_SERVICE});
        let made = self.make("CreateServiceSpecificCredential", input);
        let id = "/ServiceSpecificCredential/ServiceSpecificCredentialId";
        self.existing.service_credential_id = text(&made, id);
        let made = self.make(
            "CreateServiceLinkedRole",
            json!({"AWSServiceName": "support.amazonaws.com"}),
        );
        let role = text(&made, "/Role/RoleName");
        let made = self.make("DeleteServiceLinkedRole", json!({"RoleName": role}));
        self.existing.deletion_task_id = text(&made, "/DeletionTaskId");
    }

    /// An analyzer with a rule, a finding, a preview and a generated policy.
    fn furnish_analyzer(&mut self, name: &str, trust: &str) {
        let analyzer = json!({"analyzerName": name, "type": "ACCOUNT"});
        self.call("accessanalyzer", "CreateAnalyzer", analyzer)
            .expect("an analyzer");
        let rule = json!({"analyzerName": name, "ruleName": name, "filter": {"isPublic": {"eq": ["false"]}}});
        self.call("accessanalyzer", "CreateArchiveRule", rule)
            .expect("an archive rule");
        let user = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        let generation = json!({"policyGenerationDetails": {"principalArn": user}});
        let made = self
            .call("accessanalyzer", "StartPolicyGeneration", generation)
            .expect("a policy generation");
        self.existing.generation_id = made["jobId"].as_str().unwrap_or_default().to_owned();
        let outside = trust.replace("111122223333", "444455556666");
        self.make(
            "CreateRole",
            json!({"RoleName": "outside", "AssumeRolePolicyDocument": outside}),
        );
        self.pass(120);
        let due = self.gateway.run_due(self.gateway.clock().now());
        self.wait(due).map_err(|fault| fault.message).expect("the jobs");
        let analyzer = format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/{name}");
        let role = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let proposed = json!({"analyzerArn": analyzer, "configurations": {role: {"iamRole": {}}}});
        let made = self
            .call("accessanalyzer", "CreateAccessPreview", proposed)
            .expect("an access preview");
        self.existing.preview_id = made["id"].as_str().unwrap_or_default().to_owned();
        let found = self
            .call("accessanalyzer", "ListFindings", json!({"analyzerArn": analyzer}))
            .expect("findings");
        self.existing.finding_id = found["findings"][0]["id"].as_str().unwrap_or_default().to_owned();
    }
}
