"""Keys and values by py-consul, and queries that wait for them to change."""

import threading
import time

import consul
import pytest


def test_an_entry_comes_back_as_it_was_put(client, place):
    key, value = place + "entry", b"\x00\xff not text \xc3\x28"
    assert client.kv.put(key, value, flags=2**64 - 1) is True
    index, entry = client.kv.get(key)
    assert entry.pop("CreateIndex") == entry.pop("ModifyIndex") == int(index)
    assert entry == {"Key": key, "Value": value, "Flags": 2**64 - 1, "LockIndex": 0}


def test_an_absent_key_is_none_and_has_an_index(client, place):
    index, entry = client.kv.get(place + "absent")
    assert entry is None
    assert int(index) >= 1


@pytest.mark.parametrize("name", ["a b", "a+b", "per%cent", "ü/日本", "<&>", "end/", "?query#fragment"])
def test_keys_keep_every_character(client, place, name):
    client.kv.put(place + name, name)
    _, entry = client.kv.get(place + name)
    assert (entry["Key"], entry["Value"]) == (place + name, name.encode())


def test_an_empty_value_is_none(client, place):
    client.kv.put(place + "empty", None)
    _, entry = client.kv.get(place + "empty")
    assert entry["Value"] is None


def test_lists_are_sorted_and_keep_to_their_prefix(client, place):
    for name in ["b/2", "b/10", "a", "c"]:
        client.kv.put(place + name, name)
    _, entries = client.kv.get(place + "b", recurse=True)
    assert [entry["Value"] for entry in entries] == [b"b/10", b"b/2"]


def test_keys_are_cut_after_the_separator(client, place):
    for name in ["a", "b/1", "b/2"]:
        client.kv.put(place + name, "")
    _, keys = client.kv.get(place, keys=True)
    assert keys == [place + "a", place + "b/1", place + "b/2"]
    _, keys = client.kv.get(place, keys=True, separator="/")
    assert keys == [place + "a", place + "b/"]


def test_deletes_take_one_key_or_a_tree(client, place):
    for name in ["one", "tree/a", "tree/b", "trees"]:
        client.kv.put(place + name, "")
    assert client.kv.delete(place + "one") is True
    assert client.kv.delete(place + "tree/", recurse=True) is True
    _, keys = client.kv.get(place, keys=True)
    assert keys == [place + "trees"]


def test_cas_writes_only_over_what_was_seen(client, place):
    key = place + "cas"
    assert client.kv.put(key, "first", cas=0) is True
    assert client.kv.put(key, "second", cas=0) is False
    _, seen = client.kv.get(key)
    assert client.kv.put(key, "third", cas=seen["ModifyIndex"]) is True
    assert client.kv.delete(key, cas=seen["ModifyIndex"]) is False
    _, entry = client.kv.get(key)
    assert entry["Value"] == b"third"
    assert client.kv.delete(key, cas=entry["ModifyIndex"]) is True
    assert client.kv.get(key)[1] is None


def test_a_lock_needs_a_session(client, place):
    session = "9d7b6a53-1c0e-4d0f-8b4f-0a8f6c1d2e3f"
    with pytest.raises(consul.ConsulException, match=f'invalid session "{session}"'):
        client.kv.put(place + "locked", "", acquire=session)


@pytest.mark.parametrize("consistency", ["default", "consistent", "stale"])
def test_every_consistency_reads_what_was_written(client, place, consistency):
    client.kv.put(place + "fresh", consistency)
    _, entry = client.kv.get(place + "fresh", consistency=consistency)
    assert entry["Value"] == consistency.encode()


def test_an_unknown_datacenter_is_refused(client):
    with pytest.raises(consul.ConsulException, match="No path to datacenter"):
        client.kv.get("any", dc="nowhere")


def test_a_value_that_is_too_large_is_refused(client, place):
    with pytest.raises(consul.ConsulException, match="413 .*too large, max size: 524288 bytes"):
        client.kv.put(place + "large", b"x" * (512 * 1024 + 1))


def test_a_query_waits_for_its_time_if_nothing_changes(client, place):
    client.kv.put(place + "still", "")
    index, _ = client.kv.get(place + "still")
    began = time.monotonic()
    after, _ = client.kv.get(place + "still", index=index, wait="300ms")
    assert time.monotonic() - began >= 0.3
    assert after == index


def test_a_query_wakes_up_when_the_entry_changes(client, place):
    key = place + "woken"
    client.kv.put(key, "before")
    index, _ = client.kv.get(key)
    answers = []

    def wait():
        answers.append(client.kv.get(key, index=index, wait="60s"))

    query = threading.Thread(target=wait, daemon=True)
    query.start()
    client.kv.put(key, "after")
    query.join(timeout=20)
    assert not query.is_alive(), "the change did not end the wait"
    [(woken, entry)] = answers
    assert int(woken) > int(index)
    assert entry["Value"] == b"after"
