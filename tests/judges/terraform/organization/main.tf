# An organization as a team would declare it: units, an account, guardrails and tag rules.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "with_account" { default = true }
variable "denied" { default = "iam:CreateGroup" }

provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
  endpoints {
    iam           = var.endpoint
    organizations = var.endpoint
    sts           = var.endpoint
  }
}

resource "aws_organizations_organization" "ours" {
  feature_set          = "ALL"
  enabled_policy_types = ["RESOURCE_CONTROL_POLICY", "SERVICE_CONTROL_POLICY", "TAG_POLICY"]
}

locals { root = aws_organizations_organization.ours.roots[0].id }

resource "aws_organizations_organizational_unit" "workloads" {
  name      = "workloads"
  parent_id = local.root
  tags      = { team = "platform" }
}

resource "aws_organizations_account" "developers" {
  depends_on        = [aws_organizations_organization.ours]
  count             = var.with_account ? 1 : 0
  name              = "developers"
  email             = "developers@example.com"
  close_on_deletion = true
}

resource "aws_organizations_policy" "guardrail" {
  depends_on  = [aws_organizations_organization.ours]
  name        = "guardrail"
  description = "What no account does"
  type        = "SERVICE_CONTROL_POLICY"
  content = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Never", Effect = "Deny", Action = [var.denied], Resource = "*" }]
  })
  tags = { team = "platform" }
}

resource "aws_organizations_policy_attachment" "guardrail" {
  for_each  = { root = local.root, unit = aws_organizations_organizational_unit.workloads.id }
  policy_id = aws_organizations_policy.guardrail.id
  target_id = each.value
}

resource "aws_organizations_policy_attachment" "account" {
  count     = var.with_account ? 1 : 0
  policy_id = aws_organizations_policy.guardrail.id
  target_id = aws_organizations_account.developers[0].id
}

resource "aws_organizations_policy" "perimeter" {
  depends_on  = [aws_organizations_organization.ours]
  name = "perimeter"
  type = "RESOURCE_CONTROL_POLICY"
  content = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny", Principal = "*", Action = "kms:*", Resource = "*"
      Condition = { StringNotEqualsIfExists = { "aws:PrincipalOrgID" = aws_organizations_organization.ours.id } }
    }]
  })
}

resource "aws_organizations_policy_attachment" "perimeter" {
  policy_id = aws_organizations_policy.perimeter.id
  target_id = local.root
}

resource "aws_organizations_policy" "tags" {
  depends_on  = [aws_organizations_organization.ours]
  name    = "tags"
  type    = "TAG_POLICY"
  content = jsonencode({ tags = { team = { tag_key = { "@@assign" = "team" } } } })
}

resource "aws_organizations_policy_attachment" "tags" {
  policy_id = aws_organizations_policy.tags.id
  target_id = local.root
}

output "account" { value = one(aws_organizations_account.developers[*].id) }
output "guardrail" { value = aws_organizations_policy.guardrail.id }
