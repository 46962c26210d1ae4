//! A real server process on a data directory of ours, and what the kernel says of its memory.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    /// Where it serves Consul's API.
    pub(crate) consul: SocketAddr,
}

/// Resident memory before an operation, and its peak while it ran; KiB.
#[derive(Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Server {
    /// Starts `binary` on free ports. On return it serves.
    pub(crate) fn start(binary: &Path, data_dir: &Path) -> anyhow::Result<Server> {
        let child = Command::new(binary)
            .args([
                "server",
                "--consul",
                "127.0.0.1:0",
                "--nomad",
                "off",
                "--qdrant",
                "off",
                "--qdrant-grpc",
                "off",
                "--native",
                "127.0.0.1:0",
                "--data-dir",
            ])
            .arg(data_dir)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        // From here on, failing kills the process.
        let mut server = Server { child, consul: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let banner = BufReader::new(server.child.stderr.take().expect("it was piped"));
        server.consul = read_banner(banner)?;
        Ok(server)
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
        let idle_kib = self.memory_kib("VmRSS")?;
        // Makes the kernel forget the peak so far (proc(5), /proc/pid/clear_refs).
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").context("reset the memory peak")?;
        operation()?;
        Ok(Peak { idle_kib, peak_kib: self.memory_kib("VmHWM")? })
    }

    fn memory_kib(&self, field: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        kib.with_context(|| format!("{field} of the server"))
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

/// Waits for the lines with which a server says where it is.
fn read_banner(mut lines: impl BufRead + Send + 'static) -> anyhow::Result<SocketAddr> {
    let mut said = String::new();
    loop {
        let begins = said.len();
        ensure!(lines.read_line(&mut said)? > 0, "the server stopped before it served:\n{said}");
        let address = said[begins..].trim().strip_prefix("consul").map(str::trim);
        if let Some(address) = address.and_then(|address| address.strip_prefix("http://")) {
            let address = address.parse().context("the address in the server's banner")?;
            // What follows nobody reads, but a full pipe would stop the server.
            std::thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
            return Ok(address);
        }
    }
}
