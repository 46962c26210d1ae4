"""What the server answers to exact searches is what the local mode of qdrant-client answers, over the same points."""

import numpy
import pytest
from qdrant_client import QdrantClient, models

from qdrant_data import IMAGE, PARTS, TEXT, WORDS, dense, points, sparse, sparse_config, vectors_config

COLLECTION = "python-memory"
COUNT = 600
EXACT = models.SearchParams(exact=True)


@pytest.fixture(scope="module", params=[1, 3], ids=["one-shard", "three-shards"])
def filled(request, qdrant_address):
    """The server and the local mode, both with the same points, some of them changed since."""
    host, port, grpc_port = qdrant_address
    server = QdrantClient(host=host, port=port, grpc_port=grpc_port, timeout=60)
    local = QdrantClient(":memory:")
    for client, options in [(server, {"shard_number": request.param}), (local, {})]:
        client.delete_collection(COLLECTION)
        client.create_collection(
            COLLECTION,
            vectors_config=vectors_config(),
            sparse_vectors_config=sparse_config(),
            **options,
        )
        client.upsert(COLLECTION, points(COUNT), wait=True)
        client.upsert(COLLECTION, points(40, seed=8)[20:], wait=True)
        client.delete(COLLECTION, models.PointIdsList(points=[50, 51, 52]), wait=True)
        client.set_payload(COLLECTION, {"city": "Lima"}, points=[60, 61], wait=True)
        client.delete_vectors(COLLECTION, [TEXT], points=[71, 72], wait=True)
        # The local mode needs none of them.
        for field, schema in [("city", "keyword"), ("price", "float"), ("number", "integer"), ("group", "keyword")]:
            if client is server:
                client.create_payload_index(COLLECTION, field, field_schema=schema, wait=True)
    yield server, local
    server.delete_collection(COLLECTION)
    server.close()


def match(key, value):
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


FILTERS = {
    "none": None,
    "city": models.Filter(must=[match("city", "Oslo")]),
    "not": models.Filter(must_not=[match("city", "Oslo"), match("tags", "t2")]),
    "should": models.Filter(should=[match("city", "Lima"), match("number", 17)]),
    "range": models.Filter(
        must=[models.FieldCondition(key="price", range=models.Range(gte=20, lt=60))],
        must_not=[match("nested.flag", True)],
    ),
    "any": models.Filter(
        must=[models.FieldCondition(key="group", match=models.MatchAny(any=["g1", "g2", "g3"]))]
    ),
    "except": models.Filter(
        must=[models.FieldCondition(key="city", match=models.MatchExcept(**{"except": ["Oslo", "Lima"]}))]
    ),
    "empty": models.Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="city"))]),
    "ids": models.Filter(must=[models.HasIdCondition(has_id=list(range(1, 100)))]),
    "vector": models.Filter(must=[models.HasVectorCondition(has_vector=WORDS)]),
    "nested": models.Filter(
        must=[models.NestedCondition(nested=models.Nested(key="nested.deep", filter=models.Filter(must=[match("n", 3)])))]
    ),
    "count": models.Filter(
        must=[models.FieldCondition(key="tags", values_count=models.ValuesCount(gte=2))]
    ),
    "min": models.Filter(
        min_should=models.MinShould(
            conditions=[match("city", "Lima"), match("tags", "t1"), match("nested.flag", False)], min_count=2
        )
    ),
    "when": models.Filter(
        must=[models.FieldCondition(key="when", range=models.DatetimeRange(lt="2024-01-01T03:00:00Z"))]
    ),
}

random = numpy.random.default_rng(99)
TEXT_QUERY, IMAGE_QUERY, WORDS_QUERY = dense(random, 32), dense(random, 8), sparse(random, count=30)
PARTS_QUERY = [dense(random, 4), dense(random, 4)]


def prefetch(query, using, limit=40, **options):
    return models.Prefetch(query=query, using=using, limit=limit, params=EXACT, **options)


QUERIES = {
    "cosine": dict(query=TEXT_QUERY, using=TEXT),
    "euclid": dict(query=IMAGE_QUERY, using=IMAGE),
    "sparse": dict(query=WORDS_QUERY, using=WORDS),
    "multi": dict(query=PARTS_QUERY, using=PARTS),
    "by id": dict(query=30, using=TEXT),
    "threshold": dict(query=TEXT_QUERY, using=TEXT, score_threshold=0.2),
    "offset": dict(query=TEXT_QUERY, using=TEXT, offset=7),
    "rescored": dict(query=IMAGE_QUERY, using=IMAGE, prefetch=[prefetch(TEXT_QUERY, TEXT)]),
    "rrf": dict(
        query=models.FusionQuery(fusion=models.Fusion.RRF),
        prefetch=[prefetch(TEXT_QUERY, TEXT), prefetch(WORDS_QUERY, WORDS)],
    ),
    "dbsf": dict(
        query=models.FusionQuery(fusion=models.Fusion.DBSF),
        prefetch=[prefetch(TEXT_QUERY, TEXT), prefetch(IMAGE_QUERY, IMAGE), prefetch(WORDS_QUERY, WORDS)],
    ),
    "average": dict(
        query=models.RecommendQuery(recommend=models.RecommendInput(positive=[1, 2], negative=[3])), using=TEXT
    ),
    "best score": dict(
        query=models.RecommendQuery(
            recommend=models.RecommendInput(
                positive=[1, TEXT_QUERY], negative=[3], strategy=models.RecommendStrategy.BEST_SCORE
            )
        ),
        using=TEXT,
    ),
    "sum of scores": dict(
        query=models.RecommendQuery(
            recommend=models.RecommendInput(
                positive=[1, 2], negative=[3, 4], strategy=models.RecommendStrategy.SUM_SCORES
            )
        ),
        using=IMAGE,
    ),
    "order": dict(query=models.OrderByQuery(order_by=models.OrderBy(key="price"))),
}


def agree(ours, theirs):
    """Scores are the same in their order, and so are the points, but where scores are equal."""
    assert len(ours) == len(theirs)
    assert [point.score for point in ours] == pytest.approx([point.score for point in theirs], rel=1e-5, abs=1e-5)
    begin = 0
    while begin < len(theirs):
        end = begin
        while end < len(theirs) and abs(theirs[end].score - theirs[begin].score) <= 2e-5:
            end += 1
        # Of equal scores at the very end others may have been cut off.
        if end < len(theirs) or end - begin == 1:
            assert {point.id for point in ours[begin:end]} == {point.id for point in theirs[begin:end]}
        begin = end


@pytest.mark.parametrize("condition", FILTERS)
@pytest.mark.parametrize("query", QUERIES)
def test_queries(filled, query, condition):
    answers = [
        client.query_points(
            COLLECTION,
            query_filter=FILTERS[condition],
            search_params=EXACT,
            limit=25,
            **QUERIES[query],
        ).points
        for client in filled
    ]
    agree(*answers)


@pytest.mark.parametrize("condition", FILTERS)
def test_counts_and_pages(filled, condition):
    counts = [client.count(COLLECTION, count_filter=FILTERS[condition], exact=True).count for client in filled]
    assert counts[0] == counts[1]
    pages = [
        client.scroll(COLLECTION, scroll_filter=FILTERS[condition], limit=1000, with_vectors=True)[0]
        for client in filled
    ]
    ours, theirs = ({record.id: record for record in page} for page in pages)
    assert ours.keys() == theirs.keys()
    for identity, record in ours.items():
        assert record.payload == theirs[identity].payload
        assert record.vector.keys() == theirs[identity].vector.keys()
        for name, vector in record.vector.items():
            same_vector(vector, theirs[identity].vector[name])


def same_vector(ours, theirs):
    if isinstance(ours, models.SparseVector):
        ours, theirs = (dict(zip(vector.indices, vector.values)) for vector in (ours, theirs))
        assert ours == pytest.approx(theirs, abs=1e-5)
    else:
        assert numpy.asarray(ours) == pytest.approx(numpy.asarray(theirs), abs=1e-5)


def test_groups(filled):
    answers = [
        client.query_points_groups(
            COLLECTION,
            group_by="group",
            query=TEXT_QUERY,
            using=TEXT,
            search_params=EXACT,
            limit=6,
            group_size=3,
        ).groups
        for client in filled
    ]
    assert [group.id for group in answers[0]] == [group.id for group in answers[1]]
    for ours, theirs in zip(*answers):
        agree(ours.hits, theirs.hits)


def test_facets(filled):
    answers = [client.facet(COLLECTION, key="group", exact=True, limit=50).hits for client in filled]
    ours, theirs = ({hit.value: hit.count for hit in hits} for hits in answers)
    assert ours == theirs
