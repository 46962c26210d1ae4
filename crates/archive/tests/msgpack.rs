//! Msgpack: bounded reading of anything, exact writing of what HashiCorp's codec writes.

mod support;

use std::io::{BufRead, BufReader};

use archive::msgpack::{CopyError, Cursor, Encoder, Error, Limits, Time, Value, copy_value};
use proptest::collection::vec;
use proptest::prelude::*;

/// Copies at once and in pieces of three bytes, which must come to the same.
fn copy(bytes: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
    let copy_from = |mut input: Box<dyn BufRead + '_>| {
        let mut out = Vec::new();
        match copy_value(&mut input, limits, &mut out) {
            Ok(()) => Ok(out),
            Err(CopyError::Value(error)) => Err(error),
            Err(CopyError::Io(error)) => panic!("memory does not fail: {error}"),
        }
    };
    let at_once = copy_from(Box::new(bytes));
    assert_eq!(copy_from(Box::new(BufReader::with_capacity(3, bytes))), at_once);
    at_once
}

fn encoded(write: impl FnOnce(&mut Encoder) -> &mut Encoder) -> Vec<u8> {
    let mut encoder = Encoder::new();
    write(&mut encoder);
    encoder.into_bytes()
}

#[test]
fn integers_take_the_shortest_code_and_unsigned_ones_if_they_can() {
    let uints: [(u64, &[u8]); 9] = [
        (0, &[0]),
        (127, &[0x7f]),
        (128, &[0xcc, 128]),
        (255, &[0xcc, 255]),
        (256, &[0xcd, 1, 0]),
        (65535, &[0xcd, 255, 255]),
        (65536, &[0xce, 0, 1, 0, 0]),
        (1 << 32, &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
        (u64::MAX, &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]),
    ];
    for (value, bytes) in uints {
        assert_eq!(encoded(|out| out.uint(value).array(0)), [bytes, &[0x90]].concat(), "{value}");
        if let Ok(value) = i64::try_from(value) {
            assert_eq!(encoded(|out| out.int(value).array(0)), [bytes, &[0x90]].concat(), "{value}");
        }
    }
    let ints: [(i64, &[u8]); 8] = [
        (-1, &[0xff]),
        (-32, &[0xe0]),
        (-33, &[0xd0, 0xdf]),
        (-128, &[0xd0, 0x80]),
        (-129, &[0xd1, 0xff, 0x7f]),
        (-32769, &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
        (-2147483649, &[0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
        (i64::MIN, &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (value, bytes) in ints {
        assert_eq!(encoded(|out| out.int(value).nil()), [bytes, &[0xc0]].concat(), "{value}");
        assert_eq!(Cursor::new(bytes).int(), Ok(value));
    }
}

#[test]
fn strings_and_collections_use_the_old_family_only() {
    let head = |length: usize| encoded(|out| out.raw(vec![b'x'; length]))[..3.min(length + 1)].to_vec();
    assert_eq!(head(0), [0xa0]);
    assert_eq!(head(31)[0], 0xbf);
    assert_eq!(head(32), [0xda, 0, 32]);
    assert_eq!(head(255), [0xda, 0, 255]);
    assert_eq!(head(65536), [0xdb, 0, 1]);
    assert_eq!(encoded(|out| out.array(15).map(15)), [0x9f, 0x8f]);
    assert_eq!(encoded(|out| out.array(16).map(16)), [0xdc, 0, 16, 0xde, 0, 16]);
    assert_eq!(encoded(|out| out.array(65536)), [0xdd, 0, 1, 0, 0]);
    assert_eq!(encoded(|out| out.map(65536)), [0xdf, 0, 1, 0, 0]);
    assert_eq!(encoded(|out| out.bool(true).bool(false).float(1.5)), b"\xc3\xc2\xcb\x3f\xf8\0\0\0\0\0\0");
}

#[test]
fn every_width_sign_and_family_is_read() {
    for bytes in [
        &[7][..],
        &[0xcc, 7],
        &[0xcd, 0, 7],
        &[0xce, 0, 0, 0, 7],
        &[0xd0, 7],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
    ] {
        assert_eq!(Cursor::new(bytes).uint(), Ok(7));
        assert_eq!(Cursor::new(bytes).int(), Ok(7));
        assert_eq!(Value::decode(bytes), Ok(Value::UInt(7)));
    }
    for bytes in
        [&b"\xa1k"[..], b"\xd9\x01k", b"\xda\x00\x01k", b"\xdb\0\0\0\x01k", b"\xc4\x01k", b"\xc6\0\0\0\x01k"]
    {
        assert_eq!(Cursor::new(bytes).text(), Ok("k"));
    }
    assert_eq!(Value::decode(b"\xca\x42\xc8\0\0"), Ok(Value::Float(100.0)));
    assert_eq!(Value::decode(b"\xd6\x05abcd"), Ok(Value::Ext(5, b"abcd")));
    assert_eq!(Value::decode(b"\xc7\x02\xffab"), Ok(Value::Ext(-1, b"ab")));
    assert_eq!(Value::decode(b"\xc9\0\0\0\x01\x02a"), Ok(Value::Ext(2, b"a")));
}

#[test]
fn nil_is_the_zero_of_everything() {
    let nil = || Cursor::new(b"\xc0");
    assert_eq!(
        (nil().uint(), nil().int(), nil().bool(), nil().raw()),
        (Ok(0), Ok(0), Ok(false), Ok(&b""[..]))
    );
    assert_eq!(
        (nil().float(), nil().time(), nil().array(), nil().map()),
        (Ok(0.0), Ok(None), Ok(None), Ok(None))
    );
    assert_eq!(nil().fields(|_, _| panic!("there are none")), Ok(false));
}

#[test]
fn wrong_types_and_values_that_do_not_fit_are_refused() {
    assert!(matches!(Cursor::new(b"\xa1k").uint(), Err(Error::Type { .. })));
    assert!(matches!(Cursor::new(b"\x01").raw(), Err(Error::Type { .. })));
    assert_eq!(Cursor::new(b"\xff").uint(), Err(Error::Range("u64")));
    assert_eq!(Cursor::new(b"\xcf\xff\0\0\0\0\0\0\0").int(), Err(Error::Range("i64")));
    assert_eq!(Cursor::new(b"\xa1\xff").text(), Err(Error::Utf8));
    assert_eq!(Value::decode(b"\xc1"), Err(Error::Reserved));
    assert_eq!(Value::decode(b"\x01\x02"), Err(Error::Trailing(1)));
    assert_eq!(Value::decode(b""), Err(Error::Cut));
}

#[test]
fn fields_that_nobody_reads_are_passed_over() {
    let bytes = encoded(|out| {
        out.map(3).raw("a").array(2).uint(1).map(1).raw("x").nil();
        out.raw("b").uint(5).raw("c").raw("end")
    });
    let mut b = 0;
    let mut cursor = Cursor::new(&bytes);
    let read = cursor.fields(|key, value| {
        if key == b"b" {
            b = value.uint()?;
        }
        Ok(())
    });
    assert_eq!((read, b, cursor.finish()), (Ok(true), 5, Ok(())));
}

#[test]
fn of_repeated_keys_the_last_counts() {
    let value = Value::decode(b"\x82\xa1k\x01\xa1k\x02").unwrap();
    assert_eq!(value.get("k").and_then(Value::as_u64), Some(2));
}

/// What an attacker declares and doesn't send: nothing may be allocated for it, and no stack used up.
#[test]
fn declared_lengths_are_not_believed() {
    let limits = Limits::default();
    for bytes in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"] {
        assert_eq!(copy(bytes, limits), Err(Error::TooMany(limits.nodes)));
        assert_eq!(Value::decode(bytes), Err(Error::TooMany(limits.nodes)));
    }
    assert_eq!(Cursor::new(b"\xdd\xff\xff\xff\xff").array(), Err(Error::Cut));
    assert_eq!(Cursor::new(b"\xdf\xff\xff\xff\xff").map(), Err(Error::Cut));
    assert_eq!(copy(b"\xdb\xff\xff\xff\xffabc", limits), Err(Error::TooLarge(limits.bytes)));
    assert_eq!(copy(b"\xdb\x00\xff\xff\xffabc", limits), Err(Error::Cut));
    let deep = vec![0x91; 1 << 20];
    assert_eq!(copy(&deep, limits), Err(Error::TooDeep(128)));
    assert_eq!(Value::decode(&deep), Err(Error::TooDeep(128)));
    let mut deepest = vec![0x91; 127];
    deepest.push(0x90);
    assert!(Value::decode(&deepest).is_ok());
    let many = [b"\xdd\x00\x10\x00\x00".as_slice(), &vec![0xc0; 1 << 20]].concat();
    assert_eq!(copy(&many, limits), Err(Error::TooMany(limits.nodes)));
}

#[test]
fn go_times_are_read_and_written() {
    assert_eq!(Time::ZERO.to_bytes(), *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff");
    // A token's time of creation in a genuine archive, four hours west of UTC.
    let genuine = b"\x01\x00\x00\x00\x0e\xdd\x83\xd5\xe7\x06\x8b\xc4\x18\xff\x10";
    let time = Time::from_bytes(genuine).unwrap();
    assert_eq!(time, Time { unix_s: 1_710_350_055, nanos: 109_823_000, offset_minutes: Some(-240) });
    assert_eq!(time.to_bytes(), *genuine);
    assert_eq!(Time::from_bytes(b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x05"), Ok(Time::ZERO));
    for bad in [
        &b""[..],
        b"\x01",
        b"\x03\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff",
        b"\x01\x80\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &[1; 16],
    ] {
        assert_eq!(Time::from_bytes(bad), Err(Error::Time), "{bad:?}");
    }
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(|value| encoded(|out| out.uint(value))),
        any::<i64>().prop_map(|value| encoded(|out| out.int(value))),
        any::<bool>().prop_map(|value| encoded(|out| out.bool(value))),
        any::<f64>()
            .prop_filter("NaN equals nothing", |value| !value.is_nan())
            .prop_map(|value| encoded(|out| out.float(value))),
        vec(any::<u8>(), 0..40).prop_map(|value| encoded(|out| out.raw(value))),
        Just(vec![0xc0]),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(|items| encoded(|out| {
                out.array(items.len());
                items.iter().fold(out, |out, item| out.encoded(item))
            })),
            vec((inner.clone(), inner), 0..6).prop_map(|items| encoded(|out| {
                out.map(items.len());
                items.iter().fold(out, |out, (key, value)| out.encoded(key).encoded(value))
            })),
        ]
    })
}

proptest! {
    #[test]
    fn values_survive_a_round_trip(bytes in any_value(), tail in vec(any::<u8>(), 0..4)) {
        let value = Value::decode(&bytes).unwrap();
        prop_assert_eq!(&encoded(|out| support::encode(&value, out)), &bytes);
        let followed = [&bytes[..], &tail].concat();
        prop_assert_eq!(copy(&followed, Limits::default()), Ok(bytes.clone()));
        prop_assert_eq!(Cursor::new(&followed).skip(), Ok(&bytes[..]));
    }

    #[test]
    fn copying_and_decoding_agree_about_any_bytes(bytes in vec(any::<u8>(), 0..200), nodes in 1usize..50, depth in 0usize..5, size in 1usize..100) {
        let limits = Limits { bytes: size, depth, nodes };
        let copied = copy(&bytes, limits);
        let mut cursor = Cursor::new(&bytes);
        let skipped = cursor.skip_within(limits).map(<[u8]>::to_vec);
        prop_assert_eq!(&copied, &skipped);
        if let Ok(value) = copied {
            prop_assert!(Value::decode_within(&value, limits).is_ok());
        }
    }

    #[test]
    fn every_cut_value_is_refused(bytes in any_value(), at in any::<prop::sample::Index>()) {
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(copy(cut, Limits::default()), Err(Error::Cut));
        prop_assert_eq!(Value::decode(cut), Err(Error::Cut));
    }
}
