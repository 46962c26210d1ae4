//! Typed async clients of the snapshot APIs: Consul's, of a genuine server or of ours, and Stillpoint's own.
//!
//! An [`Address`] says whether they speak TLS, a [`Tls`] with whom.

mod address;
mod error;
mod http;
mod token;
mod transfer;
mod trust;

pub mod consul;
pub mod native;

pub use address::{Address, AddressError};
pub use error::{Error, Kind, Refusal};
pub use token::Token;
pub use transfer::{Capture, Download, Upload};
pub use trust::{SwitchError, Tls};
