//! What the kernel says of a process's memory.

use std::fs;

use anyhow::Context;

/// A field of `/proc/pid/status` that is given in kB, such as `VmRSS` or `RssAnon` (proc(5)); KiB.
pub(crate) fn kib(process: u32, field: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.with_context(|| format!("{field} of process {process}"))
}
