//! The reference as it lies in the program: an index, and one packed block a service.
//!
//! Invariant: a block is unpacked at most once, on the first question about its service, and then stays.

use super::{AccessLevel, Action, ConditionKey, DataType, ResourceType};
use flate2::read::DeflateDecoder;
use std::{
    io::Read,
    sync::{LazyLock, OnceLock},
};

static INDEX: &str = include_str!("../../data/authorization-reference.tsv");
static BLOCKS: &[u8] = include_bytes!("../../data/authorization-reference.bin");
static SERVICES: LazyLock<Vec<Slot>> = LazyLock::new(|| INDEX.lines().filter_map(Slot::read).collect());

struct Slot {
    prefix: &'static str,
    block: &'static [u8],
    length: usize,
    service: OnceLock<Option<Service>>,
}

/// One service: what its prefix (`s3`) stands for in actions and keys.
#[derive(Debug)]
pub struct Service {
    prefix: &'static str,
    keys: Vec<ConditionKey>,
    /// Name, ARN format, numbers of keys.
    types: Vec<[&'static str; 3]>,
    /// Name, level, numbers of keys, resource types; in byte order of the names.
    actions: Vec<[&'static str; 4]>,
}

/// The prefixes of all services, in byte order.
pub fn services() -> impl Iterator<Item = &'static str> {
    INDEX.lines().filter_map(|line| line.split('\t').next())
}

/// The service of a prefix, whatever its case.
pub fn service(prefix: &str) -> Option<&'static Service> {
    let folded = prefix.to_ascii_lowercase();
    let slot = SERVICES.iter().find(|slot| slot.prefix == folded)?;
    slot.service.get_or_init(|| slot.unpack()).as_ref()
}

impl Slot {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let prefix = fields.next()?;
        let start: usize = fields.next()?.parse().ok()?;
        let packed: usize = fields.next()?.parse().ok()?;
        Some(Self {
            prefix,
            block: BLOCKS.get(start..)?.get(..packed)?,
            length: fields.next()?.parse().ok()?,
            service: OnceLock::new(),
        })
    }

    fn unpack(&self) -> Option<Service> {
        let mut text = String::with_capacity(self.length);
        DeflateDecoder::new(self.block).read_to_string(&mut text).ok()?;
        // Leaked on purpose: it lives as long as the static that holds it, and is made once.
        let text: &'static str = Box::leak(text.into_boxed_str());
        let mut service = Service {
            prefix: self.prefix,
            keys: Vec::new(),
            types: Vec::new(),
            actions: Vec::new(),
        };
        let mut lines = text.lines();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let (name, data_type) = line.split_once('\t')?;
            service.keys.push(condition_key(name, data_type)?);
        }
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            service.types.push(fields(line)?);
        }
        for line in lines {
            service.actions.push(fields(line)?);
        }
        Some(service)
    }
}

impl Service {
    /// `s3`
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// Its actions, in byte order.
    pub fn actions(&'static self) -> impl Iterator<Item = Action> {
        self.actions.iter().map(|fields| self.read(fields))
    }

    /// The action of this name, whatever its case.
    pub fn action(&'static self, name: &str) -> Option<Action> {
        let exact = self.actions.binary_search_by(|[held, ..]| (*held).cmp(name));
        let found = match exact {
            Ok(at) => self.actions.get(at),
            Err(_) => self
                .actions
                .iter()
                .find(|[held, ..]| held.eq_ignore_ascii_case(name)),
        };
        found.map(|fields| self.read(fields))
    }

    /// Its resource types.
    pub fn resource_types(&'static self) -> impl Iterator<Item = ResourceType> {
        (0..self.types.len()).filter_map(|number| self.resource_type_number(number))
    }

    /// The condition keys that it defines or says that it fills; global ones among them.
    pub fn condition_keys(&self) -> impl Iterator<Item = ConditionKey> {
        self.keys.iter().copied()
    }

    /// The condition key that a policy writes as `key`.
    pub fn condition_key(&self, key: &str) -> Option<ConditionKey> {
        self.keys.iter().find(|held| held.is_named(key)).copied()
    }

    pub(super) fn resource_type_number(&'static self, number: usize) -> Option<ResourceType> {
        let [name, arn, keys] = *self.types.get(number)?;
        Some(ResourceType {
            service: self,
            name,
            arn,
            keys,
        })
    }

    pub(super) fn keys_of(&'static self, numbers: &'static str) -> impl Iterator<Item = ConditionKey> {
        let numbers = numbers.split(' ').filter_map(|number| number.parse().ok());
        numbers.filter_map(|number: usize| self.keys.get(number).copied())
    }

    fn read(&'static self, fields: &[&'static str; 4]) -> Action {
        let [name, level, keys, types] = *fields;
        Action {
            service: self,
            name,
            level: match level {
                "L" => AccessLevel::List,
                "R" => AccessLevel::Read,
                "T" => AccessLevel::Tagging,
                "P" => AccessLevel::PermissionsManagement,
                _ => AccessLevel::Write,
            },
            keys,
            types,
        }
    }
}

fn fields<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let fields: Vec<&'static str> = line.split('\t').collect();
    fields.try_into().ok()
}

fn condition_key(name: &'static str, data_type: &str) -> Option<ConditionKey> {
    let single = data_type.strip_prefix("ArrayOf");
    Some(ConditionKey {
        name,
        data_type: match single.unwrap_or(data_type) {
            "String" => DataType::String,
            "ARN" => DataType::Arn,
            "Bool" => DataType::Bool,
            "Numeric" => DataType::Numeric,
            "Date" => DataType::Date,
            "IPAddress" => DataType::IpAddress,
            "Binary" => DataType::Binary,
            _ => return None,
        },
        multivalued: single.is_some(),
    })
}
