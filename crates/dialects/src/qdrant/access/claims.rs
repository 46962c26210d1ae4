//! Signed tokens: JSON web tokens of HS256 whose claims say what they open.
//!
//! Follows `qdrant/qdrant:src/common/auth/{jwt_parser,claims}.rs`.

use std::collections::HashSet;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use node::Secret;
use node::points::engine::{Condition, FieldCondition, Filter, JsonPath, Match, ValueVariants};
use serde::Deserialize;

use super::keys::Refused;
use super::{Access, Grant, Mode};

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY_S: u64 = 30;

/// What a token says, once its signature is known to be good and its time not over.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) access: Access,
    /// If given, the token holds only as long as there is such a point.
    pub(super) value_exists: Option<ValueExists>,
}

/// A point that must exist: in this collection, with these values.
#[derive(Debug, Deserialize)]
pub(super) struct ValueExists {
    pub(super) collection: String,
    matches: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    key: JsonPath,
    value: ValueVariants,
}

impl ValueExists {
    pub(super) fn filter(&self) -> Filter {
        let conditions = self.matches.iter().map(|pair| {
            let value = Match::new_value(pair.value.clone());
            Condition::Field(FieldCondition::new_match(pair.key.clone(), value))
        });
        Filter { must: Some(conditions.collect()), ..Filter::default() }
    }
}

/// The claims as written.
#[derive(Deserialize)]
struct Written {
    exp: Option<u64>,
    #[serde(default)]
    access: WrittenAccess,
    value_exists: Option<ValueExists>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAccess {
    Global(Global),
    Collections(Vec<WrittenGrant>),
}

/// A token that says nothing of access opens everything.
impl Default for WrittenAccess {
    fn default() -> WrittenAccess {
        WrittenAccess::Global(Global::Manage)
    }
}

#[derive(Deserialize)]
enum Global {
    #[serde(rename = "r")]
    Read,
    #[serde(rename = "m")]
    Manage,
}

#[derive(Deserialize)]
struct WrittenGrant {
    collection: String,
    access: Mode,
    /// Servers before 1.15 narrowed a token by it. Whoever signed one with it meant less than it would open here.
    payload: Option<serde_json::Value>,
}

/// Reads a token that is to be signed with `key`; `None` if it is no such token at all.
pub(super) fn decode(token: &str, key: &Secret, now_ms: u64) -> Option<Result<Claims, Refused>> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_aud = false;
    // Time is an argument here.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(key.expose().as_bytes());
    let written = match jsonwebtoken::decode::<Written>(token, &key, &validation) {
        Ok(token) => token.claims,
        Err(error) => {
            let is_forged = matches!(error.kind(), ErrorKind::InvalidSignature);
            return is_forged.then_some(Err(Refused::Forbidden("InvalidSignature")));
        }
    };
    Some(written.vet(now_ms / 1000))
}

impl Written {
    fn vet(self, now_s: u64) -> Result<Claims, Refused> {
        if self.exp.is_some_and(|exp| exp < now_s.saturating_sub(LEEWAY_S)) {
            return Err(Refused::Forbidden("ExpiredSignature"));
        }
        let access = match self.access {
            WrittenAccess::Global(Global::Manage) => Access::Manage,
            WrittenAccess::Global(Global::Read) => Access::Read,
            WrittenAccess::Collections(written) => Access::Collections(grants(written)?.into()),
        };
        Ok(Claims { access, value_exists: self.value_exists })
    }
}

fn grants(written: Vec<WrittenGrant>) -> Result<Vec<Grant>, Refused> {
    let mut names = HashSet::new();
    if !written.iter().all(|grant| names.insert(grant.collection.as_str())) {
        return Err(Refused::Unauthorized("Collection name should be unique"));
    }
    if written.iter().any(|grant| grant.payload.is_some()) {
        let message = "The 'payload' constraint is deprecated and should not be used";
        return Err(Refused::Unauthorized(message));
    }
    let grant = |WrittenGrant { collection, access, .. }| Grant { collection, access };
    Ok(written.into_iter().map(grant).collect())
}
