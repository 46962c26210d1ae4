//! Typed async clients of the snapshot APIs: Consul's, of a genuine server or of ours, and Stillpoint's own.
//!
//! They speak plain HTTP. An `https` address is refused in words until TLS is built in; [`Address`] is where.

mod address;
mod error;
mod http;
mod token;
mod transfer;

pub mod consul;
pub mod native;

pub use address::{Address, AddressError};
pub use error::{Error, Kind, Refusal};
pub use token::Token;
pub use transfer::{Capture, Download, Upload};
