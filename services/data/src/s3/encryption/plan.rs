//! Planning, wrapping and unwrapping: what a write and a read do with the keys of contents.
//!
//! Invariant: a plan is made before a body is taken in, so that nobody sends one in vain.

use std::sync::Arc;

use crypto::{Secret, envelope};
use pipeline::{Call, Look, Result};
use wire::Fault;

use super::customer::{Customer, Proof, expect_no_customer};
use super::master::{self, Masters};
use super::mode::{Asked, Mode, expect_unblocked};
use super::{Applied, Place, UnderKms, Wrapped, kms};
use crate::s3::bucket::Bucket;
use crate::s3::fault::invalid_request;

/// Bytes of a content's key.
const KEY_BYTES: usize = 32;
/// What the seal bound wrapped keys to, beside their place, before S3 had keys of its own.
const DOMAIN: &str = "s3.object-keys";

/// What wraps the keys of contents.
struct Wrapping {
    /// KMS's data key or the customer's key, for the innermost layer.
    key: Option<Secret>,
    layers: u8,
    /// S3's own, for all other layers.
    masters: Arc<Masters>,
}

impl Wrapping {
    fn own(masters: Arc<Masters>) -> Self {
        Self {
            key: None,
            layers: 1,
            masters,
        }
    }

    const fn staging(masters: Arc<Masters>, layers: u8) -> Self {
        Self {
            key: None,
            layers,
            masters,
        }
    }

    fn under(key: Secret) -> Self {
        Self {
            key: Some(key),
            layers: 1,
            masters: Arc::default(),
        }
    }

    fn double(key: Secret, masters: Arc<Masters>) -> Self {
        Self {
            key: Some(key),
            layers: 2,
            masters,
        }
    }

    /// The keys of one content, the innermost first.
    fn wrap(&self, call: &Call<'_>, place: &Place<'_>, keys: &[Secret]) -> Result<Wrapped> {
        if keys.len() != usize::from(self.layers) {
            return Err(layers());
        }
        let bound = place.bound();
        let (mut parts, mut generation) = (Vec::new(), 0);
        for (layer, key) in keys.iter().enumerate() {
            // The outer layer is S3's own whatever the inner one is.
            let part = match self.key.as_ref().filter(|_| layer == 0) {
                Some(wrapping) => envelope::seal(wrapping, &bound, key.expose()).map_err(Fault::internal)?,
                None => {
                    let (number, master) = self.masters.newest(call)?;
                    generation = number;
                    envelope::seal(master, &bound, key.expose()).map_err(Fault::internal)?
                }
            };
            let length = u16::try_from(part.len()).map_err(Fault::internal)?;
            parts.extend_from_slice(&length.to_be_bytes());
            parts.extend_from_slice(&part);
        }
        Ok(Wrapped {
            generation,
            octets: parts,
        })
    }

    fn unwrap(&self, look: &Look<'_>, place: &Place<'_>, wrapped: &Wrapped) -> Result<Vec<Secret>> {
        let bound = place.bound();
        let (mut rest, mut keys) = (wrapped.octets.as_slice(), Vec::new());
        while let Some((length, behind)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((part, behind)) = behind.split_at_checked(length) else {
                return Err(layers());
            };
            let key = match self.key.as_ref().filter(|_| keys.is_empty()) {
                Some(wrapping) => envelope::open(wrapping, &bound, part).map_err(Fault::internal)?,
                None if wrapped.generation == 0 => look.open(DOMAIN, &bound, part)?,
                None => {
                    let master = self.masters.key(look, wrapped.generation)?;
                    envelope::open(master, &bound, part).map_err(Fault::internal)?
                }
            };
            if key.len() != KEY_BYTES {
                return Err(layers());
            }
            keys.push(key);
            rest = behind;
        }
        if keys.len() == usize::from(self.layers) {
            Ok(keys)
        } else {
            Err(layers())
        }
    }
}

fn layers() -> Fault {
    Fault::internal("a content has another number of keys than layers")
}

/// How the contents of one write will be encrypted. Made before a body is taken in, so that nobody sends a body in vain.
pub(crate) struct Plan {
    applied: Applied,
    wrapping: Wrapping,
}

impl Plan {
    /// Plans for a new object, or an upload of many parts. KMS is asked here.
    ///
    /// # Errors
    /// `InvalidArgument` for what does not go together, `AccessDenied` for what the bucket blocks or KMS does not allow, KMS's own
    /// refusals.
    pub(crate) fn of(call: &mut Call<'_>, bucket: &Bucket, key: &str, asked: &Asked) -> Result<Self> {
        Ok(match Mode::choose(asked, bucket)? {
            Mode::S3 => Self {
                applied: Applied::S3,
                wrapping: Wrapping::own(master::ready(call)?),
            },
            Mode::Kms(mode) => {
                let (data_key, under) = kms::make(call, bucket, key, mode)?;
                Self {
                    applied: Applied::Kms(Box::new(under)),
                    wrapping: Wrapping::under(data_key),
                }
            }
            Mode::Dsse(mode) => {
                let (data_key, under) = kms::make(call, bucket, key, mode)?;
                Self {
                    applied: Applied::Dsse(Box::new(under)),
                    wrapping: Wrapping::double(data_key, master::ready(call)?),
                }
            }
            Mode::Customer(customer) => Self {
                applied: Applied::Customer(Box::new(Proof::of(call, &customer)?)),
                wrapping: Wrapping::under(customer.key),
            },
        })
    }

    /// Plans for a copy that S3 makes of an object as the role of a replication rule: under the mode of the source, and of the modes
    /// of KMS under the key that the rule names, for which the role needs `kms:Encrypt`.
    ///
    /// # Errors
    /// KMS's refusals; `InvalidRequest` where there is no key to encrypt under.
    pub(crate) fn for_copy(
        call: &mut Call<'_>,
        bucket: &Bucket,
        key: &str,
        source: &Applied,
        kms_key: Option<String>,
    ) -> Result<Self> {
        let mut under = |source: &UnderKms, bucket_key: bool| {
            let named = kms_key.clone().ok_or_else(|| {
                invalid_request("The replication rule names no key for objects under AWS KMS.")
            })?;
            kms::encrypt(call, bucket, key, (named, bucket_key, source.context.clone()))
        };
        let (applied, data_key) = match source {
            Applied::S3 => return Self::staging(call, 1),
            Applied::Kms(source) => {
                let (data_key, under) = under(source, bucket.encryption.bucket_key)?;
                (Applied::Kms(Box::new(under)), data_key)
            }
            Applied::Dsse(source) => {
                let (data_key, under) = under(source, false)?;
                (Applied::Dsse(Box::new(under)), data_key)
            }
            // Its keys open for the customer alone, at the copy as well.
            Applied::Customer(_) => {
                expect_unblocked(bucket)?;
                return Ok(Self {
                    applied: source.clone(),
                    wrapping: Wrapping::own(Arc::default()),
                });
            }
        };
        let wrapping = match applied.layers() {
            1 => Wrapping::under(data_key),
            _ => Wrapping::double(data_key, master::ready(call)?),
        };
        Ok(Self { applied, wrapping })
    }

    /// Contents under S3's own keys alone, of so many layers: what waits for the object that it becomes part of.
    ///
    /// # Errors
    /// When there is no key and none can be made.
    pub(crate) fn staging(call: &mut Call<'_>, layers: u8) -> Result<Self> {
        Ok(Self {
            applied: Applied::S3,
            wrapping: Wrapping::staging(master::ready(call)?, layers),
        })
    }

    /// Plans for a further part of an upload.
    ///
    /// # Errors
    /// As `of`, and for a customer's key that is not the upload's.
    pub(crate) fn resume(
        call: &mut Call<'_>,
        applied: &Applied,
        bucket: &Bucket,
        key: &str,
        customer: &Customer,
    ) -> Result<Self> {
        let wrapping = match applied {
            Applied::Customer(proof) => Wrapping::under(proof.check_part(customer)?),
            Applied::S3 | Applied::Dsse(_) => {
                master::ready(call)?;
                wrapping(call, applied, bucket, key, customer)?
            }
            Applied::Kms(_) => wrapping(call, applied, bucket, key, customer)?,
        };
        Ok(Self {
            applied: applied.clone(),
            wrapping,
        })
    }

    /// What the object's record will say.
    pub(crate) const fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Wraps the keys of a content that was taken in.
    pub(crate) fn wrap(&self, call: &mut Call<'_>, place: &Place<'_>, keys: &[Secret]) -> Result<Wrapped> {
        self.wrapping.wrap(call, place, keys)
    }
}

/// How the contents of one object are read.
pub(crate) struct Opener {
    wrapping: Wrapping,
}

impl Opener {
    /// Proves that the caller may have the object's keys. KMS is asked here.
    ///
    /// # Errors
    /// For a customer's key that is missing (400), another one (403), or of no use (400); KMS's refusals.
    pub(crate) fn of(
        call: &mut Call<'_>,
        applied: &Applied,
        bucket: &Bucket,
        key: &str,
        customer: &Customer,
    ) -> Result<Self> {
        Ok(Self {
            wrapping: wrapping(call, applied, bucket, key, customer)?,
        })
    }

    /// Opens what `Plan::staging` wrapped.
    ///
    /// # Errors
    /// When S3's keys cannot be read.
    pub(crate) fn staging(call: &mut Call<'_>, layers: u8) -> Result<Self> {
        Ok(Self {
            wrapping: Wrapping::staging(master::present(call)?, layers),
        })
    }

    /// The keys of one content.
    pub(crate) fn unwrap(
        &self,
        look: &Look<'_>,
        place: &Place<'_>,
        wrapped: &Wrapped,
    ) -> Result<Vec<Secret>> {
        self.wrapping.unwrap(look, place, wrapped)
    }
}

/// What wrapped the keys of an object that there is.
fn wrapping(
    call: &mut Call<'_>,
    applied: &Applied,
    bucket: &Bucket,
    key: &str,
    customer: &Customer,
) -> Result<Wrapping> {
    if let Applied::Customer(proof) = applied {
        return proof.check(customer).map(Wrapping::under);
    }
    expect_no_customer(customer)?;
    Ok(match applied {
        Applied::Kms(under) => Wrapping::under(kms::open(call, bucket, key, under)?),
        Applied::Dsse(under) => {
            let data_key = kms::open(call, bucket, key, under)?;
            Wrapping::double(data_key, master::present(call)?)
        }
        Applied::S3 | Applied::Customer(_) => Wrapping::own(master::present(call)?),
    })
}
