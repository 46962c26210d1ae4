//! Damaged archives: the genuine texts, and a state that is as it was.

use std::io::Write;

use archive::consul::kinds;
use archive::hashicorp::Compression;
use archive::testing::{Builder, meta};
use flate2::GzBuilder;

use super::server::{Access, Server, genuine, records_of};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn sound() -> Vec<u8> {
    Builder::new(5).key("k", b"archived", 5).archive()
}

/// Restores each archive over a state that must stay, with all who may do something there.
async fn check(cases: Vec<(&str, Vec<u8>, &str)>) {
    for access in [Access::Open, Access::Guarded] {
        check_on(&Server::accessed(access).await, &cases).await;
    }
}

async fn check_on(server: &Server, cases: &[(&str, Vec<u8>, &str)]) {
    server.put("k", "kept").await;
    let state = || async { (server.get("/v1/kv/k").await.index(), records_of(&server.save().await)) };
    let before = state().await;
    for (what, archive, expected) in cases {
        let answer = server.restore(archive.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (500, *expected), "{what}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{what}");
        assert_eq!(state().await, before, "{what}");
    }
}

#[tokio::test]
async fn damage_to_the_container_is_told_in_the_genuine_words() {
    let cut = |bytes: usize| sound()[..sound().len() - bytes].to_vec();
    let mut flipped = sound();
    *flipped.last_mut().unwrap() ^= 0x80;
    let followed = [sound(), b"more than ten bytes".to_vec()].concat();
    check(vec![
        ("nothing", Vec::new(), "failed to decompress snapshot: EOF"),
        ("five bytes", sound()[..5].to_vec(), "failed to decompress snapshot: unexpected EOF"),
        ("text", b"this is no archive".to_vec(), "failed to decompress snapshot: gzip: invalid header"),
        (
            "no tar",
            gzip(&[b'x'; 1024]),
            "failed to read snapshot file: failed reading snapshot: archive/tar: invalid tar header",
        ),
        ("one byte less", cut(1), "unexpected EOF"),
        ("eight bytes less", cut(8), "unexpected EOF"),
        ("a flipped bit in the length", flipped, "gzip: invalid checksum"),
        ("something behind it", followed, "gzip: invalid header"),
    ])
    .await;
}

#[tokio::test]
async fn damage_to_the_state_is_told_in_our_words() {
    let key = || Builder::new(5).key("k", b"v", 5);
    let state_of = |state: &[u8], promised: usize| {
        archive::testing::archive(&meta(5, promised), state, Compression::default())
    };
    let cut = key().state();
    check(vec![
        (
            "twice the same key",
            key().key("k", b"w", 6).archive(),
            "record 2 (KVS): there is another one for \"k\"",
        ),
        (
            "no map",
            key().record(kinds::KVS, vec![0xc3]).archive(),
            "record 2 (KVS): expected a map, found a boolean",
        ),
        (
            "cut within a record",
            state_of(&cut[..cut.len() - 1], cut.len() - 1),
            "decode the KVS record at byte 12: the value is cut off",
        ),
    ])
    .await;
}

#[tokio::test]
async fn genuine_damaged_archives_are_refused_as_genuine_servers_do() {
    let integrity =
        |rest: &str| format!("failed to read snapshot file: failed checking integrity of snapshot: {rest}");
    let cases = [
        ("corrupt-meta.tar", integrity("hash check failed for \"meta.json\"")),
        ("corrupt-sha.tar", integrity("list missing hash for \"nope\"")),
        ("corrupt-state.tar", integrity("hash check failed for \"state.bin\"")),
        ("empty.tar", integrity("file missing for \"meta.json\"")),
        ("extra.tar", "failed to read snapshot file: unexpected file \"nope\" in snapshot".to_owned()),
        ("missing-meta.tar", integrity("hash check failed for \"meta.json\"")),
        ("missing-sha.tar", integrity("file missing for \"meta.json\"")),
        ("missing-state.tar", integrity("hash check failed for \"state.bin\"")),
        ("spaces-meta.tar", "1536 unread uncompressed bytes remain".to_owned()),
    ];
    let mut archives = Vec::new();
    for (name, expected) in &cases {
        let Some(tar) = genuine(&format!("nomad/{name}")) else { return };
        archives.push((*name, gzip(&tar), expected.as_str()));
    }
    check(archives).await;
}
