//! KMS's request quotas: cryptographic operations share one a kind of key, every other operation has its own (KMS Developer Guide,
//! "Request quotas").
//!
//! Invariant: a call counts against one quota at most, of the account that makes it, whoever owns the key.

use pipeline::quota::Spent;
use pipeline::{Quota, Quotas};

/// What a throttled caller is told.
const MESSAGE: &str =
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";

macro_rules! fixed {
    ($name:literal, $rate:literal) => {
        Quota {
            name: $name,
            rate: |_| $rate,
        }
    };
}

/// The quotas. The groups come first; pairs are those of data keys, by their specification.
static ALL: &[Quota] = &[
    Quota {
        name: "symmetric",
        rate: symmetric,
    },
    fixed!("RSA", 1_000),
    fixed!("ECC", 1_000),
    fixed!("ML-DSA", 1_000),
    // Not in the published table yet; as the other lattice keys.
    fixed!("ML-KEM", 1_000),
    fixed!("ECC_NIST_P256", 100),
    fixed!("ECC_NIST_P384", 100),
    fixed!("ECC_NIST_P521", 100),
    fixed!("ECC_SECG_P256K1", 100),
    fixed!("ECC_NIST_EDWARDS25519", 100),
    fixed!("RSA_2048", 20),
    fixed!("RSA_3072", 4),
    fixed!("RSA_4096", 1),
    fixed!("CancelKeyDeletion", 5),
    fixed!("CreateAlias", 5),
    fixed!("CreateGrant", 50),
    fixed!("CreateKey", 5),
    fixed!("DeleteAlias", 15),
    fixed!("DeleteImportedKeyMaterial", 15),
    fixed!("DescribeKey", 2_000),
    fixed!("DisableKey", 5),
    fixed!("DisableKeyRotation", 5),
    fixed!("EnableKey", 5),
    fixed!("EnableKeyRotation", 15),
    fixed!("GetKeyLastUsage", 5),
    fixed!("GetKeyPolicy", 1_000),
    fixed!("GetKeyRotationStatus", 1_000),
    fixed!("GetParametersForImport", 1),
    fixed!("GetPublicKey", 2_000),
    fixed!("ImportKeyMaterial", 15),
    fixed!("ListAliases", 500),
    fixed!("ListGrants", 100),
    fixed!("ListKeyPolicies", 100),
    fixed!("ListKeys", 500),
    fixed!("ListKeyRotations", 100),
    fixed!("ListResourceTags", 2_000),
    fixed!("ListRetirableGrants", 100),
    fixed!("PutKeyPolicy", 15),
    fixed!("ReplicateKey", 5),
    fixed!("RetireGrant", 50),
    fixed!("RevokeGrant", 50),
    fixed!("RotateKeyOnDemand", 5),
    fixed!("ScheduleKeyDeletion", 15),
    fixed!("TagResource", 10),
    fixed!("UntagResource", 5),
    fixed!("UpdateAlias", 5),
    fixed!("UpdateKeyDescription", 5),
    fixed!("UpdatePrimaryRegion", 5),
];

/// KMS's request quotas.
pub static QUOTAS: Quotas = Quotas {
    service: "kms",
    all: ALL,
    of,
    message: MESSAGE,
};

/// The regions where AWS lets most pass, and those where it lets more pass than elsewhere.
fn symmetric(region: &str) -> u32 {
    match region {
        "us-east-1" | "us-west-2" | "eu-west-1" => 100_000,
        "us-east-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1" | "eu-central-1"
        | "eu-west-2" => 20_000,
        _ => 10_000,
    }
}

fn of(call: &Spent<'_>) -> Option<usize> {
    let named = |name: &str| ALL.iter().position(|quota| quota.name == name);
    match call.operation {
        "GenerateRandom" => named("symmetric"),
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            let values = call.context.get(super::data_key_pair::SPEC)?;
            named(values.first()?)
        }
        "Decapsulate"
        | "Decrypt"
        | "DeriveSharedSecret"
        | "Encapsulate"
        | "Encrypt"
        | "GenerateDataKey"
        | "GenerateDataKeyWithoutPlaintext"
        | "GenerateMac"
        | "ReEncrypt"
        | "Sign"
        | "Verify"
        | "VerifyMac" => named(call.class),
        other => named(other),
    }
}
