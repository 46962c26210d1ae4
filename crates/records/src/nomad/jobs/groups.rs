//! The groups of a job. They are kept as they came; what has to be known or changed of them is found by name.

use archive::msgpack::{Encoder, Error, Value, rewrite_elements, rewrite_fields};
use archive::nomad::{Job, ScalingPolicy};
use archive::state::Opaque;

use crate::{Error as Broken, error};

/// A group, as far as rules ask about it.
pub(super) struct Group<'a>(Value<'a>);

impl<'a> Group<'a> {
    pub(super) fn name(&self) -> &'a str {
        text(&self.0, "Name")
    }

    pub(super) fn count(&self) -> i64 {
        self.0.get("Count").and_then(Value::as_i64).unwrap_or_default()
    }

    /// The ids and types of the CSI plugins that its tasks are.
    pub(super) fn plugins(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let tasks = self.0.get("Tasks").and_then(Value::as_array).unwrap_or_default();
        let plugins = tasks.iter().filter_map(|task| task.get("CSIPluginConfig"));
        plugins
            .filter(|plugin| **plugin != Value::Nil)
            .map(|plugin| (text(plugin, "ID"), text(plugin, "Type")))
    }
}

fn text<'a>(value: &Value<'a>, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The groups of a job.
pub(super) fn of(job: &Job) -> Vec<Group<'_>> {
    match job.task_groups.value() {
        Value::Array(groups) => groups.into_iter().map(Group).collect(),
        _ => Vec::new(),
    }
}

/// Fails on groups that could not be changed later.
pub(super) fn check(job: &Job) -> Result<(), Broken> {
    each_field(job, |_, field, value| {
        match field {
            b"Scaling" if value != NIL => drop(ScalingPolicy::decode(value)?),
            b"Tasks" => drop(each_task(value, |_, _, _| None)?),
            _ => {}
        }
        Ok(None)
    })
    .map(drop)
}

/// The scaling policies of the groups, as the job has them.
pub(super) fn scaling(job: &Job) -> Result<Vec<ScalingPolicy>, Broken> {
    let mut found = Vec::new();
    each_field(job, |_, field, value| {
        if field == b"Scaling" && value != NIL {
            found.push(ScalingPolicy::decode(value)?);
        }
        Ok(None)
    })?;
    Ok(found)
}

const NIL: &[u8] = &[0xc0];

/// Changes the scaling policies of the groups.
pub(super) fn change_scaling(
    job: &mut Job,
    mut change: impl FnMut(&mut ScalingPolicy),
) -> Result<(), Broken> {
    job.task_groups = each_field(job, |_, field, value| {
        if field != b"Scaling" || value == NIL {
            return Ok(None);
        }
        let mut policy = ScalingPolicy::decode(value)?;
        change(&mut policy);
        Ok(Some(policy.encode_over(value)))
    })?;
    Ok(())
}

/// The groups without their policies.
pub(super) fn without_scaling(job: &Job) -> Result<Opaque, Broken> {
    each_field(job, |_, field, _| Ok((field == b"Scaling").then(|| NIL.to_vec())))
}

/// Sets how many instances groups have: those for which `count` knows it by their names.
pub(super) fn set_counts(job: &mut Job, count: impl Fn(&str) -> Option<i64>) -> Result<(), Broken> {
    job.task_groups = each_field(job, |group, field, _| {
        let count = count(group).filter(|_| field == b"Count");
        Ok(count.map(|count| {
            let mut out = Encoder::with_signed_codes();
            out.int(count);
            out.into_bytes()
        }))
    })?;
    Ok(())
}

/// Gives tasks the resources that those of the same group and name have in another version of the job.
pub(super) fn take_resources(job: &mut Job, from: &Job) -> Result<(), Broken> {
    let mut known = std::collections::BTreeMap::new();
    each_field(from, |group, field, value| {
        if field == b"Tasks" {
            each_task(value, |task, field, value| {
                if field == b"Resources" {
                    known.insert((group.to_owned(), task.to_owned()), value.to_vec());
                }
                None
            })?;
        }
        Ok(None)
    })?;
    job.task_groups = each_field(job, |group, field, value| {
        if field != b"Tasks" {
            return Ok(None);
        }
        let resources = |task: &str, field: &[u8], _: &[u8]| match field {
            b"Resources" => known.get(&(group.to_owned(), task.to_owned())).cloned(),
            _ => None,
        };
        each_task(value, resources).map(Some)
    })?;
    Ok(())
}

/// Writes the groups again; `change` gets a group's name, and a field of it.
fn each_field(
    job: &Job,
    mut change: impl FnMut(&str, &[u8], &[u8]) -> Result<Option<Vec<u8>>, Error>,
) -> Result<Opaque, Broken> {
    let groups = rewrite_elements(job.task_groups.as_bytes(), |group| {
        if group == NIL {
            return Ok(None);
        }
        let value = Value::decode(group)?;
        let name = text(&value, "Name");
        rewrite_fields(group, |field, value| change(name, field, value)).map(Some)
    });
    groups.and_then(Opaque::new).map_err(|e| error::stored("job", e))
}

fn each_task(
    tasks: &[u8],
    mut change: impl FnMut(&str, &[u8], &[u8]) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    rewrite_elements(tasks, |task| {
        if task == NIL {
            return Ok(None);
        }
        let value = Value::decode(task)?;
        let name = text(&value, "Name");
        rewrite_fields(task, |field, value| Ok(change(name, field, value))).map(Some)
    })
}
