//! Indexes of payload fields, both ways (`qdrant/qdrant:src/tonic/api/update_common.rs`,
//! `lib/api/src/grpc/conversions.rs`).
#![allow(deprecated, reason = "clients still say on_disk, and it must come back")]

use node::points::engine::{
    BoolIndexParams, DatetimeIndexParams, DisabledStemmerParams, FloatIndexParams, GeoIndexParams,
    IntegerIndexParams, JsonPath, KeywordIndexParams, NoStemmer, PayloadFieldSchema, PayloadIndexInfo,
    PayloadSchemaParams, PayloadSchemaType, Snowball, SnowballParams, StemmingAlgorithm, StopwordsInterface,
    StopwordsSet, TextIndexParams, TextScoringParams, TextScoringType, TokenizerType, UuidIndexParams,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::payload_index_params::IndexParams;
use qdrant_client::qdrant::stemming_algorithm::StemmingParams;

use super::check::{Result, all, fault, invalid, required};
use super::compress::{memory, memory_out};
use super::payload::path;

/// How a field is to be indexed: a type, or parameters of that type.
pub(super) fn schema(
    number: Option<i32>,
    params: Option<proto::PayloadIndexParams>,
) -> Result<PayloadFieldSchema> {
    let number = required(number, "cannot convert field_type")?;
    let field_type = proto::FieldType::try_from(number).map_err(|_| invalid("cannot convert field_type"))?;
    let kind = match field_type {
        proto::FieldType::Keyword => PayloadSchemaType::Keyword,
        proto::FieldType::Integer => PayloadSchemaType::Integer,
        proto::FieldType::Float => PayloadSchemaType::Float,
        proto::FieldType::Geo => PayloadSchemaType::Geo,
        proto::FieldType::Text => PayloadSchemaType::Text,
        proto::FieldType::Bool => PayloadSchemaType::Bool,
        proto::FieldType::Datetime => PayloadSchemaType::Datetime,
        proto::FieldType::Uuid => PayloadSchemaType::Uuid,
    };
    let Some(params) = params.and_then(|params| params.index_params) else {
        return Ok(PayloadFieldSchema::FieldType(kind));
    };
    let params = self::params(params)?;
    match params.kind() == kind {
        true => Ok(PayloadFieldSchema::FieldParams(params)),
        false => {
            Err(invalid(format!("field_type ({:?}) and field_index_params do not match", Some(field_type))))
        }
    }
}

fn params(params: IndexParams) -> Result<PayloadSchemaParams> {
    Ok(match params {
        IndexParams::KeywordIndexParams(params) => PayloadSchemaParams::Keyword(KeywordIndexParams {
            r#type: Default::default(),
            is_tenant: params.is_tenant,
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            prefix: params.prefix.map(|proto::KeywordPrefixParams {}| true),
            nested: nested(params.nested)?,
        }),
        IndexParams::IntegerIndexParams(params) => {
            if params.lookup == Some(false) && params.range == Some(false) {
                return Err(fault("lookup", "the 'lookup' and 'range' capabilities can't be both disabled"));
            }
            PayloadSchemaParams::Integer(IntegerIndexParams {
                r#type: Default::default(),
                lookup: params.lookup,
                range: params.range,
                is_principal: params.is_principal,
                on_disk: params.on_disk,
                memory: memory(params.memory)?,
                enable_hnsw: params.enable_hnsw,
                nested: nested(params.nested)?,
            })
        }
        IndexParams::FloatIndexParams(params) => PayloadSchemaParams::Float(FloatIndexParams {
            r#type: Default::default(),
            is_principal: params.is_principal,
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            nested: nested(params.nested)?,
        }),
        IndexParams::GeoIndexParams(params) => PayloadSchemaParams::Geo(GeoIndexParams {
            r#type: Default::default(),
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            nested: nested(params.nested)?,
        }),
        IndexParams::TextIndexParams(params) => PayloadSchemaParams::Text(text(params)?),
        IndexParams::BoolIndexParams(params) => PayloadSchemaParams::Bool(BoolIndexParams {
            r#type: Default::default(),
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            nested: nested(params.nested)?,
        }),
        IndexParams::DatetimeIndexParams(params) => PayloadSchemaParams::Datetime(DatetimeIndexParams {
            r#type: Default::default(),
            is_principal: params.is_principal,
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            nested: nested(params.nested)?,
        }),
        IndexParams::UuidIndexParams(params) => PayloadSchemaParams::Uuid(UuidIndexParams {
            r#type: Default::default(),
            is_tenant: params.is_tenant,
            on_disk: params.on_disk,
            memory: memory(params.memory)?,
            enable_hnsw: params.enable_hnsw,
            nested: nested(params.nested)?,
        }),
    })
}

fn nested(key: Option<String>) -> Result<Option<JsonPath>> {
    key.as_deref().map(path).transpose()
}

fn text(params: proto::TextIndexParams) -> Result<TextIndexParams> {
    if let (Some(min), Some(max)) = (params.min_token_len, params.max_token_len)
        && min > max
    {
        return Err(fault("min_token_len", "min_token_len can't be greater than max_token_len"));
    }
    let tokenizer = match proto::TokenizerType::try_from(params.tokenizer) {
        Ok(proto::TokenizerType::Prefix) => TokenizerType::Prefix,
        Ok(proto::TokenizerType::Whitespace) => TokenizerType::Whitespace,
        Ok(proto::TokenizerType::Word) => TokenizerType::Word,
        Ok(proto::TokenizerType::Multilingual) => TokenizerType::Multilingual,
        Ok(proto::TokenizerType::Code) => TokenizerType::Code,
        Ok(proto::TokenizerType::Unknown) | Err(_) => return Err(invalid("unknown tokenizer type")),
    };
    let scoring = match params.scoring {
        None => None,
        Some(scoring) => match proto::TextScoringType::try_from(scoring.r#type) {
            Ok(proto::TextScoringType::Bm25) => Some(TextScoringParams { r#type: TextScoringType::Bm25 }),
            Err(_) => return Err(invalid("unknown text scoring type")),
        },
    };
    Ok(TextIndexParams {
        r#type: Default::default(),
        tokenizer,
        min_token_len: params.min_token_len.map(|x| x as usize),
        max_token_len: params.max_token_len.map(|x| x as usize),
        lowercase: params.lowercase,
        ascii_folding: params.ascii_folding,
        phrase_matching: params.phrase_matching,
        stopwords: params.stopwords.map(stopwords).transpose()?,
        on_disk: params.on_disk,
        memory: memory(params.memory)?,
        stemmer: params.stemmer.and_then(|stemmer| stemmer.stemming_params).map(stemmer).transpose()?,
        enable_hnsw: params.enable_hnsw,
        scoring,
        nested: nested(params.nested)?,
    })
}

fn stopwords(set: proto::StopwordsSet) -> Result<StopwordsInterface> {
    let languages: Vec<_> = all(set.languages, language)?;
    Ok(StopwordsInterface::Set(StopwordsSet {
        languages: (!languages.is_empty()).then(|| languages.into_iter().collect()),
        custom: (!set.custom.is_empty()).then(|| set.custom.into_iter().collect()),
    }))
}

fn stemmer(params: StemmingParams) -> Result<StemmingAlgorithm> {
    Ok(match params {
        StemmingParams::Snowball(params) => StemmingAlgorithm::Snowball(SnowballParams {
            r#type: Snowball::Snowball,
            language: language(params.language)?,
        }),
        StemmingParams::Disabled(proto::DisabledStemmer {}) => {
            StemmingAlgorithm::Disabled(DisabledStemmerParams { r#type: NoStemmer::None })
        }
    })
}

/// A language, by the name that it has in JSON.
fn language<T: serde::de::DeserializeOwned>(name: String) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(name))
        .map_err(|error| invalid(format!("Unknown language: {error}")))
}

fn language_out(language: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(language).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// An index, as clients read it.
pub(super) fn info(info: &PayloadIndexInfo) -> proto::PayloadSchemaInfo {
    let data_type = match info.data_type {
        PayloadSchemaType::Keyword => proto::PayloadSchemaType::Keyword,
        PayloadSchemaType::Integer => proto::PayloadSchemaType::Integer,
        PayloadSchemaType::Float => proto::PayloadSchemaType::Float,
        PayloadSchemaType::Geo => proto::PayloadSchemaType::Geo,
        PayloadSchemaType::Text => proto::PayloadSchemaType::Text,
        PayloadSchemaType::Bool => proto::PayloadSchemaType::Bool,
        PayloadSchemaType::Datetime => proto::PayloadSchemaType::Datetime,
        PayloadSchemaType::Uuid => proto::PayloadSchemaType::Uuid,
    };
    proto::PayloadSchemaInfo {
        data_type: data_type.into(),
        params: info.params.as_ref().map(params_out),
        points: Some(info.points as u64),
    }
}

fn params_out(params: &PayloadSchemaParams) -> proto::PayloadIndexParams {
    let nested = |path: &Option<JsonPath>| path.as_ref().map(JsonPath::to_string);
    let params = match params {
        PayloadSchemaParams::Keyword(params) => IndexParams::KeywordIndexParams(proto::KeywordIndexParams {
            is_tenant: params.is_tenant,
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            prefix: params.prefix.and_then(|wanted| wanted.then_some(proto::KeywordPrefixParams {})),
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
        PayloadSchemaParams::Integer(params) => IndexParams::IntegerIndexParams(proto::IntegerIndexParams {
            lookup: params.lookup,
            range: params.range,
            is_principal: params.is_principal,
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
        PayloadSchemaParams::Float(params) => IndexParams::FloatIndexParams(proto::FloatIndexParams {
            on_disk: params.on_disk,
            is_principal: params.is_principal,
            enable_hnsw: params.enable_hnsw,
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
        PayloadSchemaParams::Geo(params) => IndexParams::GeoIndexParams(proto::GeoIndexParams {
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
        PayloadSchemaParams::Text(params) => IndexParams::TextIndexParams(proto::TextIndexParams {
            nested: nested(&params.nested),
            ..text_out(params)
        }),
        PayloadSchemaParams::Bool(params) => IndexParams::BoolIndexParams(proto::BoolIndexParams {
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
        PayloadSchemaParams::Datetime(params) => {
            IndexParams::DatetimeIndexParams(proto::DatetimeIndexParams {
                on_disk: params.on_disk,
                is_principal: params.is_principal,
                enable_hnsw: params.enable_hnsw,
                memory: params.memory.map(memory_out),
                nested: nested(&params.nested),
            })
        }
        PayloadSchemaParams::Uuid(params) => IndexParams::UuidIndexParams(proto::UuidIndexParams {
            is_tenant: params.is_tenant,
            on_disk: params.on_disk,
            enable_hnsw: params.enable_hnsw,
            memory: params.memory.map(memory_out),
            nested: nested(&params.nested),
        }),
    };
    proto::PayloadIndexParams { index_params: Some(params) }
}

fn text_out(params: &TextIndexParams) -> proto::TextIndexParams {
    let tokenizer = match params.tokenizer {
        TokenizerType::Prefix => proto::TokenizerType::Prefix,
        TokenizerType::Whitespace => proto::TokenizerType::Whitespace,
        TokenizerType::Word => proto::TokenizerType::Word,
        TokenizerType::Multilingual => proto::TokenizerType::Multilingual,
        TokenizerType::Code => proto::TokenizerType::Code,
    };
    let stopwords = params.stopwords.as_ref().map(|stopwords| match stopwords {
        StopwordsInterface::Language(language) => {
            proto::StopwordsSet { languages: vec![language_out(language)], custom: Vec::new() }
        }
        StopwordsInterface::Set(set) => proto::StopwordsSet {
            languages: set.languages.iter().flatten().map(language_out).collect(),
            custom: set.custom.iter().flatten().cloned().collect(),
        },
    });
    let stemmer = params.stemmer.as_ref().map(|stemmer| {
        let params = match stemmer {
            StemmingAlgorithm::Snowball(params) => {
                StemmingParams::Snowball(proto::SnowballParams { language: language_out(&params.language) })
            }
            StemmingAlgorithm::Disabled(_) => StemmingParams::Disabled(proto::DisabledStemmer {}),
        };
        proto::StemmingAlgorithm { stemming_params: Some(params) }
    });
    proto::TextIndexParams {
        tokenizer: tokenizer.into(),
        lowercase: params.lowercase,
        min_token_len: params.min_token_len.map(|x| x as u64),
        max_token_len: params.max_token_len.map(|x| x as u64),
        on_disk: params.on_disk,
        stopwords,
        phrase_matching: params.phrase_matching,
        stemmer,
        ascii_folding: params.ascii_folding,
        enable_hnsw: params.enable_hnsw,
        memory: params.memory.map(memory_out),
        scoring: params.scoring.as_ref().map(|scoring| match scoring.r#type {
            TextScoringType::Bm25 => proto::TextScoringParams { r#type: proto::TextScoringType::Bm25.into() },
        }),
        nested: None,
    }
}
