//! Any bytes as one of Qdrant's archives: no panic, and what is accepted says the same when it is written again.
#![no_main]

use std::io::Read;

use archive::qdrant::{Entries, Entry, EntryKind, Limits, Place, Writer};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { members: 64, stretches: 64, file_bytes: 1 << 18, total_bytes: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let marked = read(Entries::new(bytes, LIMITS));
    let nested = read(Entries::nested(bytes, LIMITS));
    let Some(found) = marked else { return };
    assert_eq!(nested.as_ref(), Some(&found));

    let mut writer = Writer::new(Vec::new());
    for (entry, content) in &found {
        match entry.kind {
            EntryKind::Directory => writer.directory(&entry.name).expect("a Vec takes every write"),
            EntryKind::File => {
                let stretches = entry.extents.data().iter();
                let data: Vec<u8> = stretches
                    .flat_map(|stretch| &content[stretch.start as usize..stretch.end as usize])
                    .copied()
                    .collect();
                writer.file(&entry.name, &entry.extents, &data[..]).expect("the promised size");
            }
        }
    }
    let again = writer.finish().expect("a Vec takes every write");
    assert_eq!(read(Entries::new(&again[..], LIMITS)), Some(found));
});

/// All members, read in the two ways there are, if the archive is accepted.
fn read<R: Read>(mut entries: Entries<R>) -> Option<Vec<(Entry, Vec<u8>)>> {
    let mut found = Vec::new();
    while let Some(entry) = entries.next().ok()? {
        let _ = Place::of(&entry.name);
        let mut content = Vec::new();
        entries.content(&entry).read_to_end(&mut content).ok()?;
        assert_eq!(content.len() as u64, entry.extents.size());
        found.push((entry, content));
    }
    Some(found)
}
