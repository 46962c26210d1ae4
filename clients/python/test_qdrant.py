"""Qdrant's API by qdrant-client, over REST and over gRPC: a collection is made, filled, asked, changed and dropped."""

import warnings

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from qdrant_data import IMAGE, TEXT, WORDS, batches, points, sparse_config, vectors_config

COUNT = 10_000


def city(name):
    return models.Filter(must=[models.FieldCondition(key="city", match=models.MatchValue(value=name))])


@pytest.fixture
def place(qdrant, request):
    """The name of a collection of the test's own, which is not there before and after it."""
    name = f"python-{request.node.name}"
    qdrant.delete_collection(name)
    yield name
    qdrant.delete_collection(name)


@pytest.fixture
def small(qdrant, place):
    """A collection of 300 points."""
    qdrant.create_collection(place, vectors_config=vectors_config(), sparse_vectors_config=sparse_config())
    qdrant.upsert(place, points(300), wait=True)
    return place


def count(client, collection, condition=None):
    return client.count(collection, count_filter=condition, exact=True).count


def test_a_full_round(qdrant, place):
    assert qdrant.create_collection(
        place,
        vectors_config=vectors_config(),
        sparse_vectors_config=sparse_config(),
        shard_number=2,
        on_disk_payload=True,
    )
    assert qdrant.collection_exists(place)
    assert place in [collection.name for collection in qdrant.get_collections().collections]
    for field, schema in [("city", "keyword"), ("number", "integer"), ("when", "datetime")]:
        qdrant.create_payload_index(place, field, field_schema=schema, wait=True)

    data = points(COUNT)
    for batch in batches(data, 500):
        answer = qdrant.upsert(place, batch, wait=True)
        assert answer.status == models.UpdateStatus.COMPLETED
    assert count(qdrant, place) == COUNT
    info = qdrant.get_collection(place)
    assert info.points_count == COUNT
    assert info.config.params.shard_number == 2
    assert set(info.payload_schema) == {"city", "number", "when"}

    berlin = sum(1 for point in data if point.payload.get("city") == "Berlin")
    assert count(qdrant, place, city("Berlin")) == berlin
    best = qdrant.query_points(
        place,
        query=data[41].vector[TEXT],
        using=TEXT,
        query_filter=city(data[41].payload["city"]),
        limit=5,
        with_payload=True,
        search_params=models.SearchParams(exact=True),
    ).points
    assert best[0].id == data[41].id
    assert best[0].score == pytest.approx(1, abs=1e-5)
    assert {point.payload["city"] for point in best} == {data[41].payload["city"]}
    nearest = qdrant.query_points(place, query=data[41].vector[WORDS], using=WORDS, limit=1).points
    assert nearest[0].id == data[41].id

    assert scrolled(qdrant, place, 999) == {point.id for point in data}

    # A second collection takes over the first one's alias, in one step.
    other = f"{place}-other"
    alias = f"{place}-alias"
    qdrant.delete_collection(other)
    qdrant.create_collection(other, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    try:
        qdrant.update_collection_aliases([create(alias, place)])
        assert count(qdrant, alias) == COUNT
        drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        qdrant.update_collection_aliases([drop, create(alias, other)])
        assert count(qdrant, alias) == 0
        assert [found.alias_name for found in qdrant.get_collection_aliases(other).aliases] == [alias]
    finally:
        assert qdrant.delete_collection(other)
    assert alias not in [found.alias_name for found in qdrant.get_aliases().aliases]

    qdrant.delete(place, models.FilterSelector(filter=city("Berlin")), wait=True)
    assert count(qdrant, place) == COUNT - berlin
    assert qdrant.delete_collection(place)
    assert not qdrant.collection_exists(place)


def create(alias, collection):
    alias = models.CreateAlias(collection_name=collection, alias_name=alias)
    return models.CreateAliasOperation(create_alias=alias)


def scrolled(client, collection, limit, **options):
    """The ids of all pages; none comes twice."""
    ids, offset = [], None
    while True:
        page, offset = client.scroll(
            collection, limit=limit, offset=offset, with_payload=False, with_vectors=False, **options
        )
        ids += [record.id for record in page]
        if offset is None:
            assert len(ids) == len(set(ids))
            return set(ids)


def test_payloads_change(qdrant, small):
    def payload(identity):
        return qdrant.retrieve(small, [identity])[0].payload

    before = payload(1)
    qdrant.set_payload(small, {"city": "Nairobi", "new": [1, {"a": None}]}, points=[1, 2], wait=True)
    assert payload(1) == before | {"city": "Nairobi", "new": [1, {"a": None}]}
    qdrant.set_payload(small, {"inner": 1}, points=[1], key="nested", wait=True)
    assert payload(1)["nested"] == before["nested"] | {"inner": 1}
    qdrant.delete_payload(small, ["new", "nested.inner"], points=[1], wait=True)
    assert payload(1) == before | {"city": "Nairobi"}
    qdrant.overwrite_payload(small, {"only": True}, points=[2], wait=True)
    assert payload(2) == {"only": True}
    qdrant.clear_payload(small, city("Nairobi"), wait=True)
    assert payload(1) == {}
    oslo = count(qdrant, small, city("Oslo"))
    qdrant.set_payload(small, {"city": "Kristiania"}, points=city("Oslo"), wait=True)
    assert (count(qdrant, small, city("Kristiania")), count(qdrant, small, city("Oslo"))) == (oslo, 0)


def test_vectors_change(qdrant, small):
    def vectors(identity):
        return qdrant.retrieve(small, [identity], with_vectors=True)[0].vector

    image = [float(value) for value in range(8)]
    qdrant.update_vectors(small, [models.PointVectors(id=3, vector={IMAGE: image})], wait=True)
    before = vectors(3)
    assert before[IMAGE] == image
    qdrant.delete_vectors(small, [TEXT, WORDS], points=[3], wait=True)
    after = vectors(3)
    assert set(before) - set(after) == {TEXT, WORDS}
    assert after[IMAGE] == image
    assert qdrant.retrieve(small, [4], with_vectors=[IMAGE])[0].vector.keys() == {IMAGE}


def test_several_changes_in_one_request(qdrant, small):
    points = [models.PointStruct(id=1000, vector={}, payload={"fresh": True})]
    answers = qdrant.batch_update_points(
        small,
        [
            models.UpsertOperation(upsert=models.PointsList(points=points)),
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"set": 1}, points=[1000])),
            models.DeleteOperation(delete=models.PointIdsList(points=[1, 2])),
        ],
        wait=True,
    )
    assert [answer.status for answer in answers] == [models.UpdateStatus.COMPLETED] * 3
    assert qdrant.retrieve(small, [1000, 1, 2])[0].payload == {"fresh": True, "set": 1}
    assert count(qdrant, small) == 299


def test_groups_and_facets(qdrant, small):
    groups = qdrant.query_points_groups(
        small,
        group_by="group",
        query=points(1)[0].vector[TEXT],
        using=TEXT,
        limit=4,
        group_size=2,
    ).groups
    assert len(groups) == 4
    for group in groups:
        assert len(group.hits) == 2
        assert {hit.payload["group"] for hit in group.hits} == {group.id}
    qdrant.create_payload_index(small, "city", field_schema="keyword", wait=True)
    hits = {hit.value: hit.count for hit in qdrant.facet(small, key="city", exact=True, limit=10).hits}
    assert hits == {name: count(qdrant, small, city(name)) for name in hits}
    assert len(hits) == 5


def test_order_by(qdrant, small):
    qdrant.create_payload_index(small, "price", field_schema="float", wait=True)
    page, _ = qdrant.scroll(
        small, limit=300, order_by=models.OrderBy(key="price", direction=models.Direction.DESC)
    )
    prices = [record.payload["price"] for record in page]
    assert prices == sorted(prices, reverse=True) and len(prices) == 300


def test_collections_change(qdrant, small):
    qdrant.update_collection(
        small,
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=12345),
        hnsw_config=models.HnswConfigDiff(m=24),
    )
    config = qdrant.get_collection(small).config
    assert (config.optimizer_config.indexing_threshold, config.hnsw_config.m) == (12345, 24)


def test_what_is_wrong_is_told(qdrant, small):
    failures = [
        (lambda: qdrant.get_collection("no-such-collection"), 404, "no-such-collection` doesn"),
        (
            lambda: qdrant.upsert(small, [models.PointStruct(id=1, vector={TEXT: [1.0]})], wait=True),
            400,
            "expected dim: 32, got 1",
        ),
        (lambda: qdrant.query_points(small, query=[1.0], using="nowhere"), 400, "nowhere"),
        (
            lambda: qdrant.create_collection(
                small, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT)
            ),
            409,
            "already exists",
        ),
    ]
    for act, status, text in failures:
        with pytest.raises(Exception, match=text) as caught:
            act()
        if isinstance(caught.value, UnexpectedResponse):
            assert caught.value.status_code == status


def test_the_version_suits_the_client(qdrant_address):
    host, port, grpc_port = qdrant_address
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = QdrantClient(host=host, port=port, grpc_port=grpc_port, check_compatibility=True)
        assert client.info().title == "qdrant - vector search engine"
        client.close()
