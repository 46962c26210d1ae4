//! Removing a job and whatever is only there for it.

use archive::msgpack::{Cursor, Error as Malformed};
use archive::nomad::kinds;
use bytes::Bytes;

use super::{JOB_SUMMARY, JOB_VERSION, JOBS, versions_of};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::Failure;
use crate::nomad::{Reply, layout};
use crate::{Error, Read, Txn, error};

/// What names its job in fields, and the table it is in.
const OF_A_JOB: [(u8, &str); 2] = [(kinds::DEPLOYMENT, "deployment"), (kinds::ALLOC, "allocs")];

pub(super) fn purge(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<Reply, Failure> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    if !txn.remove(kinds::JOB, &key)? {
        return Ok(Reply::Job { index: 0, job_modify_index: 0 });
    }
    for kind in [kinds::JOB_SUMMARY, kinds::SCALING_EVENTS] {
        txn.remove(kind, &key)?;
    }
    for kind in [kinds::JOB_VERSION, kinds::JOB_SUBMISSION] {
        let versions = txn.scan(kind, &versions_of(namespace, id)).map(|entry| Ok(entry?.0));
        remove_all(txn, kind, versions.collect::<Result<_, Error>>()?)?;
    }
    for table in [JOBS, JOB_VERSION, JOB_SUMMARY, "scaling_event"] {
        touch(txn, table)?;
    }
    for (kind, table) in OF_A_JOB {
        let found = of_job(txn, kind, |bytes| Ok(owner(bytes)? == (namespace, id)))?;
        if !found.is_empty() {
            remove_all(txn, kind, found)?;
            touch(txn, table)?;
        }
    }
    if txn.remove(kinds::PERIODIC_LAUNCH, &key)? {
        touch(txn, "periodic_launch")?;
    }
    scaling_policies(txn, namespace, id)?;
    let index = txn.index();
    Ok(Reply::Job { index, job_modify_index: index })
}

/// Removes the scaling policies of a job.
pub(super) fn scaling_policies(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<(), Error> {
    let found = of_job(txn, kinds::SCALING_POLICY, |bytes| {
        let (mut of_namespace, mut of_job) = ("", "");
        Cursor::new(bytes).fields(|field, value| match field {
            b"Target" => value
                .fields(|field, value| {
                    match field {
                        b"Namespace" => of_namespace = value.text()?,
                        b"Job" => of_job = value.text()?,
                        _ => {}
                    }
                    Ok(())
                })
                .map(drop),
            _ => Ok(()),
        })?;
        Ok((of_namespace, of_job) == (namespace, id))
    })?;
    if !found.is_empty() {
        remove_all(txn, kinds::SCALING_POLICY, found)?;
        touch(txn, "scaling_policy")?;
    }
    Ok(())
}

/// The ids of the records that `is_its` says are of a job.
fn of_job(
    txn: &Txn<'_>,
    kind: u8,
    is_its: impl Fn(&[u8]) -> Result<bool, Malformed>,
) -> Result<Vec<Bytes>, Error> {
    let mut found = Vec::new();
    for entry in txn.scan(kind, b"") {
        let (id, bytes) = entry?;
        if is_its(&bytes).map_err(|e| error::stored("record of a job", e))? {
            found.push(id);
        }
    }
    Ok(found)
}

/// The namespace and the id of the job that a record names.
pub(super) fn owner(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut namespace, mut job) = ("", "");
    Cursor::new(bytes).fields(|field, value| {
        match field {
            b"Namespace" => namespace = value.text()?,
            b"JobID" => job = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((namespace, job))
}

fn remove_all(txn: &mut Txn<'_>, kind: u8, ids: Vec<Bytes>) -> Result<(), Error> {
    ids.iter().try_for_each(|id| txn.remove(kind, id).map(drop))
}
