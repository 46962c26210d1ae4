//! Removing a job and whatever is only there for it.

use archive::msgpack::{Cursor, Error as Malformed};
use archive::nomad::kinds;
use bytes::Bytes;

use super::{JOB_SUMMARY, JOB_VERSION, JOBS, children, decode, plugins, scaling, versions_of};
use crate::nomad::indexes::touch;
use crate::nomad::refusal::Failure;
use crate::nomad::{Reply, layout};
use crate::{Error, Read, Txn};

/// What names its job in fields, and the table it is in.
const OF_A_JOB: [(u8, &str); 2] = [(kinds::DEPLOYMENT, "deployment"), (kinds::ALLOC, "allocs")];

pub(super) fn purge(txn: &mut Txn<'_>, namespace: &str, id: &str) -> Result<Reply, Failure> {
    let key = layout::in_namespace(namespace, id.as_bytes());
    let Some(job) = txn.get(kinds::JOB, &key)? else {
        return Ok(Reply::Job { index: 0, job_modify_index: 0 });
    };
    let job = decode(&job)?;
    // For its parent it is as dead as if it had been stopped.
    children::tell(txn, &job, Some(&job.status), "dead")?;
    plugins::remove(txn, &job)?;
    for kind in [kinds::JOB, kinds::JOB_SUMMARY, kinds::SCALING_EVENTS] {
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
        let found = of_job(txn, kind, |bytes| is_of(bytes, namespace, id))?;
        if !found.is_empty() {
            remove_all(txn, kind, found)?;
            touch(txn, table)?;
        }
    }
    if txn.remove(kinds::PERIODIC_LAUNCH, &key)? {
        touch(txn, "periodic_launch")?;
    }
    scaling::remove(txn, namespace, id)?;
    let index = txn.index();
    Ok(Reply::Job { index, job_modify_index: index })
}

/// The ids of the records that `is_its` says are of a job.
fn of_job(txn: &Txn<'_>, kind: u8, is_its: impl Fn(&[u8]) -> bool) -> Result<Vec<Bytes>, Error> {
    let records = txn.scan(kind, b"");
    let found = records.filter(|entry| entry.as_ref().map_or(true, |(_, bytes)| is_its(bytes)));
    found.map(|entry| Ok(entry?.0)).collect()
}

/// Whether a record names a job by the fields that most do. What is not as it should be, which an archive may
/// bring, names none.
pub(super) fn is_of(bytes: &[u8], namespace: &str, id: &str) -> bool {
    let found = names(&mut Cursor::new(bytes), [b"Namespace", b"JobID"]);
    found.is_ok_and(|found| found == [namespace.as_bytes(), id.as_bytes()])
}

/// Two texts of a map.
fn names<'a>(cursor: &mut Cursor<'a>, fields: [&[u8]; 2]) -> Result<[&'a [u8]; 2], Malformed> {
    let mut found: [&[u8]; 2] = [b"", b""];
    cursor.fields(|field, value| {
        if let Some(at) = fields.iter().position(|name| *name == field) {
            found[at] = value.raw()?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn remove_all(txn: &mut Txn<'_>, kind: u8, ids: Vec<Bytes>) -> Result<(), Error> {
    ids.iter().try_for_each(|id| txn.remove(kind, id).map(drop))
}
