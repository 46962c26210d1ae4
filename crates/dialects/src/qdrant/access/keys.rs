//! The operator's keys, and what a request that carries one may do.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use node::points::engine::{WithPayloadInterface, WithVector};
use node::points::query::Scroll;
use node::{Error, Kind, Node, Secret};
use subtle::ConstantTimeEq;

use super::Access;
use super::claims::{self, ValueExists};

/// The keys that open Qdrant's API. Without any, everybody may do everything.
///
/// Keys are compared in constant time; only the length of a key can show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Opens everything.
    pub api_key: Option<Secret>,
    /// Opens everything, too, so that one of the two can be exchanged while the other is in use.
    pub alt_api_key: Option<Secret>,
    /// Opens everything for reading.
    pub read_only_api_key: Option<Secret>,
    /// Whether tokens are taken that are signed with `api_key` or `alt_api_key`.
    pub jwt_rbac: bool,
}

impl Keys {
    /// Whether a request needs a key at all. An empty one is none.
    pub fn are_set(&self) -> bool {
        let all = [&self.api_key, &self.alt_api_key, &self.read_only_api_key];
        all.into_iter().any(|key| given(key).is_some())
    }
}

fn given(key: &Option<Secret>) -> Option<&Secret> {
    key.as_ref().filter(|key| !key.expose().is_empty())
}

/// Why a request may do nothing at all. The texts are answered as they are, without an envelope.
#[derive(Debug)]
pub(in crate::qdrant) enum Refused {
    /// There is no key, or no good one: 401, or `UNAUTHENTICATED`.
    Unauthorized(&'static str),
    /// The token was good for something else, or once: 403, or `PERMISSION_DENIED`.
    Forbidden(&'static str),
    /// It could not be found out. An ordinary error, in the envelope.
    Failed(Error),
}

const INVALID: Refused = Refused::Unauthorized("Invalid API key or JWT");

/// What the sender of `headers` may do. Reads no body; asks `node` only for tokens that depend on a point.
pub(in crate::qdrant) async fn authenticate(
    node: &Node,
    keys: &Keys,
    headers: &HeaderMap,
) -> Result<Access, Refused> {
    if !keys.are_set() {
        return Ok(Access::Manage);
    }
    let Some(key) = sent(headers) else {
        return Err(Refused::Unauthorized("Must provide an API key or an Authorization bearer token"));
    };
    let is = |own: &Option<Secret>| {
        given(own).is_some_and(|own| own.expose().as_bytes().ct_eq(key.as_bytes()).into())
    };
    // Both are compared, whichever it is.
    if is(&keys.api_key) | is(&keys.alt_api_key) {
        return Ok(Access::Manage);
    }
    if is(&keys.read_only_api_key) {
        return Ok(Access::Read);
    }
    if !keys.jwt_rbac {
        return Err(INVALID);
    }
    let signers = [&keys.api_key, &keys.alt_api_key].into_iter().filter_map(given);
    let mut refused = None;
    for decoded in signers.filter_map(|signer| claims::decode(key, signer, node.now_ms())) {
        match decoded {
            Ok(claims) => {
                if let Some(value) = &claims.value_exists {
                    vouch(node, value).await?;
                }
                return Ok(claims.access);
            }
            // Another key may have signed it.
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    Err(refused.unwrap_or(INVALID))
}

/// The key as it was sent: `api-key` wins over a bearer token.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("api-key").or_else(|| text(AUTHORIZATION.as_str())?.strip_prefix("Bearer "))
}

/// Finds the point on which a token depends.
async fn vouch(node: &Node, value: &ValueExists) -> Result<(), Refused> {
    const FAILED: &str = "Invalid JWT, stateful validation failed";
    let collection = match node.collection(&value.collection).await {
        Ok(collection) => collection,
        Err(error) if error.kind() == Kind::NotFound => return Err(Refused::Forbidden(FAILED)),
        Err(error) => return Err(Refused::Failed(error)),
    };
    let scroll = Scroll {
        offset: None,
        limit: 1,
        filter: Some(value.filter()),
        order_by: None,
        with_payload: WithPayloadInterface::Bool(false),
        with_vector: WithVector::Bool(false),
    };
    match collection.scroll(scroll).await {
        Ok(page) if page.points.is_empty() => Err(Refused::Unauthorized(FAILED)),
        Ok(_) => Ok(()),
        Err(error) => Err(Refused::Failed(error)),
    }
}
