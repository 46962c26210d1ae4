// Watches by the npm client `consul`: chains of blocking queries, across a restore too.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { consul, place, request } = require("./server");

const prefix = place("watch");
const timeout = 20_000;

/** A watch whose changes are read one by one. */
async function* changes(options) {
  const watch = consul.watch({ method: consul.kv.get, options });
  const seen = [];
  let wake = () => {};
  watch.on("change", (data, response) => {
    seen.push({ data, index: BigInt(response.headers["x-consul-index"]) });
    wake();
  });
  watch.on("error", (error) => {
    seen.push(error);
    wake();
  });
  try {
    for (;;) {
      while (seen.length === 0) {
        await new Promise((resolve) => (wake = resolve));
      }
      const next = seen.shift();
      if (next instanceof Error) throw next;
      yield next;
    }
  } finally {
    watch.end();
  }
}

/** Reads until the data is as expected: changes that come close together may be seen as one. */
async function until(watched, expected) {
  for (;;) {
    const { value } = await watched.next();
    if (expected(value.data)) return value;
  }
}

test("a watch sees an entry come, change and go", { timeout }, async () => {
  const watched = changes({ key: `${prefix}key`, wait: "5s" });
  await until(watched, (entry) => entry === undefined);
  await consul.kv.set(`${prefix}key`, "first");
  await until(watched, (entry) => entry?.Value === "first");
  await consul.kv.set(`${prefix}key`, "second");
  await until(watched, (entry) => entry?.Value === "second");
  await consul.kv.del(`${prefix}key`);
  await until(watched, (entry) => entry === undefined);
  await watched.return();
});

test("a watch sees a restore, and its index only rises", { timeout }, async () => {
  await consul.kv.set(`${prefix}key`, "saved");
  const archive = await (await request("/v1/snapshot")).arrayBuffer();
  await consul.kv.set(`${prefix}key`, "later");

  const watched = changes({ key: prefix, recurse: true, wait: "5s" });
  const before = await until(watched, ([entry]) => entry.Value === "later");
  const restored = await request("/v1/snapshot", { method: "PUT", body: archive });
  assert.equal(restored.status, 200);
  const after = await until(watched, ([entry]) => entry.Value === "saved");
  assert.ok(after.index > before.index, `${before.index} to ${after.index}`);
  await watched.return();
});
