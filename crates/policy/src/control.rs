//! What resource control policies reach: facts of services, which validation and decisions share.
//!
//! Source: AWS Organizations User Guide, "List of AWS services that support RCPs".

/// Whether resource control policies bind an action (`kms:Decrypt`, in any case of letters), by its service.
pub fn rcp_reaches(action: &str) -> bool {
    let service = action.split_once(':').map_or(action, |(service, _)| service);
    let lower = || service.bytes().map(|letter| letter.to_ascii_lowercase());
    SUPPORTED
        .binary_search_by(|held| held.bytes().cmp(lower()))
        .is_ok()
}

/// Prefixes of the services whose actions resource control policies reach, sorted (Organizations User Guide, "List of AWS services
/// that support RCPs").
const SUPPORTED: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_whatever_the_case() {
        assert!(SUPPORTED.is_sorted());
        assert!(rcp_reaches("kms:Decrypt") && rcp_reaches("STS:AssumeRole"));
        assert!(!rcp_reaches("iam:GetUser") && !rcp_reaches("*"));
    }
}
