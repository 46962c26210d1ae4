//! How collections change. Pure rules over the stored state: the same on every replica.

use bytes::Bytes;
use uuid::Uuid;

use super::state::{alias_key, collection_key};
use super::{AliasChange, Collection, Collections, Command, Refusal, Reply, exchange, read};
use crate::overlay::Overlay;
use crate::store::Table;
use crate::{Error, meta};

/// Makes one change, or refuses it and changes nothing.
pub(crate) fn apply(
    overlay: &mut Overlay,
    table: Table,
    at_ms: u64,
    command: Command,
) -> Result<Reply, Error> {
    let before = overlay.savepoint();
    let mut change = Change { overlay, table, at_ms };
    let done = change.make(command)?;
    Ok(done.unwrap_or_else(|refusal| {
        change.overlay.roll_back(before);
        Reply::Refused(refusal)
    }))
}

pub(super) struct Change<'a> {
    overlay: &'a mut Overlay,
    table: Table,
    /// The time of the entry.
    pub(super) at_ms: u64,
}

/// Done or refused, within what may fail.
pub(super) type Outcome = Result<Result<Reply, Refusal>, Error>;

impl Change<'_> {
    fn make(&mut self, command: Command) -> Outcome {
        match command {
            Command::Create(collection) => self.create(&collection),
            Command::Update { uuid, revision, config } => self.change(uuid, |collection| {
                if collection.revision != revision {
                    return Err(Refusal::Changed);
                }
                collection.config = config;
                Ok(Reply::Done)
            }),
            Command::Delete { name } => self.delete(&name),
            Command::ChangeAliases(changes) => {
                for change in changes {
                    if let Err(refusal) = self.change_alias(change)? {
                        return Ok(Err(refusal));
                    }
                }
                Ok(Ok(Reply::Done))
            }
            Command::SetIndex { uuid, field, schema } => self.change(uuid, |collection| {
                collection.schema.insert(field, schema);
                Ok(Reply::Done)
            }),
            Command::DropIndex { uuid, field } => {
                self.change(uuid, |collection| match collection.schema.remove(&field) {
                    Some(_) => Ok(Reply::Done),
                    None => Ok(Reply::Nothing),
                })
            }
            Command::Exchange { image, term: _, content, expected } => {
                exchange::exchange(self, image, content, expected)
            }
            Command::UndoExchange { scope, image } => exchange::undo(self, &scope, image),
            Command::ForgetExchange { scope, image } => exchange::forget(self, &scope, image),
        }
    }

    fn create(&mut self, collection: &Collection) -> Outcome {
        let name = &collection.name;
        if self.exists(name)? {
            return Ok(Err(Refusal::Exists(name.clone())));
        }
        if self.overlay.get(self.table, &alias_key(name))?.is_some() {
            return Ok(Err(Refusal::IsAlias(name.clone())));
        }
        self.put(collection);
        Ok(Ok(Reply::Done))
    }

    /// Changes the collection that is `uuid` now; every change raises its revision.
    fn change(
        &mut self,
        uuid: Uuid,
        make: impl FnOnce(&mut Collection) -> Result<Reply, Refusal>,
    ) -> Outcome {
        let all = self.all()?;
        let found = all.collections.into_values().find(|collection| collection.uuid == uuid);
        let Some(found) = found else { return Ok(Err(Refusal::NoCollection(uuid.to_string()))) };
        let mut collection = Collection::clone(&found);
        let made = make(&mut collection);
        if made == Ok(Reply::Done) {
            collection.revision += 1;
            self.put(&collection);
        }
        Ok(made)
    }

    fn delete(&mut self, name: &str) -> Outcome {
        if !self.exists(name)? {
            return Ok(Ok(Reply::Nothing));
        }
        for (alias, target) in self.all()?.aliases {
            if target == name {
                self.set(alias_key(&alias), None);
            }
        }
        self.set(collection_key(name), None);
        exchange::forget_collection(self, name)?;
        Ok(Ok(Reply::Done))
    }

    fn change_alias(&mut self, change: AliasChange) -> Result<Result<(), Refusal>, Error> {
        match change {
            AliasChange::Create { collection, .. } if !self.exists(&collection)? => {
                Ok(Err(Refusal::NoCollection(collection)))
            }
            AliasChange::Create { alias, collection } => self.name(alias, &collection),
            AliasChange::Rename { old, new } => {
                let key = alias_key(&old);
                let Some(target) = self.overlay.get(self.table, &key)? else {
                    return Ok(Err(Refusal::NoAlias(old)));
                };
                self.set(key, None);
                let target: String = meta::decode("target of an alias", &target)?;
                self.name(new, &target)
            }
            AliasChange::Delete { alias } => {
                self.set(alias_key(&alias), None);
                Ok(Ok(()))
            }
        }
    }

    /// Makes `alias` name `target`. A collection of that name would be out of reach, so it must not be there.
    fn name(&mut self, alias: String, target: &str) -> Result<Result<(), Refusal>, Error> {
        if self.exists(&alias)? {
            return Ok(Err(Refusal::Exists(alias)));
        }
        self.set(alias_key(&alias), Some(meta::encode(&target)));
        Ok(Ok(()))
    }

    pub(super) fn all(&self) -> Result<Collections, Error> {
        read(self.table, |table, prefix| self.overlay.scan(table, prefix))
    }

    pub(super) fn collection(&self, name: &str) -> Result<Option<Collection>, Error> {
        let found = self.get(&collection_key(name))?;
        found.map(|bytes| meta::decode("collection", &bytes)).transpose()
    }

    /// What an alias names.
    pub(super) fn alias(&self, alias: &str) -> Result<Option<String>, Error> {
        let found = self.get(&alias_key(alias))?;
        found.map(|bytes| meta::decode("target of an alias", &bytes)).transpose()
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.overlay.get(self.table, key)?)
    }

    /// The keys that begin with `prefix`.
    pub(super) fn keys(&self, prefix: &[u8]) -> Result<Vec<Bytes>, Error> {
        self.overlay.scan(self.table, prefix).map(|pair| Ok(pair?.0)).collect()
    }

    pub(super) fn exists(&self, name: &str) -> Result<bool, Error> {
        Ok(self.overlay.get(self.table, &collection_key(name))?.is_some())
    }

    pub(super) fn put(&mut self, collection: &Collection) {
        self.set(collection_key(&collection.name), Some(meta::encode(collection)));
    }

    pub(super) fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        self.overlay.set(self.table, key, value);
    }
}
