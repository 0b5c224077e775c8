# Records that are copied to another bucket, whose arrival a function hears of.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "class" { default = "STANDARD" }

provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
  endpoints {
    iam       = var.endpoint
    lambda    = var.endpoint
    s3        = var.endpoint
    s3control = var.endpoint
    sts       = var.endpoint
  }
}

resource "aws_s3_bucket" "records" {
  bucket        = "terraform-judged-originals"
  force_destroy = true
}

resource "aws_s3_bucket" "copies" {
  bucket        = "terraform-judged-copies"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "records" {
  bucket = aws_s3_bucket.records.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_versioning" "copies" {
  bucket = aws_s3_bucket.copies.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_iam_role" "copier" {
  name = "copier"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "copier" {
  role = aws_iam_role.copier.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = aws_s3_bucket.records.arn },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
        Resource = "${aws_s3_bucket.records.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource = "${aws_s3_bucket.copies.arn}/*"
      },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "records" {
  depends_on = [aws_s3_bucket_versioning.records, aws_s3_bucket_versioning.copies]
  bucket     = aws_s3_bucket.records.id
  role       = aws_iam_role.copier.arn
  rule {
    id       = "daily"
    status   = "Enabled"
    priority = 1
    filter { prefix = "daily/" }
    delete_marker_replication { status = "Enabled" }
    destination {
      bucket        = aws_s3_bucket.copies.arn
      storage_class = var.class
      metrics {
        status = "Enabled"
        event_threshold { minutes = 15 }
      }
      replication_time {
        status = "Enabled"
        time { minutes = 15 }
      }
    }
  }
}

resource "aws_iam_role" "hearer" {
  name = "hearer"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_lambda_function" "hears" {
  function_name    = "hears"
  role             = aws_iam_role.hearer.arn
  runtime          = "python3.12"
  handler          = "index.handler"
  filename         = "${abspath(path.module)}/function.zip"
  source_code_hash = filebase64sha256("${abspath(path.module)}/function.zip")
}

resource "aws_lambda_permission" "hears" {
  statement_id   = "copies"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.hears.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = aws_s3_bucket.copies.arn
  source_account = split(":", aws_iam_role.copier.arn)[4]
}

resource "aws_s3_bucket_notification" "copies" {
  depends_on = [aws_lambda_permission.hears]
  bucket     = aws_s3_bucket.copies.id
  lambda_function {
    id                  = "arrivals"
    lambda_function_arn = aws_lambda_function.hears.arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "daily/"
    filter_suffix       = ".log"
  }
}

output "records" { value = aws_s3_bucket.records.id }
output "copies" { value = aws_s3_bucket.copies.id }
