//! Variables: `/v1/vars` and `/v1/var/{path}`, with `?cas` and the locks `?lock-acquire`, `?lock-release`,
//! `?lock-renew`.
//!
//! Follows `hashicorp/nomad:command/agent/variable_endpoint.go` and `nomad/variables_endpoint.go`. One thing
//! differs: what stands in the way of a change shows its lock to management tokens alone.

use archive::nomad::{Variable, VariableLock};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use node::{Error, Kind, Renewal};
use records::nomad::acl::VariableCapability as Capability;
use records::nomad::keyring::{self, Items};
use records::nomad::variables::{self, Command};
use records::nomad::{self, Answer};
use records::{Op, Scope, View};
use serde::Serialize;
use uuid::Uuid;

use super::App;
use super::access::Caller;
use super::params::{Params, namespace, read_json};
use super::reads::read as read_with;
use super::reply::{continue_at, json, of_nomad, written};
use crate::http::blocking::off_thread;
use crate::http::filter::{Filter, kept};
use crate::http::shape::{Members, Nanos, Shown, Words};
use crate::http::{Failure, Query, Reply, below, unsigned_or_why};

/// The parts of a variable as expressions know them: `VariableMetadata.Path`.
const PARTS: &[(&str, &[&str])] = &[
    (
        "VariableMetadata",
        &["Namespace", "Path", "Lock", "CreateIndex", "CreateTime", "ModifyIndex", "ModifyTime"],
    ),
    ("VariableData", &["Data", "KeyID"]),
];

pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let (params, filter) = (params.forwards(), Filter::nomad(&query, "VariableEncrypted")?);
    let (namespace, prefix) = (params.namespace.clone(), params.prefix.clone());
    let (mut headers, (found, sees_locks)) = read_with(&caller, params.read, move |view, may| {
        let namespace = Some(namespace.as_str()).filter(|namespace| *namespace != "*");
        let Answer { index, mut value } = variables::variables(view, namespace, &prefix)?;
        value.retain(|found| may.variable(&found.namespace, &found.path, Capability::List).is_ok());
        Ok(Answer { index, value: (value, may.management().is_ok()) })
    })
    .await?;
    let found = kept(filter.as_ref(), found, |filter, variable| {
        // Whoever may not see a lock may not find it out by asking either.
        let lock = variable.lock.clone().filter(|_| sees_locks);
        filter.passes_parted(&Variable { lock, ..variable.clone() }.encode(), PARTS)
    })?;
    let (page, next) = params.page(found, |variable| format!("{}.{}", variable.namespace, variable.path));
    continue_at(&mut headers, next.as_deref());
    let shown: Vec<_> = page.iter().map(|variable| Metadata::of(variable, sees_locks, None)).collect();
    Ok((headers, json(&query, &shown)).into_response())
}

pub(super) async fn read(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let (path, namespace) = (path(&uri)?, params.namespace);
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        may.variable(&namespace, &path, Capability::Read)?;
        let Answer { index, value } = variables::variable(view, &namespace, &path)?;
        let value = match value {
            Some(variable) => Some((open(view, &variable)?, variable, may.management().is_ok())),
            None => None,
        };
        Ok(Answer { index, value })
    })
    .await?;
    match found {
        Some((items, variable, sees_lock)) => {
            let shown = Metadata::of(&variable, sees_lock, Some(&items));
            Ok((headers, json(&query, &shown)).into_response())
        }
        None => Ok((headers, Failure::not_found("variable not found")).into_response()),
    }
}

/// `PUT` and `POST`: sets the variable, or acquires, releases or renews its lock.
pub(super) async fn write(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
    body: Body,
) -> Reply {
    let path = path(&uri)?;
    let operations = ["lock-renew", "lock-acquire", "lock-release"];
    let operations: Vec<_> = operations.into_iter().filter(|operation| query.has(operation)).collect();
    if operations.len() > 1 {
        return Err(Failure::invalid("multiple lock operations"));
    }
    if !operations.is_empty() && query.filled("cas").is_some() {
        return Err(Failure::invalid("CAS can't be used with lock operations"));
    }
    let asked = Asked::read(body, path, namespace(&query)).await?;
    match operations[..] {
        ["lock-renew"] => renew(&app, &query, &caller, asked).await,
        ["lock-acquire"] => acquire(&app, &query, &caller, asked).await,
        ["lock-release"] => release(&app, &query, &caller, asked).await,
        _ => set(&app, &query, &caller, asked).await,
    }
}

pub(super) async fn delete(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let (path, namespace) = (path(&uri)?, namespace(&query).to_owned());
    let cas = cas(&query)?;
    may(&caller, &namespace, &path, Capability::Destroy).await?;
    let delete = Command::Delete { namespace, path, cas };
    match propose(&app, delete).await? {
        nomad::Reply::Done { index } => Ok((StatusCode::NO_CONTENT, written(index)).into_response()),
        nomad::Reply::Conflict(with) => conflict(&query, &caller, *with).await,
        other => Err(Failure::unexpected(&other)),
    }
}

async fn set(app: &App, query: &Query, caller: &Caller, asked: Asked) -> Reply {
    let items = asked.items.unwrap_or_default();
    if items.is_empty() {
        return Err(Failure::invalid("variable missing required Items object"));
    }
    let cas = cas(query)?;
    may(caller, &asked.namespace, &asked.path, Capability::Write).await?;
    let chooses = |lock: &VariableLock| lock.ttl_ns != 0 || lock.lock_delay_ns != 0;
    if asked.lock.as_ref().is_some_and(chooses) {
        return Err(Failure::invalid("variable should not contain lock definition"));
    }
    variables::check_namespace(&asked.namespace)?;
    variables::check_items(&items)?;
    variables::check_path(&asked.path)?;
    let claimed = asked.lock.as_ref().map(|lock| lock.id.clone());
    let variable =
        Variable { namespace: asked.namespace, path: asked.path, lock: asked.lock, ..Variable::default() };
    let variable = Box::new(app.node.seal_items(variable, Some(&items)).await?);
    let reply = propose(app, Command::Set { variable, cas }).await?;
    changed(query, caller, reply, claimed.as_deref(), Some(&items)).await
}

async fn acquire(app: &App, query: &Query, caller: &Caller, asked: Asked) -> Reply {
    may(caller, &asked.namespace, &asked.path, Capability::Write).await?;
    let lock = variables::settled_lock(asked.lock.unwrap_or_default(), || Uuid::new_v4().to_string());
    variables::check_namespace(&asked.namespace)?;
    variables::check_items(asked.items.as_ref().unwrap_or(&Items::new()))?;
    variables::check_path(&asked.path)?;
    variables::check_lock(&lock)?;
    let claimed = lock.id.clone();
    let variable =
        Variable { namespace: asked.namespace, path: asked.path, lock: Some(lock), ..Variable::default() };
    let variable = Box::new(app.node.seal_items(variable, asked.items.as_ref()).await?);
    let reply = propose(app, Command::Acquire(variable)).await?;
    changed(query, caller, reply, Some(&claimed), asked.items.as_ref()).await
}

async fn release(app: &App, query: &Query, caller: &Caller, asked: Asked) -> Reply {
    may(caller, &asked.namespace, &asked.path, Capability::Write).await?;
    let lock_id = asked.lock.map(|lock| lock.id).filter(|id| !id.is_empty());
    let lock_id = lock_id.ok_or_else(|| Failure::invalid("missing lock information"))?;
    if asked.items.is_some() {
        return Err(Failure::invalid("lock release operation doesn't take variable items"));
    }
    variables::check_path(&asked.path)?;
    let release = Command::Release { namespace: asked.namespace, path: asked.path, lock_id };
    let reply = propose(app, release).await?;
    changed(query, caller, reply, None, None).await
}

/// Unlike with the others, the namespace is always that of the query.
async fn renew(app: &App, query: &Query, caller: &Caller, asked: Asked) -> Reply {
    let namespace = namespace(query);
    may(caller, namespace, &asked.path, Capability::Write).await?;
    let lock_id = asked.lock.map(|lock| lock.id).filter(|id| !id.is_empty());
    let lock_id = lock_id.ok_or_else(|| Failure::invalid("missing lock ID"))?;
    match app.node.renew_lock(namespace, &asked.path, &lock_id).await? {
        Renewal::Renewed(variable) => Ok(json(query, &Metadata::of(&variable, true, None))),
        Renewal::NoVariable => Err(Failure::not_found("variable doesn't exist")),
        Renewal::NotLocked => Err(refused("variable doesn't hold a lock")),
        Renewal::Lost => Err(refused("attempting to modify locked variable")),
    }
}

fn refused(text: &str) -> Failure {
    Error::new(Kind::Conflict, text).into()
}

/// What a request says of a variable.
struct Asked {
    namespace: String,
    path: String,
    items: Option<Items>,
    lock: Option<VariableLock>,
}

impl Asked {
    /// The path is the URL's; the namespace too, unless the body names one.
    async fn read(body: Body, path: String, namespace: &str) -> Result<Asked, Failure> {
        let value = read_json(body).await?;
        let parse = || {
            let mut members = Members::of(value)?;
            let named: String = members.take("Namespace")?;
            let lock = match members.take_raw("Lock").filter(|lock| !lock.is_null()) {
                Some(lock) => Some(read_lock(Members::of(lock)?)?),
                None => None,
            };
            let namespace = if named.is_empty() { namespace.to_owned() } else { named };
            Ok::<_, String>(Asked { namespace, path, items: members.take("Items")?, lock })
        };
        parse().map_err(Failure::invalid)
    }
}

fn read_lock(mut members: Members) -> Result<VariableLock, String> {
    let mut nanos = |name: &str| -> Result<i64, String> {
        let value = members.take_raw(name).filter(|value| value.as_str() != Some(""));
        Ok(value.map(crate::http::shape::read_or_null::<Nanos>).transpose()?.unwrap_or_default().0)
    };
    let (ttl_ns, lock_delay_ns) = (nanos("TTL")?, nanos("LockDelay")?);
    Ok(VariableLock { id: members.take("ID")?, ttl_ns, lock_delay_ns })
}

/// What is shown of a variable; its items only to who may read them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    namespace: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Lock<'a>>,
    create_index: u64,
    create_time: i64,
    modify_index: u64,
    modify_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'a Items>,
}

#[derive(Serialize)]
struct Lock<'a> {
    #[serde(rename = "TTL")]
    ttl: LockTime,
    #[serde(rename = "LockDelay")]
    lock_delay: LockTime,
    #[serde(rename = "ID")]
    id: &'a str,
}

/// A time in words; none if it is 0.
struct LockTime(i64);

impl Serialize for LockTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_str(""),
            nanos => Shown(&Words(nanos)).serialize(serializer),
        }
    }
}

impl<'a> Metadata<'a> {
    fn of(variable: &'a Variable, sees_lock: bool, items: Option<&'a Items>) -> Metadata<'a> {
        let lock = variable.lock.as_ref().filter(|_| sees_lock);
        Metadata {
            namespace: &variable.namespace,
            path: &variable.path,
            lock: lock.map(|lock| Lock {
                ttl: LockTime(lock.ttl_ns),
                lock_delay: LockTime(lock.lock_delay_ns),
                id: &lock.id,
            }),
            create_index: variable.create_index,
            create_time: variable.create_time_ns,
            modify_index: variable.modify_index,
            modify_time: variable.modify_time_ns,
            items: items.filter(|items| !items.is_empty()),
        }
    }
}

async fn propose(app: &App, command: Command) -> Result<nomad::Reply, Failure> {
    let op = Op::Nomad(nomad::Command::Variable(command));
    // Deletes free space, and so go on when the disk is full.
    let is_delete = matches!(op, Op::Nomad(nomad::Command::Variable(Command::Delete { .. })));
    let reply = match is_delete {
        true => app.node.change_on_full_disk(op).await?,
        false => app.node.change(op).await?,
    };
    of_nomad(reply)
}

/// The answer to a change. Who made it may see what they wrote, and the lock that they hold.
async fn changed(
    query: &Query,
    caller: &Caller,
    reply: nomad::Reply,
    claimed: Option<&str>,
    items: Option<&Items>,
) -> Reply {
    let variable = match reply {
        nomad::Reply::Variable(variable) => variable,
        nomad::Reply::Conflict(with) => return conflict(query, caller, *with).await,
        other => return Err(Failure::unexpected(&other)),
    };
    let is_holder = variable.lock.as_ref().is_some_and(|lock| claimed == Some(lock.id.as_str()));
    let sees_lock = is_holder || caller.now().await?.management().is_ok();
    let shown = Metadata::of(&variable, sees_lock, items);
    Ok((written(variable.modify_index), json(query, &shown)).into_response())
}

/// Shows what stood in the way: its items only to who may read them.
async fn conflict(query: &Query, caller: &Caller, with: Variable) -> Reply {
    let asker = caller.clone();
    let (with, items, sees_lock) = off_thread(move || {
        let view = asker.node().records().view(Scope::Nomad)?;
        let may = asker.on(&view)?;
        let reads = may.variable(&with.namespace, &with.path, Capability::Read).is_ok();
        // Without a key there is nothing: what stood in the way is that, or somebody else's lock.
        let items = match reads && !with.key_id.is_empty() {
            true => Some(open(&view, &with)?),
            false => None,
        };
        Ok::<_, Failure>((with, items, may.management().is_ok()))
    })
    .await?;
    let shown = Metadata::of(&with, sees_lock, items.as_ref());
    let response: Response = json(query, &shown);
    Ok((StatusCode::CONFLICT, written(with.modify_index), response).into_response())
}

async fn may(caller: &Caller, namespace: &str, path: &str, capability: Capability) -> Result<(), Failure> {
    let (namespace, path) = (namespace.to_owned(), path.to_owned());
    caller.vet(move |_, may| Ok(may.variable(&namespace, &path, capability)?)).await
}

fn open(view: &View, variable: &Variable) -> Result<Items, Failure> {
    let fail = |text: String| Failure::genuine(Kind::Corrupt, text);
    let cipher = keyring::cipher(view, &variable.key_id)?
        .ok_or_else(|| fail(format!("no such key {:?} in keyring", variable.key_id)))?;
    let data = variable.data.as_ref().map_or(&[][..], |data| &data.0);
    cipher.open(data).map_err(|sealed| fail(sealed.to_string()))
}

fn cas(query: &Query) -> Result<Option<u64>, Failure> {
    let Some(text) = query.filled("cas") else { return Ok(None) };
    let index = unsigned_or_why(text).map_err(|why| Failure::invalid(format!("can not parse cas: {why}")))?;
    Ok(Some(index))
}

fn path(uri: &Uri) -> Result<String, Failure> {
    let path = below(uri, "/v1/var/")?;
    if path.is_empty() { Err(Failure::invalid("missing variable path")) } else { Ok(path) }
}
