//! The condition keys that requests to every service may hold.
//!
//! Source: IAM User Guide, "AWS global condition context keys" (data and value type of each, and the list of the sensitive
//! ones).

use super::{ConditionKey, DataType};

/// A global condition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalKey {
    /// Name and type.
    pub key: ConditionKey,
    /// Whether AWS finds no use for wildcards or variables in its values.
    pub sensitive: bool,
}

use DataType::{Arn, Bool, Date, IpAddress, Numeric, String as Text};

/// The global key that a policy may write as `key`.
pub fn global_key(key: &str) -> Option<&'static GlobalKey> {
    GLOBAL.iter().find(|global| global.key.is_named(key))
}

/// All of them.
pub fn global_keys() -> &'static [GlobalKey] {
    GLOBAL
}

const fn single(name: &'static str, data_type: DataType) -> GlobalKey {
    GlobalKey {
        key: ConditionKey {
            name,
            data_type,
            multivalued: false,
        },
        sensitive: false,
    }
}

const fn several(name: &'static str) -> GlobalKey {
    GlobalKey {
        key: ConditionKey {
            name,
            data_type: Text,
            multivalued: true,
        },
        sensitive: false,
    }
}

const fn sensitive(name: &'static str) -> GlobalKey {
    GlobalKey {
        key: ConditionKey {
            name,
            data_type: Text,
            multivalued: false,
        },
        sensitive: true,
    }
}

static GLOBAL: &[GlobalKey] = &[
    single("aws:PrincipalArn", Arn),
    sensitive("aws:PrincipalAccount"),
    several("aws:PrincipalOrgPaths"),
    sensitive("aws:PrincipalOrgID"),
    single("aws:PrincipalTag/${TagKey}", Text),
    single("aws:PrincipalIsAWSService", Bool),
    single("aws:PrincipalServiceName", Text),
    several("aws:PrincipalServiceNamesList"),
    single("aws:PrincipalType", Text),
    single("aws:userid", Text),
    single("aws:username", Text),
    single("aws:AssumedRoot", Bool),
    single("aws:FederatedProvider", Text),
    single("aws:TokenIssueTime", Date),
    single("aws:SignInSessionArn", Arn),
    single("aws:MultiFactorAuthAge", Numeric),
    single("aws:MultiFactorAuthPresent", Bool),
    single("aws:ChatbotSourceArn", Arn),
    single("aws:Ec2InstanceSourceVpc", Text),
    single("aws:Ec2InstanceSourcePrivateIPv4", IpAddress),
    single("aws:SourceIdentity", Text),
    single("aws:ViaCustomerDomain", Text),
    single("ec2:RoleDelivery", Numeric),
    single("ec2:SourceInstanceArn", Arn),
    single("glue:RoleAssumedBy", Text),
    single("glue:CredentialIssuingService", Text),
    single("codebuild:BuildArn", Arn),
    single("codebuild:ProjectArn", Arn),
    single("lambda:SourceFunctionArn", Arn),
    single("ssm:SourceInstanceArn", Arn),
    single("identitystore:UserId", Text),
    single("aws:SourceIp", IpAddress),
    sensitive("aws:SourceVpc"),
    single("aws:SourceVpcArn", Arn),
    sensitive("aws:SourceVpce"),
    sensitive("aws:VpceAccount"),
    sensitive("aws:VpceOrgID"),
    several("aws:VpceOrgPaths"),
    single("aws:VpcSourceIp", IpAddress),
    sensitive("aws:ResourceAccount"),
    sensitive("aws:ResourceOrgID"),
    several("aws:ResourceOrgPaths"),
    single("aws:ResourceTag/${TagKey}", Text),
    several("aws:CalledVia"),
    single("aws:CalledViaFirst", Text),
    single("aws:CalledViaLast", Text),
    several("aws:CalledViaAWSMCP"),
    single("aws:ViaAWSService", Bool),
    single("aws:ViaAWSMCPService", Bool),
    single("aws:CurrentTime", Date),
    single("aws:EpochTime", Date),
    single("aws:referer", Text),
    single("aws:RequestedRegion", Text),
    single("aws:RequestTag/${TagKey}", Text),
    several("aws:TagKeys"),
    single("aws:SecureTransport", Bool),
    sensitive("aws:SourceAccount"),
    single("aws:SourceArn", Arn),
    sensitive("aws:SourceOrgID"),
    several("aws:SourceOrgPaths"),
    single("aws:UserAgent", Text),
    single("aws:IsMcpServiceAction", Bool),
];
