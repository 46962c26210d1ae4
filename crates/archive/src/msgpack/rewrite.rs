//! Changes parts of a value: what isn't changed keeps its bytes, and its place.

use super::{Cursor, Encoder, Error};

/// Writes a map again, with what `change` returns in place of the values for which it returns something. Nil stays nil.
pub fn rewrite_fields(
    map: &[u8],
    mut change: impl FnMut(&[u8], &[u8]) -> Result<Option<Vec<u8>>, Error>,
) -> Result<Vec<u8>, Error> {
    let mut cursor = Cursor::new(map);
    let Some(length) = cursor.map()? else { return Ok(map.to_vec()) };
    let mut out = Encoder::with_signed_codes();
    out.map(length);
    for _ in 0..length {
        let name = cursor.raw()?;
        let value = cursor.skip()?;
        out.raw(name);
        match change(name, value)? {
            Some(changed) => out.encoded(&changed),
            None => out.encoded(value),
        };
    }
    cursor.finish()?;
    Ok(out.into_bytes())
}

/// The same for the elements of an array.
pub fn rewrite_elements(
    array: &[u8],
    mut change: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, Error>,
) -> Result<Vec<u8>, Error> {
    let mut cursor = Cursor::new(array);
    let Some(length) = cursor.array()? else { return Ok(array.to_vec()) };
    let mut out = Encoder::with_signed_codes();
    out.array(length);
    for _ in 0..length {
        let element = cursor.skip()?;
        match change(element)? {
            Some(changed) => out.encoded(&changed),
            None => out.encoded(element),
        };
    }
    cursor.finish()?;
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_to_change_changes() {
        // [{"a": int8 5, "b": nil}, nil]
        let before = [0x92, 0x82, 0xa1, b'a', 0xd0, 5, 0xa1, b'b', 0xc0, 0xc0];
        let seven = |name: &[u8]| (name == b"b").then(|| vec![7]);
        let change = |element: &[u8]| rewrite_fields(element, |name, _| Ok(seven(name))).map(Some);
        let after = rewrite_elements(&before, change).unwrap();
        assert_eq!(after, [0x92, 0x82, 0xa1, b'a', 0xd0, 5, 0xa1, b'b', 7, 0xc0]);
        assert!(rewrite_elements(&before[..5], change).is_err());
        assert!(rewrite_fields(&[0x80, 1], |_, _| Ok(None)).is_err());
    }
}
