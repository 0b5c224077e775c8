# Identities and keys as a team would declare them. The judge applies it, plans it again, and destroys it.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "department" { default = "finance" }

provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    sts = var.endpoint
  }
  default_tags { tags = { managed = "terraform" } }
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy" "read_only" { name = "IAMReadOnlyAccess" }

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["agreed"]
    }
  }
}

data "aws_iam_policy_document" "use_key" {
  statement {
    sid       = "Use"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [aws_kms_key.app.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:department"
      values   = [var.department]
    }
  }
}

resource "aws_iam_user" "person" {
  for_each = toset(["anna", "ben"])
  name     = each.key
  path     = "/people/"
  tags     = { department = var.department }
}

resource "aws_iam_user" "bounded" {
  name                 = "bounded"
  permissions_boundary = aws_iam_policy.use_key.arn
}

resource "aws_iam_access_key" "anna" { user = aws_iam_user.person["anna"].name }

resource "aws_iam_group" "staff" {
  name = "staff"
  path = "/people/"
}

resource "aws_iam_group_membership" "staff" {
  name  = "staff"
  group = aws_iam_group.staff.name
  users = [for user in aws_iam_user.person : user.name]
}

resource "aws_iam_group_policy" "look" {
  name   = "look"
  group  = aws_iam_group.staff.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "iam:List*", Resource = "*" }] })
}

resource "aws_iam_policy" "use_key" {
  name        = "use-key"
  path        = "/app/"
  description = "Uses the application's key."
  policy      = data.aws_iam_policy_document.use_key.json
}

resource "aws_iam_role" "app" {
  name                 = "app"
  path                 = "/app/"
  description          = "What the application runs as."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 7200
  permissions_boundary = aws_iam_policy.use_key.arn
  tags                 = { department = var.department }
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.app.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "kms:ScheduleKeyDeletion", Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "app" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.use_key.arn
}

resource "aws_iam_user_policy_attachment" "ben" {
  user       = aws_iam_user.person["ben"].name
  policy_arn = aws_iam_policy.use_key.arn
}

resource "aws_iam_user_policy" "ben" {
  name   = "own"
  user   = aws_iam_user.person["ben"].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Resource = aws_iam_role.app.arn }] })
}

resource "aws_iam_group_policy_attachment" "staff" {
  group      = aws_iam_group.staff.name
  policy_arn = data.aws_iam_policy.read_only.arn
}

resource "aws_kms_key" "app" {
  description             = "The application's"
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Enable IAM User Permissions"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
  tags = { department = var.department }
}

resource "aws_kms_key" "mac" {
  description              = "For codes"
  customer_master_key_spec = "HMAC_256"
  key_usage                = "GENERATE_VERIFY_MAC"
  deletion_window_in_days  = 7
}

resource "aws_kms_alias" "app" {
  name          = "alias/app"
  target_key_id = aws_kms_key.app.key_id
}

data "aws_kms_alias" "app" { name = aws_kms_alias.app.name }

output "key_arn" { value = data.aws_kms_alias.app.target_key_arn }
output "anna" {
  value     = { AccessKeyId = aws_iam_access_key.anna.id, SecretAccessKey = aws_iam_access_key.anna.secret }
  sensitive = true
}
