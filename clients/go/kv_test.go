// Keys and values, and queries that wait for them to change.
package clients

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const valueBytesMax = 512 << 10

func TestAnEntryComesBackAsItWasPut(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "entry"
	value := []byte("\x00\x01\xff not text \xc3\x28")
	_, err := client.KV().Put(&api.KVPair{Key: key, Value: value, Flags: math.MaxUint64}, nil)
	ok(t, err)

	pair, meta, err := client.KV().Get(key, nil)
	ok(t, err)
	equal(t, "key", pair.Key, key)
	equal(t, "value", string(pair.Value), string(value))
	equal(t, "flags", pair.Flags, uint64(math.MaxUint64))
	equal(t, "lock index", pair.LockIndex, 0)
	equal(t, "session", pair.Session, "")
	equal(t, "modify index of a new entry", pair.ModifyIndex, pair.CreateIndex)
	equal(t, "index of the answer", meta.LastIndex, pair.ModifyIndex)
}

func TestAnAbsentKeyIsNilAndHasAnIndex(t *testing.T) {
	client := connect(t)
	pair, meta, err := client.KV().Get(place(t, client)+"absent", nil)
	ok(t, err)
	if pair != nil {
		t.Errorf("got %+v", pair)
	}
	if meta.LastIndex == 0 {
		t.Error("an index of 0 never blocks")
	}
}

func TestKeysKeepEveryCharacter(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	for _, name := range []string{
		"a b", "a+b", "per%cent", "%2F", "ü/ß/日本", `"<&>'`, "double//slash", "end/", "?query#fragment",
		"line\nbreak",
	} {
		put(t, client, prefix+name, []byte(name))
		pair := get(t, client, prefix+name)
		if pair == nil {
			t.Errorf("%q is absent", name)
			continue
		}
		equal(t, "key", pair.Key, prefix+name)
		equal(t, "value", string(pair.Value), name)
	}
}

func TestAValueMayBeEmptyAndIsLimited(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "sized"
	put(t, client, key, nil)
	equal(t, "bytes", len(get(t, client, key).Value), 0)

	put(t, client, key, bytes.Repeat([]byte("x"), valueBytesMax))
	equal(t, "bytes", len(get(t, client, key).Value), valueBytesMax)

	large := &api.KVPair{Key: key, Value: make([]byte, valueBytesMax+1)}
	_, err := client.KV().Put(large, nil)
	refused(t, err, 413, "too large, max size: 524288 bytes")
	equal(t, "bytes after the refusal", len(get(t, client, key).Value), valueBytesMax)
}

func TestAPutWithoutFlagsClearsThem(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "flagged"
	_, err := client.KV().Put(&api.KVPair{Key: key, Flags: 7}, nil)
	ok(t, err)
	put(t, client, key, nil)
	equal(t, "flags", get(t, client, key).Flags, 0)
}

func TestAPutThatChangesNothingKeepsTheIndex(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "same"
	put(t, client, key, []byte("same"))
	before := get(t, client, key).ModifyIndex
	put(t, client, key, []byte("same"))
	equal(t, "index after the same value", get(t, client, key).ModifyIndex, before)

	put(t, client, key, []byte("other"))
	after := get(t, client, key)
	equal(t, "create index", after.CreateIndex, before)
	if after.ModifyIndex <= before {
		t.Errorf("modify index stays at %d", after.ModifyIndex)
	}
}

func TestListsAreSortedAndKeepToTheirPrefix(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	for _, name := range []string{"b/2", "b/10", "a", "b/1/x", "c"} {
		put(t, client, prefix+name, []byte(name))
	}
	pairs, _, err := client.KV().List(prefix+"b", nil)
	ok(t, err)
	var names []string
	for _, pair := range pairs {
		names = append(names, string(pair.Value))
	}
	if want := []string{"b/1/x", "b/10", "b/2"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestKeysAreCutAfterTheSeparator(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	for _, name := range []string{"a", "b/1", "b/2", "c/x/y"} {
		put(t, client, prefix+name, nil)
	}
	for separator, want := range map[string][]string{
		"":  {prefix + "a", prefix + "b/1", prefix + "b/2", prefix + "c/x/y"},
		"/": {prefix + "a", prefix + "b/", prefix + "c/"},
	} {
		keys, _, err := client.KV().Keys(prefix, separator, nil)
		ok(t, err)
		if !slices.Equal(keys, want) {
			t.Errorf("separator %q: got %q, want %q", separator, keys, want)
		}
	}
}

func TestDeletesAreFinalAndMayBeRepeated(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	for _, name := range []string{"one", "tree/a", "tree/b", "trees"} {
		put(t, client, prefix+name, nil)
	}
	for range 2 {
		_, err := client.KV().Delete(prefix+"one", nil)
		ok(t, err)
		_, err = client.KV().DeleteTree(prefix+"tree/", nil)
		ok(t, err)
	}
	keys, _, err := client.KV().Keys(prefix, "", nil)
	ok(t, err)
	if want := []string{prefix + "trees"}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func TestCasWritesOnlyOverWhatWasSeen(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "cas"
	cas := func(index uint64, value string) bool {
		written, _, err := client.KV().CAS(&api.KVPair{Key: key, Value: []byte(value), ModifyIndex: index}, nil)
		ok(t, err)
		return written
	}
	equal(t, "create", cas(0, "first"), true)
	equal(t, "create again", cas(0, "second"), false)
	seen := get(t, client, key).ModifyIndex
	equal(t, "replace what was seen", cas(seen, "third"), true)
	equal(t, "replace what is gone", cas(seen, "fourth"), false)
	equal(t, "value", string(get(t, client, key).Value), "third")
}

func TestDeleteCasDeletesOnlyWhatWasSeen(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "cas"
	put(t, client, key, []byte("seen"))
	seen := get(t, client, key).ModifyIndex
	put(t, client, key, []byte("newer"))
	remove := func(index uint64) bool {
		deleted, _, err := client.KV().DeleteCAS(&api.KVPair{Key: key, ModifyIndex: index}, nil)
		ok(t, err)
		return deleted
	}
	equal(t, "delete what was replaced", remove(seen), false)
	equal(t, "delete what is there", remove(get(t, client, key).ModifyIndex), true)
	if pair := get(t, client, key); pair != nil {
		t.Errorf("still there: %+v", pair)
	}
}

func TestALockNeedsASession(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "locked"
	lock := &api.KVPair{Key: key, Session: "9d7b6a53-1c0e-4d0f-8b4f-0a8f6c1d2e3f"}
	_, _, err := client.KV().Acquire(lock, nil)
	refused(t, err, 500, `invalid session "`+lock.Session+`"`)
	if pair := get(t, client, key); pair != nil {
		t.Errorf("the refused lock left %+v", pair)
	}
}

func TestReadsSayHowFreshTheyAre(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "fresh"
	put(t, client, key, nil)
	for name, options := range map[string]*api.QueryOptions{
		"default": nil, "stale": {AllowStale: true}, "consistent": {RequireConsistent: true},
	} {
		pair, meta, err := client.KV().Get(key, options)
		ok(t, err)
		equal(t, name+": leader known", meta.KnownLeader, true)
		if pair == nil {
			t.Errorf("%s: absent", name)
		}
	}
	_, _, err := client.KV().Get(key, &api.QueryOptions{AllowStale: true, RequireConsistent: true})
	refused(t, err, 400, "Cannot specify ?stale with ?consistent")
}

func TestAnUnknownDatacenterIsRefused(t *testing.T) {
	client := connect(t)
	_, _, err := client.KV().Get("any", &api.QueryOptions{Datacenter: "nowhere"})
	refused(t, err, 500, "No path to datacenter")
	_, err = client.KV().Put(&api.KVPair{Key: "any"}, &api.WriteOptions{Datacenter: "nowhere"})
	refused(t, err, 500, "No path to datacenter")
}

func TestAQueryWaitsForItsTimeIfNothingChanges(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "still"
	put(t, client, key, nil)
	index := get(t, client, key).ModifyIndex
	put(t, client, key+"-other", nil)

	wait := 300 * time.Millisecond
	began := time.Now()
	_, meta, err := client.KV().Get(key, &api.QueryOptions{WaitIndex: index, WaitTime: wait})
	ok(t, err)
	if waited := time.Since(began); waited < wait {
		t.Errorf("came back after %s", waited)
	}
	equal(t, "index", meta.LastIndex, index)
}

// wakes insists that a query for everything under the prefix, begun now, ends because of the change.
func wakes(t *testing.T, client *api.Client, prefix string, change func()) api.KVPairs {
	t.Helper()
	_, meta, err := client.KV().List(prefix, nil)
	ok(t, err)
	type answer struct {
		pairs api.KVPairs
		meta  *api.QueryMeta
		err   error
	}
	answers := make(chan answer)
	go func() {
		options := &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Minute}
		pairs, meta, err := client.KV().List(prefix, options)
		answers <- answer{pairs, meta, err}
	}()
	change()
	select {
	case woken := <-answers:
		ok(t, woken.err)
		if woken.meta.LastIndex <= meta.LastIndex {
			t.Errorf("woken at index %d after %d", woken.meta.LastIndex, meta.LastIndex)
		}
		return woken.pairs
	case <-time.After(20 * time.Second):
		t.Fatal("the change did not end the wait")
		return nil
	}
}

func TestAQueryWakesUpWhenAnEntryComesOrGoes(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	pairs := wakes(t, client, prefix, func() { put(t, client, prefix+"new", nil) })
	equal(t, "entries after the put", len(pairs), 1)
	pairs = wakes(t, client, prefix, func() {
		_, err := client.KV().Delete(prefix+"new", nil)
		ok(t, err)
	})
	equal(t, "entries after the delete", len(pairs), 0)
}
