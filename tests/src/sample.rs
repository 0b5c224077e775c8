//! The smallest valid input of an operation, from its shape: required members, least lengths, well-formed names; and the
//! ways to break it, one constraint at a time.

use pipeline::testing::{ACCOUNT, REGION};
use wire::constraints::Pattern;
use wire::model::{Kind, Location, Member, Operation, Service, Shape, ShapeId, Structure};
use wire::{Document, Timestamp};

use crate::world::Existing;

/// A policy that allows little.
pub const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;
/// A template of one resource.
pub const TEMPLATE: &str =
    r#"{"Resources":{"It":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"v"}}}}"#;
/// Metadata of a SAML provider.
pub const METADATA: &str = include_str!("../data/saml-metadata.xml");
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#;
const KEY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}"#;
const SECRET_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
/// The version of the secret that exists.
pub const SECRET_VERSION: &str = "00000000-0000-4000-8000-000000000001";
/// A service that has credentials of its own.
pub const CREDENTIAL_SERVICE: &str = "codecommit.amazonaws.com";
/// Members that no shape requires, though operations cannot do without: they name what is to be used.
const NAMING: [&str; 12] = [
    "CiphertextBlob",
    "GrantId",
    "ImageId",
    "KeyId",
    "KeyName",
    "MoveToVersionId",
    "NumberOfBytes",
    "SecretId",
    "SecretIdList",
    "SecretString",
    "ThumbprintList",
    "ids",
];
/// A value of the model that AWS no longer takes.
const RETIRED: &str = "RSAES_PKCS1_V1_5";
/// Deeper than what any operation requires.
const DEPTH_MAX: usize = 6;
/// The longest text that is made to break a bound.
const LENGTH_MAX: f64 = 300_000.0;

/// Makes inputs.
pub struct Sampler<'a> {
    /// What is there to be named.
    pub existing: &'a Existing,
    /// Names what exists; otherwise, what does not.
    pub present: bool,
}

impl Sampler<'_> {
    /// The smallest input of an operation.
    pub fn input(&self, service: &Service, operation: &Operation) -> Document {
        let mut input = operation
            .input
            .map_or_else(Document::empty, |root| self.value(service, "", root, 0));
        // Some names of operations are those of several services.
        let whole = format!("{}:{}", service.name, operation.name);
        let special = self.existing.pairs.get(whole.as_str());
        let special = special
            .or_else(|| self.existing.pairs.get(operation.name))
            .filter(|_| self.present);
        if let (Document::Structure(members), Some(special)) = (&mut input, special) {
            for (name, value) in members.iter_mut() {
                if let Some((_, other)) = special.iter().find(|(special, _)| special == name) {
                    *value = other.clone();
                }
            }
            // Members that the model does not require and the operation does.
            if matches!(service.name, "lambda" | "cloudformation" | "cloudwatch" | "ec2") {
                let more = special
                    .iter()
                    .filter(|(special, _)| !members.iter().any(|(name, _)| name == special));
                let more: Vec<_> = more.cloned().collect();
                members.extend(more);
            }
        }
        input
    }

    /// The smallest value of a member.
    fn value(&self, service: &Service, name: &str, id: ShapeId, depth: usize) -> Document {
        let shape = service.shape(id).unwrap();
        let least = |least: f64| shape.min.unwrap_or(least).max(least);
        match &shape.kind {
            Kind::Structure(structure) => self.structure(service, structure, depth),
            Kind::List { member, .. } => {
                let length = if depth > DEPTH_MAX { 0 } else { count(least(1.0)) };
                Document::List(
                    (0..length)
                        .map(|_| self.value(service, name, member.shape, depth + 1))
                        .collect(),
                )
            }
            Kind::Map { key, value, .. } => {
                let key = self.text(name, service.shape(key.shape).unwrap());
                Document::Map(vec![(key, self.value(service, name, value.shape, depth + 1))])
            }
            Kind::String { .. } => Document::String(self.text(name, shape)),
            Kind::Blob if name == "CiphertextBlob" => Document::Blob(self.existing.ciphertext.clone()),
            Kind::Blob => Document::Blob(vec![7; count(least(1.0))]),
            Kind::Boolean => Document::Boolean(false),
            Kind::Integer(_) => Document::Integer(number(least(1.0).min(shape.max.unwrap_or(1.0)))),
            Kind::Float(_) => Document::Float(least(1.0)),
            Kind::Timestamp(_) => Document::Timestamp(Timestamp::from_seconds(1_800_000_000)),
            Kind::Untyped => Document::Null,
        }
    }

    fn structure(&self, service: &Service, structure: &Structure, depth: usize) -> Document {
        let members = structure.members.iter();
        let wanted: Vec<&Member> = if structure.union {
            members.take(1).collect()
        } else if depth > 1 && !structure.members.iter().any(|member| member.required) {
            // Forms cannot say that an empty structure is there.
            members.take(1).collect()
        } else {
            members
                .filter(|member| {
                    let names = depth == 0 && NAMING.contains(&member.name);
                    // The policy of a privileged task, without which forms could not say that there is one.
                    member.required || names || (depth == 1 && matches!(member.name, "arn" | "Arn"))
                })
                .collect()
        };
        let wanted = wanted.into_iter().filter(|_| depth <= DEPTH_MAX);
        Document::Structure(
            wanted
                .map(|member| {
                    (
                        member.name,
                        self.value(service, member.name, member.shape, depth + 1),
                    )
                })
                .collect(),
        )
    }

    fn text(&self, name: &str, shape: &Shape) -> String {
        if let Kind::String { values } = &shape.kind
            && let Some(first) = values.iter().find(|value| **value != RETIRED)
        {
            // Of what Systems Manager tags, parameters exist.
            let tagged = values
                .iter()
                .find(|value| name == "ResourceType" && **value == "Parameter");
            return (*tagged.unwrap_or(first)).to_owned();
        }
        let least = count(shape.min.unwrap_or(1.0).max(1.0));
        let fits = |text: &String| fits(shape, text);
        // The model gives a form to the ARNs of resources that are analyzed, and none to those that are tagged.
        let name = if name == "resourceArn" && shape.pattern.is_some() {
            "RoleArn"
        } else if name == "ResourceId" && shape.pattern.is_none() {
            "Name"
        } else {
            name
        };
        let known = self.known(name).filter(fits);
        known
            .or_else(|| self.layered(name).filter(fits))
            .unwrap_or_else(|| {
                let canned = [
                    "a",
                    "A",
                    "0",
                    "alias/a",
                    "arn:aws:iam::111122223333:role/a",
                    "arn:aws:s3:::missing",
                    "123456789012",
                    "AKIAIOSFODNN7EXAMPLE",
                ];
                let mut texts = canned
                    .iter()
                    .flat_map(|text| [(*text).to_owned(), text.repeat(least.div_ceil(text.len()))]);
                texts.find(fits).unwrap_or_else(|| "a".repeat(least))
            })
    }

    /// Well-formed values of members that name things.
    fn known(&self, member: &str) -> Option<String> {
        let name = if self.present { "existing" } else { "missing" };
        let arn = |kind: &str| Some(format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}"));
        let id = |held: &str, other: &str| {
            let held = Some(held).filter(|held| self.present && !held.is_empty());
            Some(held.unwrap_or(other).to_owned())
        };
        match member {
            "UserName"
            | "GroupName"
            | "RoleName"
            | "InstanceProfileName"
            | "PolicyName"
            | "RoleSessionName"
            | "VirtualMFADeviceName"
            | "FunctionName"
            | "LayerName"
            | "StackName"
            | "ChangeSetName"
            | "ExportName"
            | "StatementId"
            | "Name"
            | "Bucket"
            | "TargetBucket" => Some(name.to_owned()),
            "Key" => Some(name.to_owned()),
            "CopySource" => Some(format!("{name}/{name}")),
            "PolicyArn" | "PermissionsBoundary" => arn("policy"),
            "RoleArn" => arn("role"),
            "arn" => Some("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials".to_owned()),
            "TargetPrincipal" => self.organized("AccountId"),
            "SAMLProviderArn" | "PrincipalArn" => arn("saml-provider"),
            "SAMLMetadataDocument" => Some(METADATA.to_owned()),
            "SerialNumber" => arn("mfa"),
            "Arn" | "GranteePrincipal" | "PolicySourceArn" => arn("user"),
            "ServiceNamespace" | "ServiceNamespaces" => Some("iam".to_owned()),
            "OpenIDConnectProviderArn" => arn("oidc-provider").map(|arn| format!("{arn}.example")),
            "Url" => Some("https://made.example".to_owned()),
            "ActionNames" => Some("s3:GetObject".to_owned()),
            "AssumeRolePolicyDocument" => Some(TRUST.to_owned()),
            "PolicyDocument"
            | "PolicyInputList"
            | "policyDocument"
            | "newPolicyDocument"
            | "existingPolicyDocument"
            | "Content" => Some(POLICY.to_owned()),
            "Policy" => Some(KEY_POLICY.to_owned()),
            "ResourcePolicy" => Some(SECRET_POLICY.to_owned()),
            "SecretId" | "SecretIdList" => Some(name.to_owned()),
            "MoveToVersionId" => Some(SECRET_VERSION.to_owned()),
            "AliasName" => Some(format!("alias/{name}")),
            "ReplicaRegion" | "Region" | "RemoveReplicaRegions" => Some("us-west-2".to_owned()),
            "PrimaryRegion" => Some("eu-west-1".to_owned()),
            "AccessKeyId" => id(&self.existing.access_key_id, "AKIAIOSFODNN7MISSING"),
            "KeyId" | "TargetKeyId" | "DestinationKeyId" | "SourceKeyId" => {
                id(&self.existing.key_id, "00000000-0000-4000-8000-000000000000")
            }
            "KMSKeyArn" => id(&self.existing.key_id, "00000000-0000-4000-8000-000000000000")
                .map(|id| format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")),
            "GrantId" => id(&self.existing.grant_id, &"0".repeat(64)),
            "analyzerName" | "ruleName" => Some(name.to_owned()),
            "analyzerArn" | "resourceArn" => Some(format!(
                "arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/{name}"
            )),
            "id" | "ids" => id(&self.existing.finding_id, "00000000-0000-4000-8000-000000000000"),
            "accessPreviewId" => id(&self.existing.preview_id, "00000000-0000-4000-8000-000000000000"),
            "principalArn" => arn("user"),
            "jobId" => id(
                &self.existing.generation_id,
                "00000000-0000-4000-8000-000000000000",
            ),
            "Action" => Some("lambda:InvokeFunction".to_owned()),
            "Resource" => Some(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")),
            "VersionId" => Some("v1".to_owned()),
            "Path" => Some("/".to_owned()),
            "ResourceArn" => Some(format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}")),
            "SettingId" => Some("/ssm/parameter-store/default-parameter-tier".to_owned()),
            "SettingValue" => Some("Standard".to_owned()),
            "ServicePrincipal" => Some("config.amazonaws.com".to_owned()),
            "Email" => Some("new@example.com".to_owned()),
            _ => self.credential(member, name).or_else(|| self.named(member)),
        }
    }
}

impl Sampler<'_> {
    /// Certificates, keys and credentials of services.
    fn credential(&self, member: &str, name: &str) -> Option<String> {
        let id = |held: &str, other: &str| {
            let held = Some(held).filter(|held| self.present && !held.is_empty());
            Some(held.unwrap_or(other).to_owned())
        };
        match member {
            "ServerCertificateName" => Some(name.to_owned()),
            "CertificateBody" => Some(self.existing.certificate.clone()),
            "PrivateKey" => Some(self.existing.private_key.clone()),
            "SSHPublicKeyBody" => Some(ssh_key(2)),
            "SSHPublicKeyId" => id(&self.existing.ssh_key_id, "APKAMISSINGMISSINGMISSING"),
            "CertificateId" => id(
                &self.existing.signing_certificate_id,
                "MISSINGMISSINGMISSINGMISSING",
            ),
            "ServiceSpecificCredentialId" => {
                id(&self.existing.service_credential_id, "ACCAMISSINGMISSINGMISSING")
            }
            "ServiceName" => Some(CREDENTIAL_SERVICE.to_owned()),
            "AWSServiceName" => Some("ecs.amazonaws.com".to_owned()),
            "DeletionTaskId" => id(
                &self.existing.deletion_task_id,
                "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/00000000-0000-4000-8000-000000000000",
            ),
            _ => None,
        }
    }

    /// Ids in an organization, and names of EC2's things.
    fn named(&self, member: &str) -> Option<String> {
        self.launched(member).or_else(|| self.organized(member))
    }

    /// Ids of EC2.
    fn launched(&self, member: &str) -> Option<String> {
        let held = self.existing.instances.get(member).filter(|_| self.present);
        let missing = || {
            Some(match member {
                "InstanceId" | "InstanceIds" | "Resources" => "i-00000000000000000",
                "ImageId" => "ami-00000000000000000",
                "KeyName" if self.present => "existing",
                "KeyName" => "missing",
                "AssociationId" => "iip-assoc-00000000000000000",
                _ => return None,
            })
        };
        held.cloned().or_else(|| missing().map(str::to_owned))
    }

    /// What operations on layers mean by names that others use for something else.
    fn layered(&self, member: &str) -> Option<String> {
        let name = if self.present { "existing" } else { "missing" };
        match member {
            "Arn" => Some(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:1")),
            "Action" => Some("lambda:GetLayerVersion".to_owned()),
            _ => None,
        }
    }

    /// Ids in an organization.
    fn organized(&self, member: &str) -> Option<String> {
        let held = self.existing.organization.get(member).filter(|_| self.present);
        let missing = || {
            Some(match member {
                "ParentId" | "SourceParentId" | "DestinationParentId" | "RootId" => "r-0000",
                "OrganizationalUnitId" | "ChildId" | "TargetId" | "ResourceId" => "ou-0000-00000000",
                "AccountId" => "999999999999",
                "EntityPath" => "o-0000000000/r-0000",
                "HandshakeId" => "h-00000000",
                "CreateAccountRequestId" => "car-00000000",
                "PolicyId" => "p-00000000",
                _ => return None,
            })
        };
        held.cloned().or_else(|| missing().map(str::to_owned))
    }
}

/// An SSH key in OpenSSH's form; its modulus is a number of 2048 bits that begins with `seed`.
pub fn ssh_key(seed: u8) -> String {
    let mut modulus = vec![0, 0x80 | seed];
    modulus.resize(257, 0x55);
    let mut blob = Vec::new();
    for part in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, blob);
    format!("ssh-rsa {text} someone@example.com")
}

fn fits(shape: &Shape, text: &str) -> bool {
    let length = f64::from(u32::try_from(text.chars().count()).unwrap());
    let long = shape.min.is_none_or(|min| length >= min) && shape.max.is_none_or(|max| length <= max);
    long && shape
        .pattern
        .is_none_or(|pattern| Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(text)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounds of models are small whole numbers"
)]
const fn count(bound: f64) -> usize {
    bound as usize
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounds of models are whole numbers"
)]
const fn number(bound: f64) -> i64 {
    bound as i64
}

/// An input with one constraint broken.
pub struct Broken {
    /// The member at the top under which it is broken.
    pub member: &'static str,
    /// What is broken, for a failing test's message.
    pub what: String,
    pub input: Document,
}

/// Every way to break one constraint of an operation's input.
pub fn breaks(sampler: &Sampler<'_>, service: &Service, operation: &Operation) -> Vec<Broken> {
    let Some(Kind::Structure(structure)) = operation
        .input
        .and_then(|id| service.shape(id))
        .map(|shape| &shape.kind)
    else {
        return Vec::new();
    };
    let base = sampler.input(service, operation);
    let mut all = Vec::new();
    for member in &structure.members {
        let label = member.location == Some(Location::Label);
        if member.required && !label {
            all.push(Broken {
                member: member.name,
                what: "required".to_owned(),
                input: without(&base, member.name),
            });
        }
        let value = base.member(member.name).cloned();
        let value = value.unwrap_or_else(|| sampler.value(service, member.name, member.shape, 1));
        for (what, broken) in broken(sampler, service, member.shape, &value, 0) {
            let empty = matches!(&broken, Document::String(text) if text.is_empty());
            if !(label && empty) {
                all.push(Broken {
                    member: member.name,
                    what,
                    input: with(&base, member.name, broken),
                });
            }
        }
    }
    all
}

fn without(base: &Document, name: &str) -> Document {
    let Document::Structure(members) = base else {
        panic!("not a structure")
    };
    Document::Structure(
        members
            .iter()
            .filter(|(held, _)| *held != name)
            .cloned()
            .collect(),
    )
}

fn with(base: &Document, name: &'static str, value: Document) -> Document {
    let Document::Structure(mut members) = without(base, name) else {
        panic!("not a structure")
    };
    members.push((name, value));
    Document::Structure(members)
}

type Values = Vec<(String, Document)>;

/// A structure without one of its members, if a form can say that it is there: it needs another one then.
fn lacking(
    sampler: &Sampler<'_>,
    service: &Service,
    structure: &Structure,
    value: &Document,
    member: &str,
    depth: usize,
) -> Option<Document> {
    let mut rest = without(value, member);
    if let (Document::Structure(members), true) = (&mut rest, depth > 0)
        && members.is_empty()
    {
        let other = structure.members.iter().find(|other| other.name != member);
        members.extend(other.map(|other| {
            let value = sampler.value(service, other.name, other.shape, depth + 1);
            (other.name, value)
        }));
    }
    Some(rest).filter(|rest| service.name != "ec2" || *rest != Document::empty())
}

/// A member's value with one of its constraints, or of what it holds, broken.
fn broken(sampler: &Sampler<'_>, service: &Service, id: ShapeId, value: &Document, depth: usize) -> Values {
    let shape = service.shape(id).unwrap();
    let max = shape.max.filter(|max| *max < LENGTH_MAX);
    let mut all = Values::new();
    match &shape.kind {
        Kind::String { values } => all.extend(broken_text(shape, values, value.as_str().unwrap_or_default())),
        Kind::Blob => {
            all.extend(max.map(|max| ("too long".to_owned(), Document::Blob(vec![7; count(max) + 1]))));
            all.extend(
                shape
                    .min
                    .filter(|min| *min > 0.0)
                    .map(|_| ("too short".to_owned(), Document::Blob(Vec::new()))),
            );
        }
        Kind::Integer(width) => {
            let limit = if *width == 64 {
                f64::INFINITY
            } else {
                f64::from(i32::MAX)
            };
            all.extend(
                shape
                    .max
                    .filter(|max| *max < limit)
                    .map(|max| ("too great".to_owned(), Document::Integer(number(max) + 1))),
            );
            all.extend(
                shape
                    .min
                    .filter(|min| *min > -limit)
                    .map(|min| ("too small".to_owned(), Document::Integer(number(min) - 1))),
            );
        }
        Kind::List { member, .. } => {
            let Document::List(items) = value else { return all };
            all.extend(
                shape
                    .min
                    .filter(|min| *min > 0.0)
                    .map(|_| ("too short".to_owned(), Document::List(Vec::new()))),
            );
            let Some(first) = items.first() else { return all };
            let long = max.map(|max| Document::List(vec![first.clone(); count(max) + 1]));
            all.extend(long.map(|list| ("too long".to_owned(), list)));
            if depth < DEPTH_MAX {
                let inner = broken(sampler, service, member.shape, first, depth + 1);
                all.extend(
                    inner
                        .into_iter()
                        .map(|(what, item)| (format!("item {what}"), Document::List(vec![item]))),
                );
            }
        }
        Kind::Structure(structure) if depth < DEPTH_MAX && !structure.union => {
            for member in &structure.members {
                let lacking = member
                    .required
                    .then(|| lacking(sampler, service, structure, value, member.name, depth));
                all.extend(
                    lacking
                        .flatten()
                        .map(|rest| (format!("{} required", member.name), rest)),
                );
                let held = value.member(member.name).cloned();
                let held =
                    held.unwrap_or_else(|| sampler.value(service, member.name, member.shape, depth + 1));
                for (what, inner) in broken(sampler, service, member.shape, &held, depth + 1) {
                    all.push((format!("{} {what}", member.name), with(value, member.name, inner)));
                }
            }
        }
        _ => {}
    }
    all
}

fn broken_text(shape: &Shape, values: &[&'static str], valid: &str) -> Values {
    let mut all = Values::new();
    let mut say = |what: &str, text: String| all.push((what.to_owned(), Document::String(text)));
    if !values.is_empty() {
        say("no value of the enumeration", "no-such-value".to_owned());
    }
    if let Some(max) = shape.max.filter(|max| *max < LENGTH_MAX) {
        say(
            "too long",
            valid
                .chars()
                .next()
                .unwrap_or('a')
                .to_string()
                .repeat(count(max) + 1),
        );
    }
    if shape.min.is_some_and(|min| min > 0.0) {
        say("too short", String::new());
    }
    if let Some(pattern) = shape.pattern.and_then(|pattern| Pattern::new(pattern).ok()) {
        let least = count(shape.min.unwrap_or(1.0).max(1.0));
        let most = count(shape.max.unwrap_or(1000.0));
        let odd = ["\u{1}", "é€", " !", "(", "@/", "not of this form"];
        let odd = odd
            .iter()
            .map(|text| text.repeat(least.div_ceil(text.chars().count())));
        let odd = odd.filter(|text| text.chars().count() <= most);
        if let Some(text) = odd.into_iter().find(|text| !pattern.matches(text)) {
            say("another form", text);
        }
    }
    all
}
