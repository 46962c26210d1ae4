//! Archive formats over std `Read` and `Write`: write, read, verify, inspect.
//!
//! Bytes in, bytes out: files, clocks, fsync and async belong to the callers.

pub mod gzip;

pub mod hashicorp;

mod tar;

pub mod msgpack;

pub mod state;

pub mod consul;

pub mod nomad;

pub mod qdrant;

pub mod go_text;

#[cfg(feature = "testing")]
pub mod testing;
