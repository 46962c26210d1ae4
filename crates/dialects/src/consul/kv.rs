//! Keys: `GET`, `PUT` and `DELETE /v1/kv/{key}`.
//!
//! Follows `hashicorp/consul:agent/kvs_endpoint.go`.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use node::{Kind, Seen};
use records::consul::acl::{Authorizer, vet_kv};
use records::consul::{self, Command, KvOp, KvPair, Sees, Visible, kv_get, kv_keys_visible, kv_list};
use records::{ID_BYTES_MAX, Op, View};

use super::App;
use super::access::{Caller, Sight};
use super::blocking::{self, Glance, off_thread};
use super::entries::{self, Entry};
use super::params::{Query, ReadOptions, refuse_tenancy, unescape, unsigned};
use super::reply::{Failure, Reply, json, json_body, read_headers};
use crate::http::read_up_to;

/// Where the genuine server sends those who exceed it.
pub(super) const VALUE_HELP: &str =
    "https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size";

pub(super) async fn read(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let key = key(&uri)?;
    if query.has("keys") {
        return read_keys(&caller, options, key, &query).await;
    }
    if query.has("recurse") {
        return read_tree(&caller, options, key, &query).await;
    }
    if key.is_empty() {
        return Err(Failure::invalid("Missing key name"));
    }
    read_one(&caller, options, key, &query).await
}

async fn read_one(caller: &Caller, options: ReadOptions, key: Bytes, query: &Query) -> Reply {
    let find = move |view: &View, sight: &mut Sight| {
        sight.may.key_read(&key)?;
        Ok(kv_get(view, &key)?)
    };
    let (headers, found) = blocking::read(caller, options, find, Option::is_some).await?;
    Ok(match found {
        None => (StatusCode::NOT_FOUND, headers).into_response(),
        Some(entry) if query.has("raw") => (headers, raw(entry.value.unwrap_or_default())).into_response(),
        Some(entry) => (headers, json(query, &[Entry::from(entry)])).into_response(),
    })
}

/// A value as it is. The headers keep browsers from taking it for a page.
fn raw(value: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ];
    (headers, Body::from(value)).into_response()
}

async fn read_tree(caller: &Caller, options: ReadOptions, prefix: Bytes, query: &Query) -> Reply {
    let Seen { view, freshness } =
        blocking::view(caller.node(), options, glance_below(caller, &prefix)).await?;
    let (view, may) = {
        let (caller, prefix) = (caller.clone(), prefix.clone());
        off_thread(move || lister(&caller, &view, &prefix).map(|may| (view, may))).await?
    };
    let listing = entries::list(view, may, prefix, query.has("pretty")).await?;
    let mut headers = read_headers(listing.index, freshness);
    caller.tell_hidden(listing.hides, &mut headers);
    Ok(match listing.body {
        None => (StatusCode::NOT_FOUND, headers).into_response(),
        Some(body) => (headers, json_body(body)).into_response(),
    })
}

async fn read_keys(caller: &Caller, options: ReadOptions, prefix: Bytes, query: &Query) -> Reply {
    let Seen { view, freshness } =
        blocking::view(caller.node(), options, glance_below(caller, &prefix)).await?;
    // The misspelt name came first and is still taken.
    let separator = query.get("separator").or(query.get("seperator")).unwrap_or_default().to_owned();
    let is_root = prefix.is_empty();
    let Visible { answer, hides } = {
        let caller = caller.clone();
        off_thread(move || {
            let may = lister(&caller, &view, &prefix)?;
            let sees = |key: &[u8]| may.key_read(key).is_ok();
            let sees: Sees<'_> = if may.reads_all_keys() { None } else { Some(&sees) };
            Ok::<_, Failure>(kv_keys_visible(&view, &prefix, separator.as_bytes(), sees)?)
        })
        .await?
    };
    let mut headers = read_headers(answer.index, freshness);
    caller.tell_hidden(hides, &mut headers);
    if answer.value.is_empty() && !is_root {
        return Ok((StatusCode::NOT_FOUND, headers).into_response());
    }
    let keys: Vec<_> = answer.value.iter().map(|key| entries::text(key)).collect();
    Ok((headers, json(query, &keys)).into_response())
}

/// A listing counts as found even if it is empty, as for the genuine server.
fn glance_below(
    caller: &Caller,
    prefix: &Bytes,
) -> impl Fn(&View) -> Result<Glance, Failure> + Clone + Send + 'static {
    let (caller, prefix) = (caller.clone(), prefix.clone());
    move |view: &View| {
        lister(&caller, view, &prefix)?;
        Ok(Glance { index: kv_list(view, &prefix)?.index, found: true })
    }
}

/// What a caller that may list keys may do besides.
fn lister(caller: &Caller, view: &View, prefix: &[u8]) -> Result<Arc<Authorizer>, Failure> {
    let may = caller.on(view)?;
    may.key_list(prefix)?;
    Ok(may)
}

pub(super) async fn write(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let key = key(&uri)?;
    if key.is_empty() {
        return Err(Failure::invalid("Missing key name"));
    }
    refuse_conflict(&query, &["cas", "acquire", "release"])?;
    let flags = query.get("flags").map(unsigned).transpose()?.unwrap_or_default();
    let cas = query.get("cas").map(unsigned).transpose()?;
    let value = read_body(&app, body, VALUE_HELP).await?;
    let pair = KvPair { key, value, flags };
    let session = |name| query.get(name).map(str::to_owned);
    let op = match (cas, session("acquire"), session("release")) {
        (Some(index), ..) => KvOp::Cas { pair, index },
        (None, Some(session), _) => KvOp::Lock { pair, session },
        (None, None, Some(session)) => KvOp::Unlock { pair, session },
        (None, None, None) => KvOp::Set(pair),
    };
    let op = vetted(&caller, op).await?;
    let reply = app.node.change(Op::Consul(Command::Kv(op))).await?;
    Ok(json(&query, &changed(reply)?))
}

pub(super) async fn delete(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    refuse_conflict(&query, &["recurse", "cas"])?;
    let key = key(&uri)?;
    let op = match query.get("cas").map(unsigned).transpose()? {
        _ if query.has("recurse") => KvOp::DeleteTree { prefix: key },
        _ if key.is_empty() => return Err(Failure::invalid("Missing key name")),
        Some(index) => KvOp::DeleteCas { key, index },
        None => KvOp::Delete { key },
    };
    let op = vetted(&caller, op).await?;
    // A delete is what frees space.
    let reply = app.node.change_on_full_disk(Op::Consul(Command::Kv(op))).await?;
    Ok(json(&query, &changed(reply)?))
}

/// The change, if the caller may make it.
async fn vetted(caller: &Caller, op: KvOp) -> Result<KvOp, Failure> {
    caller
        .vet(move |_, may| {
            vet_kv(may, &op)?;
            Ok(op)
        })
        .await
}

/// The key in a path: everything after `/v1/kv/`, its escapes resolved once.
fn key(uri: &Uri) -> Result<Bytes, Failure> {
    let escaped = uri.path().strip_prefix("/v1/kv/").unwrap_or_default();
    let key = unescape(escaped.as_bytes()).ok_or_else(|| Failure::invalid("Invalid escape in the key"))?;
    match key.len() {
        ..=ID_BYTES_MAX => Ok(key.into()),
        bytes => {
            Err(Failure::invalid(format!("Key too long ({bytes} bytes), max size: {ID_BYTES_MAX} bytes")))
        }
    }
}

fn refuse_conflict(query: &Query, names: &[&str]) -> Result<(), Failure> {
    match names.iter().filter(|name| query.has(name)).count() {
        0 | 1 => Ok(()),
        _ => Err(Failure::invalid(format!("Conflicting flags: {}\n", query.encode()))),
    }
}

/// Whether the change was made.
fn changed(reply: records::Reply) -> Result<bool, Failure> {
    match reply {
        records::Reply::Consul(consul::Reply::Bool(changed)) => Ok(changed),
        records::Reply::Consul(consul::Reply::Failed(text)) => {
            Err(Failure::genuine(Kind::Invalid, format!("raft apply failed: {text}")))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// A body that is no larger than a value may be.
pub(super) async fn read_body(app: &App, body: Body, help: &str) -> Result<Bytes, Failure> {
    let max = app.node.settings().kv_max_value_bytes;
    let announced = body.size_hint().exact();
    if let Some(bytes) = read_up_to(max, body).await? {
        return Ok(bytes);
    }
    let what = announced.map_or("Request body".to_owned(), |bytes| format!("Request body({bytes} bytes)"));
    Err(Failure::too_large(format!("{what} too large, max size: {max} bytes. See {help}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_key(path: &'static str, expected: &[u8]) {
        assert_eq!(key(&Uri::from_static(path)).unwrap(), expected);
    }

    #[test]
    fn keys_are_unescaped_once_and_otherwise_left_alone() {
        check_key("/v1/kv", b"");
        check_key("/v1/kv/", b"");
        check_key("/v1/kv/a/b/", b"a/b/");
        check_key("/v1/kv/a%2Fb%20c+d", b"a/b c+d");
        check_key("/v1/kv/%2Flead//double", b"/lead//double");
        check_key("/v1/kv/%252F", b"%2F");
        check_key("/v1/kv/gr%C3%BCn%FF", b"gr\xc3\xbcn\xff");
    }

    #[test]
    fn broken_escapes_and_endless_keys_are_refused() {
        assert!(key(&Uri::from_static("/v1/kv/a%2")).is_err());
        let long = |bytes| key(&format!("/v1/kv/{}", "k".repeat(bytes)).parse().unwrap());
        assert!(long(ID_BYTES_MAX).is_ok());
        assert!(long(ID_BYTES_MAX + 1).is_err());
    }
}
