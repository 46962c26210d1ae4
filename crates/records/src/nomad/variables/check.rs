//! What a variable may be, before it is encrypted.
//!
//! Follows `hashicorp/nomad:nomad/structs/variables.go`; texts are the genuine ones.

use archive::nomad::VariableLock;

use crate::nomad::keyring::Items;
use crate::nomad::refusal::Refusal;

const NAME_CHARS_MAX: usize = 128;

/// Names and values of one variable together.
const ITEMS_BYTES_MAX: usize = 65_536;

const SECOND_NS: i64 = 1_000_000_000;

/// The time to live of a lock, and the time nobody gets it after it was lost, unless told.
const LOCK_DEFAULT_NS: i64 = 15 * SECOND_NS;

const LOCK_TTL_NS: std::ops::RangeInclusive<i64> = 10 * SECOND_NS..=24 * 3600 * SECOND_NS;

/// Whether variables can be in a namespace of that name. That there is such a namespace nobody checks.
pub fn check_namespace(namespace: &str) -> Result<(), Refusal> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match namespace {
        "*" => Err(invalid("can not target wildcard (\"*\")namespace")),
        name if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_word) => Ok(()),
        name => Err(invalid(format!("invalid namespace {name:?}"))),
    }
}

/// Whether variables can be at a path.
pub fn check_path(path: &str) -> Result<(), Refusal> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~/".contains(&byte);
    if path.is_empty() {
        return Err(invalid("variable requires path"));
    }
    if path.len() > NAME_CHARS_MAX || !path.bytes().all(is_allowed) {
        return Err(invalid(format!("invalid path {path:?}")));
    }
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["nomad"] => Err(invalid(
            "\"nomad\" is a reserved top-level directory path, but you may write variables to \"nomad/jobs\", \
             \"nomad/job-templates\", \"nomad/sentinel\", or below",
        )),
        ["nomad", "jobs" | "sentinel", ..] | ["nomad", "job-templates", _] => Ok(()),
        ["nomad", "job-templates", ..] => Err(invalid(
            "\"nomad/job-templates\" is a reserved directory path, but you may write variables at the level below \
             it, for example, \"nomad/job-templates/template-name\"",
        )),
        ["nomad", ..] => Err(invalid(
            "only paths at \"nomad/jobs\" or \"nomad/job-templates\" and below are valid paths under the top-level \
             \"nomad\" directory",
        )),
        _ => Ok(()),
    }
}

/// Whether a variable can have these items. One that is only locked needs none.
pub fn check_items(items: &Items) -> Result<(), Refusal> {
    let bytes: usize = items.iter().map(|(name, value)| name.len() + value.len()).sum();
    match bytes {
        0..=ITEMS_BYTES_MAX => Ok(()),
        _ => Err(invalid("variables are limited to 64KiB in total size")),
    }
}

/// The lock with what the caller left open: the times that nobody chose, and the id that was drawn.
pub fn settled_lock(lock: VariableLock, drawn_id: impl FnOnce() -> String) -> VariableLock {
    let or_default = |ns| if ns == 0 { LOCK_DEFAULT_NS } else { ns };
    VariableLock {
        id: if lock.id.is_empty() { drawn_id() } else { lock.id },
        ttl_ns: or_default(lock.ttl_ns),
        lock_delay_ns: or_default(lock.lock_delay_ns),
    }
}

/// Whether somebody can hold a variable for so long.
pub fn check_lock(lock: &VariableLock) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    if lock.lock_delay_ns < 0 || lock.ttl_ns < 0 {
        wrong.push("Lock delay and TTL must be positive");
    }
    if !LOCK_TTL_NS.contains(&lock.ttl_ns) {
        wrong.push("TTL must be between 10 seconds and 24 hours");
    }
    if wrong.is_empty() { Ok(()) } else { Err(invalid(wrong.join("; "))) }
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Invalid(text.into())
}
