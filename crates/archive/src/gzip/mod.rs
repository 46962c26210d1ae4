//! Gzip as archives need it: members compressed in parallel on the way out, and on the way in every
//! failure told apart. Members follow one another as RFC 1952 allows; their contents are one stream.

mod error;
mod header;
mod member;
mod pool;
mod reader;
mod writer;

pub use error::Error;
pub use member::{Level, MEMBER_BYTES};
pub use reader::Reader;
pub use writer::Writer;
