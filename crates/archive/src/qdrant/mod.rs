//! Qdrant's archives: uncompressed tars of GNU headers, with sparse members for files that are mostly holes.
//!
//! `qdrant/qdrant:lib/common/common/src/tar_ext.rs` writes them and `tar_unpack.rs` reads them.

mod entries;
mod error;
mod extents;
mod header;
mod layout;
mod writer;

pub use entries::{Content, Entries, Entry, EntryKind, Limits};
pub use error::Error;
pub use extents::Extents;
pub use layout::{Part, Place, Wal};
pub use writer::{END_BYTES, Writer, member_bytes};
