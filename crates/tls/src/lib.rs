//! TLS for every listener and every client: what to trust and how to prove who we are, read from PEM files.
//!
//! The one crate that chooses a crypto provider. Sockets, reloading and HTTP are its users' business.

mod client;
mod error;
mod pem;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod words;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::{Trust, client_config};
pub use error::Error;
pub use pem::Identity;
pub use rustls::pki_types::UnixTime;
pub use rustls::{ClientConfig, ServerConfig};
pub use server::{Files, Stamp};
pub use words::{is_untrusted, words};

/// The provider of everything.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
