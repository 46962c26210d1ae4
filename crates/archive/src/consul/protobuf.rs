//! Walks the fields of a protobuf message, as much of the format as a few record types need.

use super::Fault;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// Any number, whatever its width; only ever passed over.
    Number,
    Bytes(&'a [u8]),
}

/// Calls `field` for every field of `message`, in order. Takes time linear in the message, no memory.
pub(super) fn fields<'a>(message: &'a [u8], mut field: impl FnMut(u64, Field<'a>)) -> Result<(), Fault> {
    let mut rest = message;
    while !rest.is_empty() {
        let at = message.len() - rest.len();
        let (number, value) = next_field(&mut rest).ok_or(Fault::Protobuf(at))?;
        field(number, value);
    }
    Ok(())
}

/// The last bytes field with this number, or nothing: what a decoder would find there.
pub(super) fn bytes_field(message: &[u8], wanted: u64) -> Result<&[u8], Fault> {
    let mut found: &[u8] = &[];
    fields(message, |number, value| {
        if let (true, Field::Bytes(bytes)) = (number == wanted, value) {
            found = bytes;
        }
    })?;
    Ok(found)
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(rest)?;
    let (number, wire_type) = (tag >> 3, tag & 7);
    let value = match wire_type {
        0 => varint(rest).map(|_| Field::Number)?,
        1 => take(rest, 8).map(|_| Field::Number)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Field::Number)?,
        // Groups, which none of these messages has, and numbers that mean nothing.
        _ => return None,
    };
    (number != 0).then_some((number, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind_are_passed_over() {
        let message =
            b"\x08\x96\x01\x12\x03abc\x19\x01\x02\x03\x04\x05\x06\x07\x08\x25\x01\x02\x03\x04\x12\x01z";
        let mut numbers = Vec::new();
        fields(message, |number, _| numbers.push(number)).unwrap();
        assert_eq!(numbers, [1, 2, 3, 4, 2]);
        assert_eq!(bytes_field(message, 2).unwrap(), b"z");
        assert_eq!(bytes_field(message, 9).unwrap(), b"");
    }

    #[test]
    fn damage_is_told_by_its_place() {
        assert_eq!(bytes_field(b"\x12\x03abc\x12\x7fabc", 2), Err(Fault::Protobuf(5)));
        assert_eq!(bytes_field(b"\x0b", 1), Err(Fault::Protobuf(0)));
        assert_eq!(bytes_field(b"\x00\x00", 1), Err(Fault::Protobuf(0)));
        assert_eq!(bytes_field(&[0xff; 11], 1), Err(Fault::Protobuf(0)));
    }
}
