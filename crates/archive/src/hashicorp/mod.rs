//! The snapshot archive of Consul and Nomad: a gzipped tar of `meta.json`, `state.bin` and `SHA256SUMS`.
//!
//! `docs/formats/hashicorp.md` describes it; `hashicorp/consul:snapshot/archive.go` is what it matches.

mod entries;
mod error;
mod meta;
mod reader;
mod sums;
mod writer;

pub use crate::tar::HeaderFault;
pub use error::{Error, Phase};
pub use meta::{Configuration, Meta, Server, VOTER};
pub use reader::{Options, Padding, Reader, Verified};
pub use sums::LineFault;
pub use writer::{Compression, Writer};

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
