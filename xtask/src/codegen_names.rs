//! From AWS's names to Rust's: `SSEKMSKeyId` is `sse_kms_key_id`, `aws:kms` is `AwsKms`.

/// Acronyms that the models write without a boundary between them.
const ACRONYMS: &[&str] = &[
    "ACL", "AWS", "CSE", "DB", "EBS", "IAM", "KMS", "SNS", "SQS", "SSE", "SSM", "VPC",
];

/// Rust's keywords, which need `r#` as a field's name.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that generated code itself uses, so that no shape may have them.
const TAKEN: &[&str] = &[
    "BTreeMap",
    "Blob",
    "Box",
    "Default",
    "Document",
    "Err",
    "None",
    "Ok",
    "Option",
    "Result",
    "Self",
    "Some",
    "Stream",
    "String",
    "Timestamp",
    "Vec",
];

/// The words of a name, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        split_piece(&piece.chars().collect::<Vec<_>>(), &mut words);
    }
    words
}

/// Splits letters and digits where the case changes. Digits belong to the word before them.
fn split_piece(chars: &[char], words: &mut Vec<String>) {
    let mut rest = chars;
    while let Some(first) = rest.first() {
        let capitals = rest
            .iter()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            .count();
        let end = if !first.is_ascii_uppercase() || capitals <= 1 {
            // A lower-case or capitalized word.
            1 + rest
                .iter()
                .skip(1)
                .take_while(|c| !c.is_ascii_uppercase())
                .count()
        } else {
            acronym_end(rest, capitals)
        };
        let (word, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let word: String = word.iter().collect();
        if first.is_ascii_uppercase() && capitals > 1 {
            split_acronyms(&word, words);
        } else {
            words.push(word.to_ascii_lowercase());
        }
        rest = tail;
    }
}

/// Where an acronym ends that begins a run of `capitals`: before the capital of a capitalized word, after a plural's s.
fn acronym_end(rest: &[char], capitals: usize) -> usize {
    match rest.get(capitals) {
        None => capitals,
        Some('s') if rest.get(capitals + 1).is_none_or(|c| !c.is_ascii_lowercase()) => capitals + 1,
        Some(_) => {
            // `SHA256abc`: a digit cannot begin the next word.
            let begins_word = rest.get(capitals - 1).is_some_and(char::is_ascii_uppercase);
            if begins_word {
                capitals - 1
            } else {
                capitals
                    + rest
                        .iter()
                        .skip(capitals)
                        .take_while(|c| c.is_ascii_lowercase())
                        .count()
            }
        }
    }
}

/// Splits an upper-case run at digits (`S3BUCKET`) and, if it is made of nothing else, into known acronyms.
fn split_acronyms(run: &str, words: &mut Vec<String>) {
    let mut part = String::new();
    for c in run.chars() {
        let after_digit = part.chars().last().is_some_and(|last| last.is_ascii_digit());
        if after_digit && c.is_ascii_uppercase() {
            push_known(&std::mem::take(&mut part), words);
        }
        part.push(c);
    }
    push_known(&part, words);
}

fn push_known(run: &str, words: &mut Vec<String>) {
    let mut parts = Vec::new();
    let mut rest = run;
    while let Some((known, tail)) = ACRONYMS
        .iter()
        .find_map(|known| Some((known, rest.strip_prefix(known)?)))
    {
        parts.push(known.to_ascii_lowercase());
        rest = tail;
    }
    if rest.is_empty() {
        words.append(&mut parts);
    } else {
        words.push(run.to_ascii_lowercase());
    }
}

/// The snake case of a shape's or member's name.
pub(crate) fn snake(name: &str) -> String {
    let name = words(name).join("_");
    if KEYWORDS.contains(&&*name) {
        format!("r#{name}")
    } else if matches!(&*name, "self" | "super" | "crate") {
        format!("{name}_")
    } else {
        name
    }
}

/// The variant of an enumerated value.
pub(crate) fn variant(value: &str) -> String {
    let mut name = String::new();
    for word in words(value) {
        let mut chars = word.chars();
        // Two digits that a mark kept apart must stay apart: `1.2` and `12` are different values.
        let clash =
            |first: char| first.is_ascii_digit() && name.ends_with(|last: char| last.is_ascii_digit());
        if let Some(first) = chars.next() {
            if clash(first) {
                name.push('_');
            }
            name.push(first.to_ascii_uppercase());
            name.extend(chars);
        }
    }
    match name.chars().next() {
        None if value.is_empty() => "Empty".into(),
        None => "Other".into(),
        Some(first) if first.is_ascii_digit() => format!("V{name}"),
        Some(_) if name == "Self" => "SelfValue".into(),
        Some(_) => name,
    }
}

/// The type of a shape: its own name, unless Rust or the generated code needs that.
pub(crate) fn type_name(shape: &str) -> String {
    let trimmed = shape.trim_start_matches('_');
    let mut chars = trimmed.chars();
    let name: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .collect();
    if TAKEN.contains(&&*name) {
        format!("{name}Shape")
    } else {
        name
    }
}

/// Tells names apart that became the same, by a number.
pub(crate) fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names
        .into_iter()
        .map(|name| {
            let mut candidate = name.clone();
            let mut number = 2;
            while !seen.insert(candidate.clone()) {
                candidate = format!("{name}_{number}");
                number += 1;
            }
            candidate
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        for (name, field) in [
            ("KeyId", "key_id"),
            ("KMSKeyId", "kms_key_id"),
            ("SSEKMSKeyId", "sse_kms_key_id"),
            ("MFADevice", "mfa_device"),
            ("ARNs", "arns"),
            ("TargetGroupARNs", "target_group_arns"),
            ("VPCSecurityGroupIDs", "vpc_security_group_ids"),
            ("OpenIDConnectProviderArn", "open_id_connect_provider_arn"),
            ("OpenIDConnectProviderARN", "open_id_connect_provider_arn"),
            ("SSHPublicKeyId", "ssh_public_key_id"),
            ("SAMLMetadataDocument", "saml_metadata_document"),
            ("S3BucketName", "s3_bucket_name"),
            ("Ipv6Addresses", "ipv6_addresses"),
            ("MD5OfBody", "md5_of_body"),
            ("ChecksumCRC32C", "checksum_crc32_c"),
            ("QRCodePNG", "qr_code_png"),
            ("Base32StringSeed", "base32_string_seed"),
            ("eventCategory", "event_category"),
            ("log-group", "log_group"),
            ("Type", "r#type"),
            ("Self", "self_"),
            ("CloudWatchLogsLogGroupArn", "cloud_watch_logs_log_group_arn"),
        ] {
            assert_eq!(snake(name), field, "{name}");
        }
    }

    #[test]
    fn errors_become_constructors() {
        assert_eq!(snake("NotFoundException"), "not_found_exception");
        assert_eq!(snake("KMSInvalidStateException"), "kms_invalid_state_exception");
        assert_eq!(snake("IDPRejectedClaimException"), "idp_rejected_claim_exception");
    }

    #[test]
    fn values_become_variants() {
        for (value, name) in [
            ("SYMMETRIC_DEFAULT", "SymmetricDefault"),
            ("aws:kms", "AwsKms"),
            ("RSA_2048", "Rsa2048"),
            ("RSAES_OAEP_SHA_256", "RsaesOaepSha256"),
            ("ECC_NIST_P256", "EccNistP256"),
            ("PendingDeletion", "PendingDeletion"),
            ("AWS_KMS", "AwsKms"),
            ("2012", "V2012"),
            ("TLS1.2", "Tls1_2"),
            ("Self", "SelfValue"),
            ("", "Empty"),
            ("*", "Other"),
            ("AWSManaged", "AwsManaged"),
        ] {
            assert_eq!(variant(value), name, "{value}");
        }
    }

    #[test]
    fn types_keep_the_models_name_unless_it_is_taken() {
        assert_eq!(type_name("CreateKeyRequest"), "CreateKeyRequest");
        assert_eq!(type_name("statusType"), "StatusType");
        assert_eq!(type_name("Option"), "OptionShape");
    }

    #[test]
    fn names_that_became_the_same_are_told_apart() {
        assert_eq!(
            distinct(vec!["Http".into(), "Http".into(), "Https".into()]),
            ["Http", "Http_2", "Https"]
        );
    }
}
