"""Sessions and the locks they hold by py-consul."""

import consul
import pytest


@pytest.fixture
def session(client):
    """A session that ends with the test."""
    session = client.session.create(name="python", ttl=30, lock_delay=0)
    yield session
    client.session.destroy(session)


def test_a_session_is_listed_until_it_is_destroyed(client, session):
    index, entry = client.session.info(session)
    assert int(index) > 0
    assert (entry["ID"], entry["Name"], entry["TTL"]) == (session, "python", "30s")
    assert session in [listed["ID"] for listed in client.session.list()[1]]
    assert session in [listed["ID"] for listed in client.session.node(entry["Node"])[1]]
    assert client.session.renew(session)["ID"] == session
    assert client.session.destroy(session) is True
    assert client.session.info(session)[1] is None
    with pytest.raises(consul.NotFound):
        client.session.renew(session)


def test_a_lock_is_held_by_one_session(client, place, session):
    other = client.session.create(lock_delay=0, behavior="delete")
    assert client.kv.put(place + "lock", "one", acquire=session) is True
    assert client.kv.put(place + "lock", "other", acquire=other) is False
    assert client.kv.get(place + "lock")[1]["Session"] == session
    assert client.kv.put(place + "lock", "one", release=session) is True
    assert client.kv.put(place + "lock", "other", acquire=other) is True
    client.session.destroy(other)
    assert client.kv.get(place + "lock")[1] is None
