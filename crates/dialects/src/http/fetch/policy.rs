//! Where we let clients send us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

/// What may be fetched on a client's behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPolicy {
    /// Hosts and networks that may be asked, whatever sort of address theirs is.
    pub allowed: Vec<Allowed>,
    /// Whether nobody else may be asked, not even at public addresses.
    pub only_allowed: bool,
    /// Whether this very machine may be asked. It should not if anybody beyond it can ask us to.
    pub loopback: bool,
    /// The most that is taken in, in bytes.
    pub bytes_max: u64,
    /// The longest that all of it may take.
    pub time_max: Duration,
}

/// A host or a network that may be asked. Written `backups.internal`, `10.1.2.3` or `10.0.0.0/8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host by name, at whatever address.
    Host(String),
    /// All addresses that begin with these bits.
    Network(IpAddr, u8),
}

impl Default for FetchPolicy {
    /// Public addresses alone, 64 GiB, a day.
    fn default() -> FetchPolicy {
        FetchPolicy {
            allowed: Vec::new(),
            only_allowed: false,
            loopback: false,
            bytes_max: 64 << 30,
            time_max: Duration::from_secs(24 * 3600),
        }
    }
}

impl FetchPolicy {
    /// Whether a host may be asked at an address.
    pub(super) fn allows(&self, host: &str, address: IpAddr) -> bool {
        // As the network would take it, and as it was written.
        let forms = [plain(address), address];
        let host = host.trim_end_matches('.');
        let is_allowed = self.allowed.iter().any(|allowed| match allowed {
            Allowed::Host(name) => name == host,
            Allowed::Network(network, bits) => forms.iter().any(|form| is_within(*form, *network, *bits)),
        });
        is_allowed
            || self.loopback && plain(address).is_loopback()
            || !self.only_allowed && is_public(address)
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowed, String> {
        let refuse = || format!("{text:?} is no host, no address and no network such as 10.0.0.0/8");
        if let Some((network, bits)) = text.split_once('/') {
            let network: IpAddr = network.parse().map_err(|_| refuse())?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(network)).ok_or_else(refuse)?;
            return Ok(Allowed::Network(network, bits));
        }
        if let Ok(address) = text.parse() {
            return Ok(Allowed::Network(address, width(address)));
        }
        if text
            .contains(|char: char| char.is_ascii() && !char.is_ascii_alphanumeric() && !"._-".contains(char))
        {
            return Err(refuse());
        }
        // As hosts of URLs are spelt once they are parsed.
        let url = Url::parse(&format!("http://{text}")).map_err(|_| refuse())?;
        match url.host_str() {
            Some(host) => Ok(Allowed::Host(host.trim_end_matches('.').to_owned())),
            None => Err(refuse()),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The bits of an address, the first of them first.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let differs = bits(address) ^ bits(network);
    address.is_ipv4() == network.is_ipv4() && u32::from(length) <= differs.leading_zeros()
}

/// The address that gateways and stacks of two protocols make of one that has another inside.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let parts = six.segments();
    let four = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    let inside = match parts {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible, mapped, translated, and of NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        // 6to4.
        [0x2002, high, low, ..] => four(high, low),
        _ => None,
    };
    inside.map_or(address, IpAddr::V4)
}

/// Whether an address is one of the public network, to the best of anybody's knowledge: what is not known to be
/// public is not.
fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => !SPECIAL_4.iter().any(|(network, length)| {
            is_within(address.into(), IpAddr::V4(Ipv4Addr::from(*network)), *length)
        }),
        IpAddr::V6(address) => {
            let is_of = |(network, length): &([u16; 8], u8)| {
                is_within(address.into(), IpAddr::V6(Ipv6Addr::from(*network)), *length)
            };
            is_of(&GLOBAL_6) && !SPECIAL_6.iter().any(is_of)
        }
    }
}

/// The networks that are not public, from IANA's registry of special addresses, and multicast.
const SPECIAL_4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// Where all public addresses of the newer protocol lie.
const GLOBAL_6: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What lies there and is not public: protocols and tunnels, documentation.
const SPECIAL_6: &[([u16; 8], u8)] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_not_public_is_not_asked() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!FetchPolicy::default().allows("host", address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "172.32.0.1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2606:4700::1111"] {
            assert!(FetchPolicy::default().allows("host", address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_machine_itself_is_asked_where_it_may_be() {
        let policy = FetchPolicy { loopback: true, ..FetchPolicy::default() };
        for address in ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(policy.allows("localhost", address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "0.0.0.0", "::", "169.254.169.254"] {
            assert!(!policy.allows("localhost", address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_may_be_private_and_may_be_all() {
        let allowed =
            ["10.0.0.0/8", "192.168.1.7", "Backups.Internal.", "fd00::/8"].map(|text| text.parse().unwrap());
        let policy = FetchPolicy { allowed: allowed.into(), only_allowed: true, ..FetchPolicy::default() };
        let allows = |host: &str, address: &str| policy.allows(host, address.parse().unwrap());
        assert!(allows("h", "10.255.0.1") && allows("h", "::ffff:10.0.0.1") && allows("h", "192.168.1.7"));
        assert!(allows("backups.internal", "172.16.0.1") && allows("backups.internal.", "8.8.8.8"));
        assert!(allows("h", "fd12::1"));
        assert!(!allows("h", "192.168.1.8") && !allows("h", "1.1.1.1") && !allows("internal", "172.16.0.1"));
    }

    #[test]
    fn what_is_no_host_and_no_network_is_refused() {
        for text in
            ["", "10.0.0.0/33", "::/129", "a/8", "http://h", "h:80", "user@h", "h/x", "10.0.0.0/", "*"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}: {:?}", text.parse::<Allowed>());
        }
    }
}
