//! Qdrant's archives: uncompressed tars of GNU headers, with sparse members for files that are mostly holes.
//!
//! `qdrant/qdrant:lib/common/common/src/tar_ext.rs` writes them and `tar_unpack.rs` reads them.

mod contents;
mod entries;
mod error;
mod extents;
mod found;
mod header;
mod layout;
mod pack;
mod probe;
mod sums;
mod unpack;
mod writer;

pub use contents::{CollectionContents, Contents, Document, Kind, SegmentContents, ShardContents, Sums};
pub use entries::{Content, Entries, Entry, EntryKind, Limits};
pub use error::Error;
pub use extents::Extents;
pub use layout::{Part, Place, ShardAt, Wal};
pub use pack::{CollectionContent, FullContent, Pack, Packing, SegmentContent, ShardContent, Source};
pub use unpack::{Sink, unpack, verify};
pub use writer::{END_BYTES, Writer, member_bytes};
