"""Snapshots by py-consul, and what it asks of a server besides."""

import gzip
import io
import tarfile

import consul
import pytest


@pytest.fixture
def kept(client):
    """What the server held before the test is there again after it."""
    archive = client.snapshot.save()
    yield
    client.snapshot.restore(archive)


@pytest.mark.parametrize("stale", [False, True])
def test_what_was_saved_comes_back(client, place, kept, stale):
    client.kv.put(place + "bytes", b"\x00\xff", flags=7)
    client.kv.put(place + "changed", "before")
    _, before = client.kv.get("", recurse=True)
    archive = client.snapshot.save(stale=stale)

    client.kv.put(place + "changed", "after")
    client.kv.put(place + "later", "than the archive")
    client.kv.delete(place + "bytes")
    index, _ = client.kv.get("", recurse=True)

    assert client.snapshot.restore(archive) is True
    restored, after = client.kv.get("", recurse=True)
    assert after == before
    assert int(restored) > int(index)


def test_an_archive_is_a_gzipped_tar_of_three_files(client):
    with tarfile.open(fileobj=io.BytesIO(client.snapshot.save()), mode="r:gz") as archive:
        assert archive.getnames() == ["meta.json", "state.bin", "SHA256SUMS"]


def test_a_damaged_archive_is_refused_and_changes_nothing(client, place):
    client.kv.put(place + "kept", "kept")
    state = gzip.decompress(client.snapshot.save())
    before = client.kv.get("", recurse=True)
    damaged = gzip.compress(state.replace(b"kept", b"lost"))
    with pytest.raises(consul.ConsulException, match='hash check failed for "state.bin"'):
        client.snapshot.restore(damaged)
    assert client.kv.get("", recurse=True) == before


def test_another_datacenter_is_refused(client):
    with pytest.raises(consul.ConsulException, match="No path to datacenter"):
        client.snapshot.save(dc="nowhere")


def test_the_leader_is_among_the_peers(client):
    leader = client.status.leader()
    assert leader in client.status.peers()
    leaders = [server["Address"] for server in client.operator.raft_config()["Servers"] if server["Leader"]]
    assert leaders == [leader]


def test_the_agent_tells_its_datacenter(client):
    assert client.agent.self()["Config"]["Datacenter"] in client.catalog.datacenters()
