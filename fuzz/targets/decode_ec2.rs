//! Requests in Ec2Query: decoded and checked against the model, or refused with a fault that can be written.
#![no_main]

use std::sync::LazyLock;

use ringwork_fuzz::Decoder;
use wire::model::Protocol;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(Protocol::Ec2Query));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| DECODER.run(bytes));
