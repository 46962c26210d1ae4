//! Failed handshakes in words for whoever asked for the connection.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// What a failed handshake means to a client, or `None` if the error is about something else.
pub fn words(error: &(dyn Error + 'static)) -> Option<String> {
    Some(match handshake(error)? {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS there".to_owned()
        }
        // A CA of the same name but with another key is another CA.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the server's certificate is of no CA that is trusted".to_owned(),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(cause) => format!("the server's certificate is refused: {cause}"),
        rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => {
            format!("the server refuses our client certificate: {alert:?}")
        }
        rustls::Error::AlertReceived(alert) => format!("the server refused the TLS handshake: {alert:?}"),
        error => error.to_string(),
    })
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            // Of a CA that has a known one's name, but another key.
            | AlertDescription::DecryptError
    )
}

/// Whether the error is that a server's certificate was refused. Nothing was sent to it then.
pub fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    matches!(handshake(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// The cause that is a TLS error. I/O errors hide theirs from `source`.
fn handshake<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(inner) = inner {
            return handshake(inner);
        }
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
