//! Virtual addresses of services in the mesh: given out one after the other, and again once they are free.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `assignServiceVirtualIP` and
//! `freeServiceVirtualIP`. Clusters older than 1.11 have none: a record of type 31 says since when there are.

use archive::consul::kinds::{CONFIG_ENTRY, FREE_VIRTUAL_IP, SERVICE_VIRTUAL_IP, SYSTEM_METADATA};
use archive::consul::{Service, ServiceAddress, identity};
use archive::msgpack::{self, Cursor, Encoder, Value};
use bytes::Bytes;

use super::refusal::Refusal;
use crate::consul::indexes;
use crate::consul::layout;
use crate::consul::lookups::{self, Tag};
use crate::consul::refusal::Failure;
use crate::{Error, Read, Txn, error};

const TABLE: &str = "service-virtual-ips";

/// The tagged address that is a service's virtual one.
const TAG: &str = "consul-virtual";

const TERMINATING_GATEWAY: &str = "terminating-gateway";

/// What virtual addresses are counted from, 240.0.0.0. Records hold the distance from it.
const FIRST: u32 = 240 << 24;

/// The distance that is never given out: 15.255.255.254.
const DISTANCE_MAX: u32 = 0x0fff_fffe;

/// Entries that keep the address of a service that has no instance.
const KEEPING: [&str; 5] =
    ["service-resolver", "service-router", "service-splitter", "service-defaults", "service-intentions"];

/// Gives the service that an instance makes part of the mesh its virtual address, if it has none yet, and
/// tells the instance.
pub(super) fn assign(txn: &mut Txn<'_>, service: &mut Service, name: &str) -> Result<(), Failure> {
    if name.is_empty() || !is_supported(txn, b"virtual-ips")? {
        return Ok(());
    }
    let address = ServiceAddress { address: of(txn, name)?, port: service.port };
    service.tagged_addresses.get_or_insert_default().insert(TAG.to_owned(), address);
    Ok(())
}

/// Tells a terminating gateway the virtual addresses of the services it leads to.
pub(super) fn assign_linked(txn: &mut Txn<'_>, gateway: &mut Service) -> Result<(), Failure> {
    if gateway.kind != TERMINATING_GATEWAY || !is_supported(txn, b"virtual-ips-term-gateway")? {
        return Ok(());
    }
    let id = [TERMINATING_GATEWAY.as_bytes(), b"\0", gateway.service.as_bytes()].concat();
    let Some(entry) = txn.get(CONFIG_ENTRY, &id)? else { return Ok(()) };
    let addresses = gateway.tagged_addresses.get_or_insert_default();
    for name in linked_services(&entry).map_err(damaged)? {
        let address = ServiceAddress { address: of(txn, &name)?, port: 0 };
        addresses.insert(format!("{TAG}:{name}"), address);
    }
    Ok(())
}

/// Takes the virtual address of a service back, if nothing needs it any more.
pub(super) fn free(txn: &mut Txn<'_>, name: &str) -> Result<(), Error> {
    let id = id_of(name);
    let Some(record) = txn.get(SERVICE_VIRTUAL_IP, &id)? else { return Ok(()) };
    if !is_supported(txn, b"virtual-ips")?
        || !lookups::from(txn, Tag::Instance, &[name])?.is_empty()
        || is_kept(txn, name)?
    {
        return Ok(());
    }
    let distance = stored_distance(&record)?;
    txn.remove(SERVICE_VIRTUAL_IP, &id)?;
    put_free(txn, distance, false)?;
    indexes::touch(txn, TABLE)
}

/// Whether the cluster has virtual addresses of a sort.
fn is_supported(read: &dyn Read, key: &[u8]) -> Result<bool, Error> {
    let Some(bytes) = read.get(SYSTEM_METADATA, key)? else { return Ok(false) };
    let value = Value::decode(&bytes).map_err(damaged)?;
    Ok(value.get("Value").and_then(Value::as_bytes).is_some_and(|value| !value.is_empty()))
}

fn is_kept(read: &dyn Read, name: &str) -> Result<bool, Error> {
    for kind in KEEPING {
        if read.get(CONFIG_ENTRY, &[kind.as_bytes(), b"\0", name.as_bytes()].concat())?.is_some() {
            return Ok(true);
        }
    }
    if !is_supported(read, b"virtual-ips-term-gateway")? {
        return Ok(false);
    }
    for entry in read.scan(CONFIG_ENTRY, &[TERMINATING_GATEWAY.as_bytes(), b"\0"].concat()) {
        let linked = linked_services(&entry?.1).map_err(damaged)?;
        if linked.iter().any(|linked| linked == name || linked == "*") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The services that the entry of a terminating gateway names.
fn linked_services(bytes: &[u8]) -> Result<Vec<String>, msgpack::Error> {
    let content = Cursor::new(bytes).raw()?;
    let mut cursor = Cursor::new(content);
    cursor.raw()?;
    let request = cursor.skip()?;
    let request = Value::decode(request)?;
    let services = request.get("Entry").and_then(|entry| entry.get("Services")?.as_array());
    let names = services.unwrap_or_default().iter().filter_map(|service| service.get("Name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The virtual address of a service; a new one if it has none.
fn of(txn: &mut Txn<'_>, name: &str) -> Result<String, Failure> {
    let id = id_of(name);
    let distance = match txn.get(SERVICE_VIRTUAL_IP, &id)? {
        Some(record) => stored_distance(&record)?,
        None => {
            let distance = take(txn)?;
            let record = encoded(name, distance, txn.index());
            layout::storable(SERVICE_VIRTUAL_IP, &record).map_err(Refusal::Unstorable)?;
            txn.put(SERVICE_VIRTUAL_IP, &id, record)?;
            indexes::touch(txn, TABLE)?;
            distance
        }
    };
    Ok(std::net::Ipv4Addr::from_bits(FIRST.wrapping_add(distance)).to_string())
}

/// A free address, or else the next one.
fn take(txn: &mut Txn<'_>) -> Result<u32, Failure> {
    let mut counter = None;
    let mut freed = None;
    for entry in txn.scan(FREE_VIRTUAL_IP, b"") {
        let (id, bytes) = entry?;
        let is_counter = id.last() == Some(&1);
        let place = if is_counter { &mut counter } else { &mut freed };
        if place.is_none() {
            *place = Some((id, stored_distance(&bytes)?));
        }
    }
    if let Some((id, distance)) = freed {
        txn.remove(FREE_VIRTUAL_IP, &id)?;
        return Ok(distance);
    }
    let last = counter.as_ref().map_or(0, |(_, last)| *last);
    let next = last.checked_add(1).filter(|next| *next != DISTANCE_MAX).ok_or(Refusal::NoVirtualIp)?;
    if let Some((id, _)) = counter {
        txn.remove(FREE_VIRTUAL_IP, &id)?;
    }
    put_free(txn, next, true)?;
    Ok(next)
}

fn put_free(txn: &mut Txn<'_>, distance: u32, is_counter: bool) -> Result<(), Error> {
    let mut out = Encoder::new();
    out.map(2).raw("IP").raw(mapped(distance)).raw("IsCounter").bool(is_counter);
    let bytes: Bytes = out.into_bytes().into();
    let id = identity(FREE_VIRTUAL_IP, &bytes).expect("a record that we made").id;
    txn.put(FREE_VIRTUAL_IP, &id, bytes)
}

fn id_of(name: &str) -> Vec<u8> {
    [b"\0", name.as_bytes()].concat()
}

fn encoded(name: &str, distance: u32, index: u64) -> Bytes {
    let mut out = Encoder::new();
    out.map(5);
    out.raw("CreateIndex").uint(index);
    out.raw("IP").raw(mapped(distance));
    out.raw("ManualIPs").nil();
    out.raw("ModifyIndex").uint(index);
    out.raw("Service").map(2).raw("Peer").raw("");
    out.raw("ServiceName").map(1).raw("Name").raw(name);
    out.into_bytes().into()
}

/// Go holds addresses in sixteen bytes, whatever their version.
fn mapped(distance: u32) -> [u8; 16] {
    std::net::Ipv4Addr::from_bits(distance).to_ipv6_mapped().octets()
}

/// The distance that a stored record of either type holds.
fn stored_distance(bytes: &[u8]) -> Result<u32, Error> {
    distance(bytes).map_err(damaged)
}

/// The distance that a record of either type holds.
pub(in crate::consul) fn distance(bytes: &[u8]) -> Result<u32, String> {
    let mut address: &[u8] = &[];
    let decoded = Cursor::new(bytes).fields(|field, value| {
        if field == b"IP" {
            address = value.raw()?;
        }
        Ok(())
    });
    decoded.map_err(|e| e.to_string())?;
    match address {
        [.., a, b, c, d] if [4, 16].contains(&address.len()) => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err("its IP is no address".into()),
    }
}

fn damaged(error: impl ToString) -> Error {
    error::stored("virtual address", error)
}
