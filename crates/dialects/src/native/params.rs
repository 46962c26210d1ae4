//! Parameters of the native API. A name we don't know is an error: a misspelt `dry_rum` must not restore.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use node::{Error, Kind, Name, Scope};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::reply::Failure;

/// The query of a request, as a `T` that refuses unknown fields.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Params(params)).map_err(|error| invalid(error.body_text()))
    }
}

/// The same, where it depends on the scope what the query may hold.
pub(super) fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, Failure> {
    Query::<T>::try_from_uri(uri).map(|Query(params)| params).map_err(|error| invalid(error.body_text()))
}

/// The scope in a path.
pub(super) struct InScope(pub(super) Scope);

impl<S: Send + Sync> FromRequestParts<S> for InScope {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let captured = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(captured) = captured.map_err(|error| invalid(error.body_text()))?;
        let name = captured.into_iter().find(|(key, _)| key == "scope").map(|(_, value)| value);
        let name = name.ok_or_else(|| invalid("a scope is missing"))?;
        Ok(InScope(name.parse()?))
    }
}

/// The scope and the snapshot's name in a path.
pub(super) struct Named(pub(super) Scope, pub(super) Name);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let InScope(scope) = InScope::from_request_parts(parts, state).await?;
        let captured = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(captured) = captured.map_err(|error| invalid(error.body_text()))?;
        let name = captured.into_iter().find(|(key, _)| key == "name").map(|(_, value)| value);
        let name = Name::in_scope(&scope, &name.unwrap_or_default())?;
        Ok(Named(scope, name))
    }
}

/// A task's name.
pub(super) fn task_id(text: &str) -> Result<Uuid, Failure> {
    text.parse().map_err(|_| invalid(format!("{text:?} is no UUID")))
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure(Error::new(Kind::Invalid, message))
}
