//! The order of types in an archive, as numbers that can be compared and stored.

/// A permutation of the 256 types.
#[derive(Debug)]
pub(crate) struct Order {
    kinds: [u8; 256],
    ranks: [u8; 256],
}

impl Order {
    /// First the types of each part of `first`, last those of each part of `last`, and in between all others by
    /// number. No type may be named twice.
    pub(crate) const fn new(first: &[&[u8]], last: &[&[u8]]) -> Order {
        let mut order = Order { kinds: [0; 256], ranks: [0; 256] };
        let mut is_placed = [false; 256];
        let rest = order.place_all(first, 0, &mut is_placed);
        let last_at = 256 - length(last);
        order.place_all(last, last_at, &mut is_placed);
        let (mut at, mut kind) = (rest, 0);
        while kind < 256 {
            if !is_placed[kind] {
                order.place(kind as u8, at);
                at += 1;
            }
            kind += 1;
        }
        assert!(at == last_at, "every type has one place");
        order
    }

    /// The place of a type; no two types share one.
    pub(crate) fn rank(&self, kind: u8) -> u8 {
        self.ranks[usize::from(kind)]
    }

    /// The type at a place.
    pub(crate) fn of_rank(&self, rank: u8) -> u8 {
        self.kinds[usize::from(rank)]
    }

    const fn place_all(&mut self, parts: &[&[u8]], mut at: usize, is_placed: &mut [bool; 256]) -> usize {
        let mut part = 0;
        while part < parts.len() {
            let mut place = 0;
            while place < parts[part].len() {
                let kind = parts[part][place];
                assert!(!is_placed[kind as usize], "no type has two places");
                is_placed[kind as usize] = true;
                self.place(kind, at);
                at += 1;
                place += 1;
            }
            part += 1;
        }
        at
    }

    const fn place(&mut self, kind: u8, at: usize) {
        self.kinds[at] = kind;
        self.ranks[kind as usize] = at as u8;
    }
}

const fn length(parts: &[&[u8]]) -> usize {
    let (mut sum, mut part) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// `COUNT` types in a row.
pub(crate) const fn row<const COUNT: usize>(first: u8) -> [u8; COUNT] {
    let mut kinds = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        kinds[at] = first + at as u8;
        at += 1;
    }
    kinds
}

/// The first of each pair.
pub(crate) const fn numbers<const COUNT: usize>(table: &[(u8, &str); COUNT]) -> [u8; COUNT] {
    let mut kinds = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        kinds[at] = table[at].0;
        at += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_nowhere_lies_between_first_and_last() {
        let order = Order::new(&[&[7, 5], &row::<2>(200)], &[&[0]]);
        let kinds: Vec<u8> = [0, 1, 2, 3, 4, 254, 255].map(|rank| order.of_rank(rank)).to_vec();
        assert_eq!(kinds, [7, 5, 200, 201, 1, 255, 0]);
        assert!((0..=u8::MAX).all(|kind| order.of_rank(order.rank(kind)) == kind));
    }
}
