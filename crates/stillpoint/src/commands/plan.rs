//! What a restore would do: the live state beside the archive's, for a person or a script to decide on.

use std::collections::BTreeSet;
use std::io::Read;

use archive::hashicorp::Reader;
use archive::msgpack::Cursor;
use archive::state::{self, Product, Record, Records, Verdict};
use archive::{consul, nomad};
use client::Token;
use client::native::{self, ArchiveState, LiveState, TypeTotals};
use serde::Serialize;

use super::verify;
use crate::output::table;

/// What would be replaced by what.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// What would be replaced.
    pub(super) target: String,
    /// What is there now; `null` where the server doesn't tell.
    pub(super) current: Option<LiveState>,
    /// What would be there.
    pub(super) archive: ArchiveState,
    /// What to know before.
    pub(super) warnings: Vec<String>,
}

impl Plan {
    /// The archive's side, as verified here.
    pub(super) fn of_archive(target: String, verdict: &Verdict) -> Plan {
        let meta = &verdict.container.meta;
        let archive = ArchiveState {
            id: meta.id.clone(),
            index: meta.index,
            term: meta.term,
            // Verified archives are of version 0 or 1.
            version: meta.version.unsigned_abs(),
            records: verify::records(verdict),
            bytes: verdict.container.state_bytes,
            types: verify::totals(verdict),
        };
        Plan { target, current: None, archive, warnings: verify::warnings(verdict) }
    }

    /// With the live side, as the server tells it.
    pub(super) fn with_current(self, scope: native::Scope) -> Plan {
        let native::Scope { index, count, bytes, types, .. } = scope;
        let (index, bytes) = (index.unwrap_or_default(), bytes.unwrap_or_default());
        Plan { current: Some(LiveState { index, records: count.number(), bytes, types }), ..self }
    }

    /// The plan that the server made.
    pub(super) fn of_server(target: String, plan: native::Plan) -> Plan {
        let native::Plan { current, archive, warnings, .. } = plan;
        Plan { target, current: Some(current), archive, warnings }
    }

    /// As a table: one row per figure, live on the left, the archive on the right.
    pub(super) fn table(&self) -> String {
        let current = self.current.as_ref();
        let row = |name: &str, live: Option<String>, archived: String| {
            vec![name.to_owned(), live.unwrap_or_else(|| "unknown".into()), archived]
        };
        let figure = |name, live: Option<u64>, archived: u64| {
            row(name, live.map(|live| live.to_string()), archived.to_string())
        };
        let mut rows = vec![
            row(&self.target, Some("now".into()), "archive".into()),
            figure("index", current.map(|live| live.index), self.archive.index),
            figure("records", current.map(|live| live.records), self.archive.records),
            figure("bytes", current.map(|live| live.bytes), self.archive.bytes),
        ];
        let live_types = current.map(|live| &live.types);
        let names: BTreeSet<&String> =
            live_types.into_iter().flatten().map(|(name, _)| name).chain(self.archive.types.keys()).collect();
        let count = |totals: Option<&TypeTotals>| totals.map_or(0, |totals| totals.count);
        for name in names {
            let live = live_types.map(|types| count(types.get(name)));
            rows.push(figure(name, live, count(self.archive.types.get(name))));
        }
        table(&rows)
    }
}

/// Whether the archive holds the token, so that it is still good for something after the restore.
pub(super) fn holds_token(archive: impl Read, token: &Token) -> Result<bool, state::Error> {
    let mut records = Records::new(Reader::new(archive))?;
    let token_kind = match records.whose() {
        Product::Consul => consul::kinds::ACL_TOKEN,
        Product::Nomad => nomad::kinds::ACL_TOKEN,
    };
    let mut record = Record::default();
    while records.read_into(&mut record)? {
        if record.kind != token_kind {
            continue;
        }
        let mut is_ours = false;
        let read = Cursor::new(&record.bytes).fields(|name, value| {
            if name == b"SecretID" {
                is_ours = token.is(value.raw()?);
            }
            Ok(())
        });
        // A record that was verified decodes; if this one doesn't, it is not our token.
        if read.is_ok() && is_ours {
            return Ok(true);
        }
    }
    Ok(false)
}
