//! ValidatePolicy: the findings of `policy::validate`, page by page.
//!
//! Source: IAM Access Analyzer API Reference, "ValidatePolicy". Findings are told in English whatever the locale.

use api::accessanalyzer as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::validate::{Finding, FindingType, Location, PathElement, PolicyType, ResourceType, validate};

/// Findings in a page unless fewer are asked for.
const PAGE: usize = 100;
const TOKEN: &str = "accessanalyzer.validate";

/// Checks a policy by AWS's rules and says what is wrong, dangerous or needless in it.
pub struct ValidatePolicy;

impl Operation for ValidatePolicy {
    type Input = model::ValidatePolicyRequest;
    type Output = model::ValidatePolicyResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:ValidatePolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let policy_type = match input.policy_type {
            model::PolicyType::IdentityPolicy => PolicyType::Identity,
            model::PolicyType::ResourcePolicy => PolicyType::Resource,
            model::PolicyType::ServiceControlPolicy => PolicyType::ServiceControl,
            model::PolicyType::ResourceControlPolicy => PolicyType::ResourceControl,
        };
        let resource_type = input.validate_policy_resource_type.map(resource_type);
        if resource_type.is_some() && policy_type != PolicyType::Resource {
            return Err(invalid(
                "validatePolicyResourceType is only supported with the policy type RESOURCE_POLICY.",
            ));
        }
        let limit = match input.max_results {
            None => PAGE,
            Some(most) => usize::try_from(most)
                .ok()
                .filter(|most| *most > 0)
                .ok_or_else(|| invalid("maxResults must be at least 1."))?
                .min(PAGE),
        };
        // A token is good for the document that it was made for.
        let digest = crypto::digest::sha256(input.policy_document.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let purpose = format!("{}/{digest}/{policy_type:?}/{resource_type:?}", call.account());
        let start = match input.next_token.as_deref() {
            None => 0,
            Some(token) => started(call, token, &purpose).ok_or_else(|| invalid("Invalid nextToken."))?,
        };
        let mut findings = validate(&input.policy_document, policy_type, resource_type)
            .into_iter()
            .skip(start);
        let page: Vec<model::ValidatePolicyFinding> = findings.by_ref().take(limit).map(told).collect();
        let next = findings
            .next()
            .map(|_| call.issue_token(TOKEN, format!("{purpose}\n{}", start + limit).as_bytes()));
        Ok(model::ValidatePolicyResponse {
            findings: page,
            next_token: next.transpose()?,
        })
    }
}

fn invalid(message: &str) -> wire::Fault {
    api::accessanalyzer::fault::validation_exception(message)
}

fn started(call: &Call<'_>, token: &str, purpose: &str) -> Option<usize> {
    let payload = call.open_token(TOKEN, token)?;
    let text = payload.expose_text().ok()?;
    text.strip_prefix(purpose)?.strip_prefix('\n')?.parse().ok()
}

const fn resource_type(named: model::ValidatePolicyResourceType) -> ResourceType {
    use model::ValidatePolicyResourceType as Named;
    match named {
        Named::AwsS3Bucket => ResourceType::S3Bucket,
        Named::AwsS3AccessPoint => ResourceType::S3AccessPoint,
        Named::AwsS3MultiRegionAccessPoint => ResourceType::S3MultiRegionAccessPoint,
        Named::AwsS3ObjectLambdaAccessPoint => ResourceType::S3ObjectLambdaAccessPoint,
        Named::AwsIamAssumeRolePolicyDocument => ResourceType::AssumeRolePolicyDocument,
        Named::AwsDynamoDbTable => ResourceType::DynamoDbTable,
    }
}

fn told(finding: Finding) -> model::ValidatePolicyFinding {
    model::ValidatePolicyFinding {
        finding_type: match finding.issue.finding_type() {
            FindingType::Error => model::ValidatePolicyFindingType::Error,
            FindingType::SecurityWarning => model::ValidatePolicyFindingType::SecurityWarning,
            FindingType::Warning => model::ValidatePolicyFindingType::Warning,
            FindingType::Suggestion => model::ValidatePolicyFindingType::Suggestion,
        },
        issue_code: finding.issue.code().to_owned(),
        learn_more_link: finding.issue.learn_more_link(),
        finding_details: finding.details,
        locations: finding.locations.into_iter().map(place).collect(),
    }
}

fn place(location: Location) -> model::Location {
    let point = |point: policy::validate::Point| model::Position {
        line: number(point.line),
        column: number(point.column),
        offset: number(point.offset),
    };
    model::Location {
        path: location.path.into_iter().map(element).collect(),
        span: model::Span {
            start: point(location.start),
            end: point(location.end),
        },
    }
}

fn element(element: PathElement) -> model::PathElement {
    let mut told = model::PathElement {
        index: None,
        key: None,
        substring: None,
        value: None,
    };
    match element {
        PathElement::Index(index) => told.index = Some(number(index)),
        PathElement::Key(key) => told.key = Some(key),
        PathElement::Value(value) => told.value = Some(value),
        PathElement::Substring { start, length } => {
            told.substring = Some(model::Substring {
                start: number(start),
                length: number(length),
            });
        }
    }
    told
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
