//! Everything that can be wrong with an archive, each with our words and with the genuine server's.

use std::io;

use super::{HeaderFault, LineFault, META, STATE, SUMS};
use crate::go_text::quoted;
use crate::gzip;

/// What was being read when the bytes ran out or turned out damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The headers of the tar's entries, and what lies between entries.
    Entries,
    /// The content of `meta.json`.
    Meta,
    /// The content of `state.bin`.
    State,
    /// The content of `SHA256SUMS`.
    Sums,
    /// What follows the end of the tar.
    End,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Entries => "a tar header",
            Phase::Meta => META,
            Phase::State => STATE,
            Phase::Sums => SUMS,
            Phase::End => "the end of the archive",
        }
    }

    /// What goes before a failure of the gzip layer, unless that never got going.
    fn introduction(self, source: &gzip::Error) -> String {
        match source.is_opening() {
            true => String::new(),
            false => format!("read {}: ", self.name()),
        }
    }

    /// How a genuine server introduces a failure in this phase.
    fn genuine_prefix(self) -> &'static str {
        match self {
            Phase::Entries => "failed to read snapshot file: failed reading snapshot: ",
            Phase::Meta => "failed to read snapshot file: failed to read snapshot metadata: ",
            Phase::State => "failed to read snapshot file: failed to read or write snapshot data: ",
            Phase::Sums => "failed to read snapshot file: failed to read snapshot hashes: ",
            Phase::End => "",
        }
    }
}

/// Why an archive is refused. Offsets count uncompressed bytes of the tar unless the text says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes could not be had; nothing is known about the archive.
    #[error("read the archive")]
    Io(#[source] io::Error),
    /// The gzip layer is damaged, cut off, or not there at all.
    #[error("{}{source}", .phase.introduction(source))]
    Gzip {
        /// What was being read; for a missing gzip header always [`Phase::Entries`].
        phase: Phase,
        /// What is wrong, with the offset in the compressed bytes.
        source: gzip::Error,
    },
    /// The gzip layer is whole, the tar in it ends too early.
    #[error("the tar is cut off at byte {offset}, within {}", .phase.name())]
    Cut {
        /// What is incomplete.
        phase: Phase,
        /// The length of the tar.
        offset: u64,
    },
    /// A tar header is invalid.
    #[error("invalid tar header at byte {offset}: {fault}")]
    Header {
        /// Where the header is.
        offset: u64,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// An entry that doesn't belong in a snapshot.
    #[error("unexpected file {} at byte {offset}", quoted(name))]
    UnexpectedFile {
        /// The entry's name.
        name: Vec<u8>,
        /// Where its header is.
        offset: u64,
    },
    /// One of the three names, but a link, directory or other special file.
    #[error("{name} at byte {offset} is not a regular file but of tar type {:?}", char::from(*.kind))]
    NotRegular {
        /// `meta.json`, `state.bin` or `SHA256SUMS`.
        name: &'static str,
        /// The tar type flag.
        kind: u8,
        /// Where its header is.
        offset: u64,
    },
    /// A part is larger than what we are willing to read.
    #[error("{name} at byte {offset} has {bytes} bytes, more than the {bytes_max} allowed")]
    TooLarge {
        /// Which part.
        name: &'static str,
        /// Its size, together with earlier entries of the same name.
        bytes: u64,
        /// What is allowed.
        bytes_max: u64,
        /// Where its header is.
        offset: u64,
    },
    /// `meta.json` is not the JSON object it should be.
    #[error("decode meta.json")]
    Meta(#[source] serde_json::Error),
    /// There is no entry of that name, though the archive cannot do without.
    #[error("{name} is missing")]
    Absent {
        /// `meta.json` or `state.bin`.
        name: &'static str,
    },
    /// The content does not have the hash that `SHA256SUMS` promises.
    #[error("{name} does not match its hash in SHA256SUMS")]
    HashMismatch {
        /// `meta.json` or `state.bin`.
        name: &'static str,
    },
    /// `SHA256SUMS` has a hash for a file that does not belong in a snapshot.
    #[error("SHA256SUMS, line {line}, lists the unknown file {}", quoted(name.as_bytes()))]
    UnknownSum {
        /// The name it lists, as text.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// `SHA256SUMS` is missing, empty or has no hash for this file.
    #[error("SHA256SUMS has no hash for {name}")]
    Unlisted {
        /// `meta.json` or `state.bin`.
        name: &'static str,
    },
    /// A line of `SHA256SUMS` that is not a hash and a name.
    #[error("SHA256SUMS, line {line}: {fault}")]
    SumsLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// Bytes follow the end of the tar within the gzip stream.
    #[error("{bytes} bytes follow the end of the tar at byte {offset}")]
    Unread {
        /// How many; counting stops at 64 MiB.
        bytes: u64,
        /// Where the tar ends.
        offset: u64,
    },
    /// `meta.json` names a version of the format that does not exist yet.
    #[error("unsupported snapshot version {0}")]
    Version(i64),
    /// `state.bin` does not have the length that `meta.json` promises.
    #[error("state.bin has {found} bytes, meta.json promises {promised}")]
    StateSize {
        /// What `meta.json` says.
        promised: i64,
        /// What there is.
        found: u64,
    },
    /// The reader was used again after it had failed.
    #[error("reading this archive has failed before")]
    Poisoned,
}

impl Error {
    /// The text that a genuine Consul server answers with when it is sent such an archive. Where the
    /// genuine server would accept what we refuse, the nearest thing that it says.
    pub fn genuine_text(&self) -> String {
        let file = |cause: &str| format!("failed to read snapshot file: {cause}");
        let integrity = |cause: String| file(&format!("failed checking integrity of snapshot: {cause}"));
        let raft = |cause: String| format!("Raft error when restoring snapshot: {cause}");
        match self {
            Error::Io(cause) => format!("{}{cause}", Phase::Entries.genuine_prefix()),
            Error::Gzip { source, .. } if source.is_opening() => {
                format!("failed to decompress snapshot: {}", source.genuine_text())
            }
            Error::Gzip { phase, source } => format!("{}{}", phase.genuine_prefix(), source.genuine_text()),
            Error::Cut { phase, .. } => format!("{}unexpected EOF", phase.genuine_prefix()),
            Error::Header { fault, .. } => {
                format!("{}{}", Phase::Entries.genuine_prefix(), fault.genuine_text())
            }
            Error::UnexpectedFile { name, .. } => {
                file(&format!("unexpected file {} in snapshot", quoted(name)))
            }
            Error::NotRegular { name, .. } => file(&format!("unexpected file {name:?} in snapshot")),
            Error::TooLarge { name, bytes, bytes_max, .. } => {
                file(&format!("failed reading snapshot: {name} has {bytes} bytes, limit {bytes_max}"))
            }
            Error::Meta(cause) => file(&format!("failed to decode snapshot metadata: {cause}")),
            Error::Absent { name } | Error::HashMismatch { name } => {
                integrity(format!("hash check failed for {name:?}"))
            }
            Error::UnknownSum { name, .. } => {
                integrity(format!("list missing hash for {}", quoted(name.as_bytes())))
            }
            Error::Unlisted { name } => integrity(format!("file missing for {name:?}")),
            Error::SumsLine { fault, .. } => integrity(fault.genuine_text().into()),
            Error::Unread { bytes, .. } => format!("{bytes} unread uncompressed bytes remain"),
            Error::Version(version) => raft(format!("unsupported snapshot version {version}")),
            Error::StateSize { promised, found } => {
                raft(format!("failed to write snapshot, size didn't match ({found} != {promised})"))
            }
            Error::Poisoned => file("failed reading snapshot: snapshot reader has failed"),
        }
    }

    /// Takes the error out of the [`io::Error`] that [`super::Reader`]'s `Read` wraps it in.
    pub fn from_io(error: io::Error) -> Error {
        error.downcast::<Error>().unwrap_or_else(Error::Io)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error {
            Error::Io(error) => error,
            Error::Cut { .. } => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            Error::Gzip { source, .. } => io::Error::new(io::Error::from(source).kind(), error),
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}
