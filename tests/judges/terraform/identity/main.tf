# Who gets in from outside, and on what terms: federation, second factors, passwords, and an analyzer that watches over it.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "metadata" { type = string }
variable "certificate" { type = string }
variable "private_key" {
  type      = string
  sensitive = true
}
variable "vendor" { default = "agreed" }
variable "length" { default = 14 }

provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  max_retries             = 1
  endpoints {
    accessanalyzer = var.endpoint
    iam            = var.endpoint
    sts            = var.endpoint
  }
  default_tags { tags = { managed = "terraform" } }
}

data "aws_caller_identity" "current" {}

resource "aws_iam_saml_provider" "corporate" {
  name                   = "corporate"
  saml_metadata_document = var.metadata
  tags                   = { team = "people" }
}

resource "aws_iam_openid_connect_provider" "builds" {
  url             = "https://builds.example.com/pipelines"
  client_id_list  = ["deployments", "sts.amazonaws.com"]
  thumbprint_list = ["990f4193972f2becf12ddeda5237f9c952f20d9e"]
}

data "aws_iam_policy_document" "saml" {
  statement {
    actions = ["sts:AssumeRoleWithSAML", "sts:TagSession"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_saml_provider.corporate.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "SAML:aud"
      values   = ["https://signin.aws.amazon.com/saml"]
    }
  }
}

data "aws_iam_policy_document" "web" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.builds.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "builds.example.com/pipelines:aud"
      values   = ["deployments"]
    }
    condition {
      test     = "StringLike"
      variable = "builds.example.com/pipelines:sub"
      values   = ["repo:shop/*:ref:refs/heads/main", "repo:stock/*"]
    }
  }
}

data "aws_iam_policy_document" "vendor" {
  statement {
    sid     = "Vendor"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444455556666:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.vendor]
    }
    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "aws:MultiFactorAuthAge"
      values   = ["3600"]
    }
  }
}

resource "aws_iam_policy" "bound" {
  name = "bound"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Most", Effect = "Allow", NotAction = ["iam:*", "organizations:*"], Resource = "*" }]
  })
}

resource "aws_iam_role" "outside" {
  for_each = {
    people = data.aws_iam_policy_document.saml.json
    builds = data.aws_iam_policy_document.web.json
    vendor = data.aws_iam_policy_document.vendor.json
  }
  name                  = each.key
  assume_role_policy    = each.value
  permissions_boundary  = aws_iam_policy.bound.arn
  force_detach_policies = true
}

resource "aws_iam_user" "operator" {
  name                 = "operator"
  permissions_boundary = aws_iam_policy.bound.arn
}

resource "aws_iam_user_login_profile" "operator" {
  user            = aws_iam_user.operator.name
  password_length = 24
  depends_on      = [aws_iam_account_password_policy.strict]
}

resource "aws_iam_virtual_mfa_device" "operator" {
  virtual_mfa_device_name = "operator"
  path                    = "/phones/"
}

resource "aws_iam_account_password_policy" "strict" {
  minimum_password_length        = var.length
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  allow_users_to_change_password = true
  password_reuse_prevention      = 24
  max_password_age               = 90
}

resource "aws_iam_server_certificate" "site" {
  name             = "site"
  path             = "/sites/"
  certificate_body = var.certificate
  private_key      = var.private_key
}

resource "aws_iam_service_linked_role" "scaling" {
  aws_service_name = "autoscaling.amazonaws.com"
  description      = "Scales the shop"
  custom_suffix    = "shop"
}

resource "aws_iam_account_alias" "ours" { account_alias = "shop-and-stock" }

resource "aws_iam_instance_profile" "vendor" {
  name = "vendor"
  role = aws_iam_role.outside["vendor"].name
}

resource "aws_iam_security_token_service_preferences" "tokens" {
  global_endpoint_token_version = "v2Token"
}

resource "aws_accessanalyzer_analyzer" "outside" {
  analyzer_name = "outside"
  tags          = { team = "security" }
}

resource "aws_accessanalyzer_archive_rule" "vendor" {
  analyzer_name = aws_accessanalyzer_analyzer.outside.analyzer_name
  rule_name     = "vendor"
  filter {
    criteria = "principal.AWS"
    eq       = ["444455556666"]
  }
  filter {
    criteria = "isPublic"
    eq       = ["false"]
  }
  filter {
    criteria = "error"
    exists   = false
  }
}

output "analyzer" { value = aws_accessanalyzer_analyzer.outside.arn }
output "serial" { value = aws_iam_virtual_mfa_device.operator.arn }
output "seed" {
  value     = aws_iam_virtual_mfa_device.operator.base_32_string_seed
  sensitive = true
}
output "password" {
  value     = aws_iam_user_login_profile.operator.password
  sensitive = true
}
