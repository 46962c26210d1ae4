//! What vectors are held as, both ways: compression, number formats and places
//! (`qdrant/qdrant:lib/api/src/grpc/conversions.rs`).
#![allow(deprecated, reason = "clients still say always_ram, and it must come back")]

use node::points::config::{Disabled, QuantizationConfigDiff};
use node::points::engine::{
    BinaryQuantizationConfig, BinaryQuantizationEncoding, BinaryQuantizationQueryEncoding, CompressionRatio,
    Memory, ProductQuantizationConfig, QuantizationConfig, ScalarQuantizationConfig, ScalarType,
    VectorStorageDatatype,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::binary_quantization_query_encoding::{Setting, Variant};
use qdrant_client::qdrant::quantization_config::Quantization;
use qdrant_client::qdrant::quantization_config_diff::Quantization as Change;
use serde_json::{Map, Value as Json};

use super::check::{Result, invalid, required};

/// A word for a number that no message of ours defines.
fn unknown(what: &str, number: i32) -> tonic::Status {
    invalid(format!("Unknown {what}: {number}"))
}

/// A place; `MemoryUnknown` is none.
pub(super) fn memory(number: Option<i32>) -> Result<Option<Memory>> {
    let Some(number) = number else { return Ok(None) };
    Ok(match proto::Memory::try_from(number).map_err(|_| unknown("memory placement", number))? {
        proto::Memory::Unknown => None,
        proto::Memory::Cold => Some(Memory::Cold),
        proto::Memory::Cached => Some(Memory::Cached),
        proto::Memory::Pinned => Some(Memory::Pinned),
    })
}

pub(super) fn memory_out(memory: Memory) -> i32 {
    match memory {
        Memory::Cold => proto::Memory::Cold.into(),
        Memory::Cached => proto::Memory::Cached.into(),
        Memory::Pinned => proto::Memory::Pinned.into(),
    }
}

/// A number format; `Default` is none in particular.
pub(super) fn datatype(number: Option<i32>) -> Result<Option<VectorStorageDatatype>> {
    let Some(number) = number else { return Ok(None) };
    Ok(match proto::Datatype::try_from(number).map_err(|_| unknown("vector datatype", number))? {
        proto::Datatype::Default => None,
        proto::Datatype::Float32 => Some(VectorStorageDatatype::Float32),
        proto::Datatype::Float16 => Some(VectorStorageDatatype::Float16),
        proto::Datatype::Uint8 => Some(VectorStorageDatatype::Uint8),
        proto::Datatype::Turbo4 => Some(VectorStorageDatatype::Turbo4),
        proto::Datatype::Turbo8 => Some(VectorStorageDatatype::Turbo8),
        proto::Datatype::Turbo16 => Some(VectorStorageDatatype::Turbo16),
    })
}

pub(super) fn datatype_out(datatype: VectorStorageDatatype) -> i32 {
    match datatype {
        VectorStorageDatatype::Float32 => proto::Datatype::Float32.into(),
        VectorStorageDatatype::Float16 => proto::Datatype::Float16.into(),
        VectorStorageDatatype::Uint8 => proto::Datatype::Uint8.into(),
        VectorStorageDatatype::Turbo4 => proto::Datatype::Turbo4.into(),
        VectorStorageDatatype::Turbo8 => proto::Datatype::Turbo8.into(),
        VectorStorageDatatype::Turbo16 => proto::Datatype::Turbo16.into(),
    }
}

/// How vectors are compressed.
pub(super) fn quantization(config: proto::QuantizationConfig) -> Result<QuantizationConfig> {
    match required(config.quantization, "Unable to convert quantization config")? {
        Quantization::Scalar(config) => scalar(config),
        Quantization::Product(config) => product(config),
        Quantization::Binary(config) => binary(config),
        Quantization::Turboquant(config) => turbo(config),
    }
}

/// How vectors are to be compressed from now on.
pub(super) fn change(diff: proto::QuantizationConfigDiff) -> Result<QuantizationConfigDiff> {
    let config = match required(diff.quantization, "Quantization type is not specified")? {
        Change::Disabled(_) => return Ok(QuantizationConfigDiff::Disabled(Disabled::Disabled)),
        Change::Scalar(config) => scalar(config)?,
        Change::Product(config) => product(config)?,
        Change::Binary(config) => binary(config)?,
        Change::Turboquant(config) => turbo(config)?,
    };
    Ok(QuantizationConfigDiff::Config(config))
}

fn scalar(config: proto::ScalarQuantization) -> Result<QuantizationConfig> {
    match proto::QuantizationType::try_from(config.r#type) {
        Ok(proto::QuantizationType::Int8) => Ok(QuantizationConfig::from(ScalarQuantizationConfig {
            r#type: ScalarType::Int8,
            quantile: config.quantile,
            always_ram: config.always_ram,
            memory: memory(config.memory)?,
        })),
        Ok(proto::QuantizationType::UnknownQuantization) | Err(_) => {
            Err(invalid("Unknown quantization type"))
        }
    }
}

fn product(config: proto::ProductQuantization) -> Result<QuantizationConfig> {
    let number = config.compression;
    let ratio = proto::CompressionRatio::try_from(number);
    let compression = match ratio.map_err(|_| unknown("compression ratio", number))? {
        proto::CompressionRatio::X4 => CompressionRatio::X4,
        proto::CompressionRatio::X8 => CompressionRatio::X8,
        proto::CompressionRatio::X16 => CompressionRatio::X16,
        proto::CompressionRatio::X32 => CompressionRatio::X32,
        proto::CompressionRatio::X64 => CompressionRatio::X64,
    };
    let (always_ram, memory) = (config.always_ram, memory(config.memory)?);
    Ok(QuantizationConfig::from(ProductQuantizationConfig { compression, always_ram, memory }))
}

fn binary(config: proto::BinaryQuantization) -> Result<QuantizationConfig> {
    let encoding = match config.encoding {
        None => None,
        Some(number) => Some(
            match proto::BinaryQuantizationEncoding::try_from(number)
                .map_err(|_| unknown("binary quantization encoding", number))?
            {
                proto::BinaryQuantizationEncoding::OneBit => BinaryQuantizationEncoding::OneBit,
                proto::BinaryQuantizationEncoding::TwoBits => BinaryQuantizationEncoding::TwoBits,
                proto::BinaryQuantizationEncoding::OneAndHalfBits => {
                    BinaryQuantizationEncoding::OneAndHalfBits
                }
            },
        ),
    };
    let query_encoding = match config.query_encoding.and_then(|encoding| encoding.variant) {
        None => None,
        Some(Variant::Setting(number)) => Some(
            match Setting::try_from(number)
                .map_err(|_| unknown("binary quantization query encoding", number))?
            {
                Setting::Default => BinaryQuantizationQueryEncoding::Default,
                Setting::Binary => BinaryQuantizationQueryEncoding::Binary,
                Setting::Scalar4Bits => BinaryQuantizationQueryEncoding::Scalar4Bits,
                Setting::Scalar8Bits => BinaryQuantizationQueryEncoding::Scalar8Bits,
            },
        ),
    };
    Ok(QuantizationConfig::from(BinaryQuantizationConfig {
        always_ram: config.always_ram,
        memory: memory(config.memory)?,
        encoding,
        query_encoding,
    }))
}

/// The words of [`proto::TurboQuantBitSize`], in its order.
const TURBO_BITS: [&str; 5] = ["bits1", "bits1_5", "bits2", "bits4", "bits8"];

/// The engine does not give away the types of this one, but reads and writes its JSON.
fn turbo(config: proto::TurboQuantization) -> Result<QuantizationConfig> {
    let mut members = Map::new();
    if let Some(number) = config.bits {
        let word = usize::try_from(number).ok().and_then(|index| TURBO_BITS.get(index));
        let word = word.ok_or_else(|| unknown("turbo quantization bit size", number))?;
        members.insert("bits".to_owned(), Json::from(*word));
    }
    if let Some(flag) = config.always_ram {
        members.insert("always_ram".to_owned(), Json::from(flag));
    }
    if let Some(place) = memory(config.memory)? {
        let place = serde_json::to_value(place).map_err(|error| invalid(error.to_string()))?;
        members.insert("memory".to_owned(), place);
    }
    serde_json::from_value(serde_json::json!({ "turbo": members }))
        .map_err(|error| invalid(error.to_string()))
}

pub(super) fn quantization_out(config: &QuantizationConfig) -> proto::QuantizationConfig {
    let quantization = match config {
        QuantizationConfig::Scalar(config) => {
            let ScalarQuantizationConfig { r#type: ScalarType::Int8, quantile, always_ram, memory } =
                config.scalar;
            Quantization::Scalar(proto::ScalarQuantization {
                r#type: proto::QuantizationType::Int8.into(),
                quantile,
                always_ram,
                memory: memory.map(memory_out),
            })
        }
        QuantizationConfig::Product(config) => Quantization::Product(proto::ProductQuantization {
            compression: match config.product.compression {
                CompressionRatio::X4 => proto::CompressionRatio::X4.into(),
                CompressionRatio::X8 => proto::CompressionRatio::X8.into(),
                CompressionRatio::X16 => proto::CompressionRatio::X16.into(),
                CompressionRatio::X32 => proto::CompressionRatio::X32.into(),
                CompressionRatio::X64 => proto::CompressionRatio::X64.into(),
            },
            always_ram: config.product.always_ram,
            memory: config.product.memory.map(memory_out),
        }),
        QuantizationConfig::Binary(config) => Quantization::Binary(binary_out(&config.binary)),
        QuantizationConfig::Turbo(config) => Quantization::Turboquant(proto::TurboQuantization {
            always_ram: config.turbo.always_ram,
            bits: config.turbo.bits.and_then(|bits| {
                let word = serde_json::to_value(bits).ok()?;
                let index = TURBO_BITS.iter().position(|known| word == *known)?;
                i32::try_from(index).ok()
            }),
            memory: config.turbo.memory.map(memory_out),
        }),
    };
    proto::QuantizationConfig { quantization: Some(quantization) }
}

fn binary_out(config: &BinaryQuantizationConfig) -> proto::BinaryQuantization {
    proto::BinaryQuantization {
        always_ram: config.always_ram,
        memory: config.memory.map(memory_out),
        encoding: config.encoding.map(|encoding| match encoding {
            BinaryQuantizationEncoding::OneBit => proto::BinaryQuantizationEncoding::OneBit.into(),
            BinaryQuantizationEncoding::TwoBits => proto::BinaryQuantizationEncoding::TwoBits.into(),
            BinaryQuantizationEncoding::OneAndHalfBits => {
                proto::BinaryQuantizationEncoding::OneAndHalfBits.into()
            }
        }),
        query_encoding: config.query_encoding.map(|encoding| {
            let setting = match encoding {
                BinaryQuantizationQueryEncoding::Default => Setting::Default,
                BinaryQuantizationQueryEncoding::Binary => Setting::Binary,
                BinaryQuantizationQueryEncoding::Scalar4Bits => Setting::Scalar4Bits,
                BinaryQuantizationQueryEncoding::Scalar8Bits => Setting::Scalar8Bits,
            };
            proto::BinaryQuantizationQueryEncoding { variant: Some(Variant::Setting(setting.into())) }
        }),
    }
}
