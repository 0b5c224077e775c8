# A bucket as a careful team would declare it: closed, encrypted, versioned, locked, logged, and cleaned up as it grows old.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "days" { default = 365 }

provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
  endpoints {
    iam       = var.endpoint
    kms       = var.endpoint
    s3        = var.endpoint
    s3control = var.endpoint
    sts       = var.endpoint
  }
}

resource "aws_kms_key" "records" {
  description             = "records"
  deletion_window_in_days = 7
}

resource "aws_s3_bucket" "logs" {
  bucket = "terraform-judged-logs"
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Logging"
      Effect    = "Allow"
      Principal = { Service = "logging.s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "${aws_s3_bucket.logs.arn}/*"
    }]
  })
}

resource "aws_s3_bucket" "records" {
  bucket              = "terraform-judged-records"
  object_lock_enabled = true
  tags                = { team = "audit" }
}

resource "aws_s3_bucket_versioning" "records" {
  bucket = aws_s3_bucket.records.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_object_lock_configuration" "records" {
  bucket = aws_s3_bucket.records.id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = 1
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "records" {
  bucket = aws_s3_bucket.records.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.records.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_public_access_block" "records" {
  bucket                  = aws_s3_bucket.records.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "records" {
  bucket = aws_s3_bucket.records.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

resource "aws_s3_bucket_logging" "records" {
  bucket        = aws_s3_bucket.records.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "records/"
  target_object_key_format {
    partitioned_prefix { partition_date_source = "EventTime" }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "records" {
  bucket     = aws_s3_bucket.records.id
  depends_on = [aws_s3_bucket_versioning.records]
  rule {
    id     = "old"
    status = "Enabled"
    filter { prefix = "daily/" }
    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }
    expiration { days = var.days }
    noncurrent_version_expiration { noncurrent_days = 90 }
  }
  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}

resource "aws_s3_bucket_cors_configuration" "records" {
  bucket = aws_s3_bucket.records.id
  cors_rule {
    allowed_methods = ["GET"]
    allowed_origins = ["https://audit.example.com"]
    max_age_seconds = 300
  }
}

resource "aws_s3_bucket_policy" "records" {
  bucket     = aws_s3_bucket.records.id
  depends_on = [aws_s3_bucket_public_access_block.records]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsAlone"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.records.arn}/*"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

output "bucket" { value = aws_s3_bucket.records.id }
