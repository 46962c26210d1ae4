//! Forms with an archive in them.

use crate::server::{Answer, Server};

const BOUNDARY: &str = "----a-boundary";

/// One part of a form.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

/// A form as clients write it.
pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut form = Vec::new();
    for part in parts {
        let file = part.file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\n\r\n", part.name);
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(part.bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

/// A form of an archive alone.
pub(crate) fn archive(bytes: &[u8]) -> Vec<u8> {
    form(&[Part { name: "snapshot", file: Some("an.snapshot"), bytes }])
}

/// The header that a form needs.
pub(crate) fn kind() -> (&'static str, String) {
    ("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
}

impl Server {
    /// Posts a form.
    pub(crate) async fn post(&self, uri: &str, body: impl Into<axum::body::Body>) -> Answer {
        let (name, value) = kind();
        self.send(&format!("POST {uri}"), &[(name, &value)], body).await
    }

    /// Restores from an archive; it works.
    #[track_caller]
    pub(crate) fn upload(&self, uri: &str, bytes: &[u8]) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let form = archive(bytes);
        async move {
            let answer = self.post(uri, form).await;
            assert_eq!(
                (answer.status, answer.value()["result"].clone()),
                (200, true.into()),
                "{uri} at {place}: {}",
                answer.string()
            );
        }
    }
}
