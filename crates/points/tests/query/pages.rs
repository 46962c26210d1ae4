//! Reading without scores: by id, page by page, counts.

use points::Kind;
use points::engine::{Direction, FacetValue, OrderBy, PointId, StartFrom};
use points::query::{Count, Facet, Retrieve, Scroll};
use serde_json::{Value, json};

use crate::world::{POINTS, WORLD, filter, number};

fn scroll(limit: usize) -> Scroll {
    let (with_payload, with_vector) = (true.into(), false.into());
    Scroll { offset: None, limit, filter: None, order_by: None, with_payload, with_vector }
}

#[test]
fn by_id_in_the_order_of_the_ids() {
    for shards in [&WORLD.one, &WORLD.four] {
        let ids = [7, 3, 900, 3, 1, 12].map(PointId::NumId).to_vec();
        let found =
            shards.retrieve(Retrieve { ids, with_payload: true.into(), with_vector: true.into() }).unwrap();
        assert_eq!(found.iter().map(|point| number(point.id)).collect::<Vec<_>>(), [7, 3, 1, 12]);
        assert_eq!(found[0].payload.as_ref().unwrap().0["name"], json!("p7"));
        assert!(found[0].vector.is_some());
    }
}

#[test]
fn pages_lead_to_the_end() {
    let wanted: Vec<_> =
        WORLD.points.iter().filter(|point| point.payload["city"] == "Ulm").map(|p| p.id).collect();
    for shards in [&WORLD.one, &WORLD.four] {
        for limit in [1, 7, wanted.len() - 1, wanted.len(), wanted.len() + 1] {
            let mut request = scroll(limit);
            request.filter = filter(json!({ "must": [
                { "key": "city", "match": { "value": "Ulm" } },
                { "key": "city", "values_count": { "lt": 2 } },
            ] }));
            let mut found = Vec::new();
            loop {
                let page = shards.scroll(request.clone()).unwrap();
                assert!(page.points.len() <= limit && !page.points.is_empty());
                assert!(page.points.iter().all(|point| point.payload.is_some()));
                found.extend(page.points.iter().map(|point| number(point.id)));
                request.offset = page.next;
                if page.next.is_none() {
                    break;
                }
            }
            assert_eq!(found, wanted);
        }
    }
}

#[test]
fn pages_in_the_order_of_a_field() {
    for direction in [Direction::Asc, Direction::Desc] {
        for start_from in [None, Some(StartFrom::Float(7.5))] {
            let mut request = scroll(60);
            let key = "rank".parse().unwrap();
            request.order_by = Some(OrderBy { key, direction: Some(direction), start_from });
            let one = WORLD.one.scroll(request.clone()).unwrap();
            assert_eq!(one, WORLD.four.scroll(request).unwrap());
            assert_eq!((one.points.len(), one.next), (60, None));
            let mut wanted: Vec<_> =
                WORLD.points.iter().map(|p| (p.payload["rank"].as_u64().unwrap(), p.id)).collect();
            wanted.sort_unstable();
            if direction == Direction::Desc {
                // Equal values are in the order of their ids either way.
                wanted.sort_by_key(|(rank, id)| (u64::MAX - rank, *id));
            }
            wanted.retain(|(rank, _)| start_from.is_none() || (*rank > 7) == (direction == Direction::Asc));
            let found: Vec<_> = one.points.iter().map(|point| number(point.id)).collect();
            assert_eq!(found, wanted.iter().take(60).map(|(_, id)| *id).collect::<Vec<_>>());
        }
    }
}

#[test]
fn no_page_is_empty_by_wish() {
    let error = WORLD.four.scroll(scroll(0)).unwrap_err();
    assert_eq!((error.kind, error.text.as_str()), (Kind::Invalid, "Limit cannot be 0"));
    let mut request = scroll(5);
    request.offset = Some(PointId::NumId(3));
    request.order_by = Some(OrderBy { key: "rank".parse().unwrap(), direction: None, start_from: None });
    let error = WORLD.one.scroll(request).unwrap_err();
    assert!(error.text.starts_with("Cannot use an `offset` when using `order_by`."), "{error}");
}

#[test]
fn counted_over_all_shards() {
    for shards in [&WORLD.one, &WORLD.four] {
        let count = |filter| shards.count(Count { filter, exact: true }).unwrap();
        assert_eq!(count(None), POINTS as usize);
        let low = WORLD.points.iter().filter(|point| point.payload["rank"].as_u64().unwrap() < 4).count();
        assert_eq!(count(filter(json!({ "must": { "key": "rank", "range": { "lt": 4 } } }))), low);
    }
}

#[test]
fn values_with_most_points_first() {
    for (limit, exact) in [(2, false), (3, true), (100, false)] {
        let request = Facet {
            key: "rank".parse().unwrap(),
            limit,
            filter: filter(json!({ "must_not": { "key": "city", "match": { "value": "Ulm" } } })),
            exact,
        };
        let one = WORLD.one.facet(request.clone()).unwrap();
        assert_eq!(one, WORLD.four.facet(request).unwrap());
        let mut counts = [0_usize; 20];
        for point in &WORLD.points {
            let ulm = match &point.payload["city"] {
                Value::Array(cities) => cities.iter().any(|city| city == "Ulm"),
                city => city == "Ulm",
            };
            if !ulm {
                counts[point.payload["rank"].as_u64().unwrap() as usize] += 1;
            }
        }
        let mut wanted: Vec<_> = (0_i64..).zip(counts).filter(|(_, count)| *count > 0).collect();
        wanted.sort_by_key(|(value, count)| (usize::MAX - count, *value));
        wanted.truncate(limit);
        let found: Vec<_> = one.iter().map(|hit| (hit.value.clone(), hit.count)).collect();
        let wanted: Vec<_> =
            wanted.into_iter().map(|(value, count)| (FacetValue::Int(value), count)).collect();
        assert_eq!(found, wanted);
    }
    let request = Facet { key: "name".parse().unwrap(), limit: 3, filter: None, exact: true };
    let error = WORLD.four.facet(request).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.text.starts_with("No appropriate index for faceting: `name`"), "{error}");
}
