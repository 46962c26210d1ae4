"""Transactions by py-consul: done as a whole or not at all."""

import base64

import consul
import pytest


def op(verb, key, value="", **others):
    return {"KV": {"Verb": verb, "Key": key, "Value": base64.b64encode(value.encode()).decode(), **others}}


def test_a_transaction_changes_and_reads(client, place):
    client.kv.put(place + "old", "old")
    answer = client.txn.put(
        [op("set", place + "new", "new", Flags=3), op("delete", place + "old"), op("get-tree", place)]
    )
    assert answer["Errors"] is None
    changed, read = (result["KV"] for result in answer["Results"])
    assert (changed["Key"], changed["Value"], changed["Flags"]) == (place + "new", None, 3)
    assert (read["Key"], base64.b64decode(read["Value"])) == (place + "new", b"new")


def test_a_refused_transaction_leaves_nothing(client, place):
    client.kv.put(place + "taken", "kept")
    with pytest.raises(consul.exceptions.ClientError) as refusal:
        client.txn.put([op("set", place + "new"), op("check-not-exists", place + "taken")])
    assert "409" in str(refusal.value)
    assert '"OpIndex":1' in str(refusal.value)
    assert "exists" in str(refusal.value)
    assert client.kv.get(place + "new")[1] is None


def test_too_many_operations_are_refused(client, place):
    with pytest.raises(consul.ConsulException, match="too many operations"):
        client.txn.put([op("set", place + str(number)) for number in range(129)])
