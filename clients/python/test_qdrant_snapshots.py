"""Snapshots by qdrant-client: of collections and of everything over REST and gRPC, of shards and restores over REST."""

import hashlib
import os
import time

import pytest
import requests
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from qdrant_data import points, sparse_config, vectors_config

COUNT = 300


@pytest.fixture
def place(qdrant, request):
    """The name of a collection of 300 points in two shards, without snapshots."""
    name = f"python-{request.node.name}"
    for old in [name, f"{name}-clone"]:
        qdrant.delete_collection(old)
    qdrant.create_collection(
        name, vectors_config=vectors_config(), sparse_vectors_config=sparse_config(), shard_number=2
    )
    qdrant.upsert(name, points(COUNT), wait=True)
    yield name
    for snapshot in qdrant.list_snapshots(name):
        qdrant.delete_snapshot(name, snapshot.name)
    for old in [name, f"{name}-clone"]:
        qdrant.delete_collection(old)


@pytest.fixture
def url(qdrant_address):
    host, port, _ = qdrant_address
    return f"http://{host}:{port}"


def count(client, collection):
    return client.count(collection, exact=True).count


def named(snapshots):
    return [snapshot.name for snapshot in snapshots]


def test_a_collection_is_saved_and_comes_back(qdrant, place, url):
    assert qdrant.list_snapshots(place) == []
    made = qdrant.create_snapshot(place)
    assert made.name.startswith(f"{place}-") and made.name.endswith(".snapshot")
    assert named(qdrant.list_snapshots(place)) == [made.name]
    location = f"{url}/collections/{place}/snapshots/{made.name}"
    archive = requests.get(location, timeout=30).content
    assert len(archive) == made.size
    digest = hashlib.sha256(archive).hexdigest()
    assert digest == made.checksum

    qdrant.delete(place, models.FilterSelector(filter=models.Filter()), wait=True)
    assert count(qdrant, place) == 0
    with pytest.raises(UnexpectedResponse) as refused:
        qdrant.recover_snapshot(place, location, checksum="0" * 64)
    assert refused.value.status_code == 400
    assert count(qdrant, place) == 0
    assert qdrant.recover_snapshot(place, location, checksum=digest, priority=models.SnapshotPriority.SNAPSHOT)
    assert count(qdrant, place) == COUNT

    # What users write most: a clone.
    assert qdrant.recover_snapshot(f"{place}-clone", location)
    assert count(qdrant, f"{place}-clone") == COUNT
    clone, original = (qdrant.scroll(name, limit=COUNT, with_vectors=True)[0] for name in [f"{place}-clone", place])
    assert clone == original

    assert qdrant.delete_snapshot(place, made.name)
    assert qdrant.list_snapshots(place) == []


def test_a_form_is_as_good(qdrant, place, url):
    made = qdrant.create_snapshot(place)
    archive = requests.get(f"{url}/collections/{place}/snapshots/{made.name}", timeout=30).content
    answer = requests.post(
        f"{url}/collections/{place}-clone/snapshots/upload?priority=snapshot&checksum={made.checksum}",
        files={"snapshot": (made.name, archive)},
        timeout=60,
    )
    assert answer.json()["result"] is True, answer.text
    assert count(qdrant, f"{place}-clone") == COUNT
    # What was sent is not stored.
    assert qdrant.list_snapshots(f"{place}-clone") == []


def test_everything_is_saved(qdrant, place, url):
    before = named(qdrant.list_full_snapshots())
    made = qdrant.create_full_snapshot()
    assert made.name.startswith("full-snapshot-")
    assert sorted(named(qdrant.list_full_snapshots())) == sorted([*before, made.name])
    archive = requests.get(f"{url}/snapshots/{made.name}", timeout=30).content
    assert hashlib.sha256(archive).hexdigest() == made.checksum
    assert qdrant.delete_full_snapshot(made.name)
    assert named(qdrant.list_full_snapshots()) == before


def test_a_shard_is_saved_and_comes_back(qdrant, place, url):
    made = qdrant.create_shard_snapshot(place, 0)
    assert named(qdrant.list_shard_snapshots(place, 0)) == [made.name]
    assert qdrant.list_shard_snapshots(place, 1) == []
    qdrant.delete(place, models.FilterSelector(filter=models.Filter()), wait=True)
    location = f"{url}/collections/{place}/shards/0/snapshots/{made.name}"
    assert qdrant.recover_shard_snapshot(place, 0, location, checksum=made.checksum)
    first = count(qdrant, place)
    assert 0 < first < COUNT
    assert qdrant.recover_shard_snapshot(place, 0, made.name)
    assert count(qdrant, place) == first
    assert qdrant.delete_shard_snapshot(place, 0, made.name)
    assert qdrant.list_shard_snapshots(place, 0) == []


def test_nobody_has_to_wait(qdrant, place, url):
    """The answer names its task on the native port, which tells how it ended."""
    answer = requests.post(f"{url}/collections/{place}/snapshots?wait=false", timeout=30)
    assert answer.status_code == 202 and answer.json()["status"] == "accepted", answer.text
    token = os.environ["STILLPOINT_TOKEN"]
    deadline = time.monotonic() + 60
    while True:
        task = requests.get(answer.headers["location"], headers={"authorization": f"Bearer {token}"}, timeout=30).json()
        if task["state"] != "running" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert task["state"] == "succeeded", task
    assert len(qdrant.list_snapshots(place)) == 1
    # The client takes such answers, too.
    qdrant.delete_snapshot(place, qdrant.list_snapshots(place)[0].name, wait=False)
    assert qdrant.list_snapshots(place) == []


def test_what_is_not_there_is_told(qdrant, place):
    for call in [
        lambda: qdrant.create_shard_snapshot(place, 99),
        lambda: qdrant.recover_shard_snapshot(place, 0, "missing.snapshot"),
        lambda: qdrant.delete_shard_snapshot(place, 0, "missing.snapshot"),
    ]:
        with pytest.raises(UnexpectedResponse) as refused:
            call()
        assert refused.value.status_code == 404
    with pytest.raises(Exception, match="(?i)not.?found"):
        qdrant.delete_snapshot(place, "missing.snapshot")
