//! A real server process on a data directory of ours.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::memory;

/// The listeners that a server may have, besides the native one that it always has.
const DIALECTS: [&str; 4] = ["consul", "nomad", "qdrant", "qdrant-grpc"];

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
}

/// Resident memory before an operation, and its peak while it ran; KiB.
#[derive(Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Server {
    /// Starts `binary` on free ports, with these dialects. On return it serves.
    pub(crate) fn start(binary: &Path, data_dir: &Path, dialects: &[&str]) -> anyhow::Result<Server> {
        let mut command = Command::new(binary);
        command.args(["server", "--native", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        for dialect in DIALECTS {
            let address = if dialects.contains(&dialect) { "127.0.0.1:0" } else { "off" };
            command.args([&format!("--{dialect}"), address]);
        }
        let child = command
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        // From here on, failing kills the process.
        let mut server = Server { child, addresses: BTreeMap::new() };
        let banner = BufReader::new(server.child.stderr.take().expect("it was piped"));
        server.addresses = read_banner(banner)?;
        Ok(server)
    }

    /// Where it serves a dialect.
    pub(crate) fn address(&self, dialect: &str) -> anyhow::Result<SocketAddr> {
        self.addresses.get(dialect).copied().with_context(|| format!("the server does not serve {dialect}"))
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator would, and waits for it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Runs `operation`, watching the server's memory.
    pub(crate) fn watch_memory<T>(
        &self,
        operation: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<Peak> {
        let idle_kib = memory::kib(self.id(), "VmRSS")?;
        // Makes the kernel forget the peak so far (proc(5), /proc/pid/clear_refs).
        fs::write(format!("/proc/{}/clear_refs", self.id()), "5").context("reset the memory peak")?;
        operation()?;
        Ok(Peak { idle_kib, peak_kib: memory::kib(self.id(), "VmHWM")? })
    }
}

impl Peak {
    /// What the operation took, in MiB.
    pub(crate) fn over_idle_mib(self) -> f64 {
        self.peak_kib.saturating_sub(self.idle_kib) as f64 / 1024.0
    }

    /// What the server had before, in MiB.
    pub(crate) fn idle_mib(self) -> f64 {
        self.idle_kib as f64 / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the lines with which a server says where it is: two spaces, a dialect, an address.
fn read_banner(mut lines: impl BufRead + Send + 'static) -> anyhow::Result<BTreeMap<String, SocketAddr>> {
    let mut addresses = BTreeMap::new();
    let mut said = String::new();
    loop {
        let begins = said.len();
        ensure!(lines.read_line(&mut said)? > 0, "the server stopped before it served:\n{said}");
        let line = said[begins..].strip_prefix("  ").unwrap_or_default();
        let (dialect, value) = line.split_once(' ').unwrap_or_default();
        if let Some(address) = value.trim().strip_prefix("http://") {
            let address = address.parse().context("an address in the server's banner")?;
            addresses.insert(dialect.to_owned(), address);
        } else if dialect == "data" {
            // What follows nobody reads, but a full pipe would stop the server.
            std::thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
            return Ok(addresses);
        }
    }
}
