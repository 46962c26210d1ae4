//! Typed async clients of the snapshot APIs: Consul's, Nomad's and Qdrant's, of a genuine server or of ours, and
//! Stillpoint's own.
//!
//! An [`Address`] says whether they speak TLS, a [`Tls`] with whom.

mod address;
mod digest;
mod error;
mod http;
mod token;
mod transfer;
mod trust;

pub mod hashicorp;
pub mod native;
pub mod qdrant;

pub use address::{Address, AddressError};
pub use digest::{Digest, Hashing};
pub use error::{Error, Kind, Refusal};
pub use token::Token;
pub use transfer::{Capture, Download, Upload};
pub use trust::{Names, SwitchError, Tls};
