# A function as a team would declare it: a role of its own, variables under a key of its own, versions behind an alias, one service
# that may invoke it, and failed events told to another function.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "zip" { type = string }
variable "timeout" { default = 5 }

provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  max_retries             = 1
  endpoints {
    iam    = var.endpoint
    kms    = var.endpoint
    lambda = var.endpoint
    sts    = var.endpoint
  }
}

data "aws_caller_identity" "here" {}

resource "aws_kms_key" "variables" {
  deletion_window_in_days = 7
}

resource "aws_iam_role" "runs" {
  name = "terraform-runs"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_lambda_function" "orders" {
  function_name                  = "orders"
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  role                           = aws_iam_role.runs.arn
  runtime                        = "nodejs22.x"
  handler                        = "index.handler"
  timeout                        = var.timeout
  memory_size                    = 256
  publish                        = true
  reserved_concurrent_executions = 10
  kms_key_arn                    = aws_kms_key.variables.arn
  environment {
    variables = { STAGE = "test" }
  }
  tags = { team = "orders" }
}

resource "aws_lambda_function" "failed" {
  function_name = "failed"
  filename      = var.zip
  role          = aws_iam_role.runs.arn
  runtime       = "nodejs22.x"
  handler       = "index.handler"
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.orders.function_name
  function_version = aws_lambda_function.orders.version
}

resource "aws_lambda_permission" "bucket" {
  statement_id   = "bucket"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.orders.function_name
  qualifier      = aws_lambda_alias.live.name
  principal      = "s3.amazonaws.com"
  source_arn     = "arn:aws:s3:::orders"
  source_account = data.aws_caller_identity.here.account_id
}

resource "aws_lambda_function_event_invoke_config" "orders" {
  function_name                = aws_lambda_function.orders.function_name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = 600
  destination_config {
    on_failure {
      destination = aws_lambda_function.failed.arn
    }
  }
}

output "alias" { value = aws_lambda_alias.live.arn }
