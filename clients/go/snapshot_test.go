// Snapshots: saved by the client, checked by the genuine reader, restored by the client, undone.
package clients

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

func save(t *testing.T, client *api.Client, options *api.QueryOptions) ([]byte, *api.QueryMeta) {
	t.Helper()
	body, meta, err := client.Snapshot().Save(options)
	ok(t, err)
	defer body.Close()
	archive, err := io.ReadAll(body)
	ok(t, err)
	return archive, meta
}

func restore(client *api.Client, archive []byte) error {
	return client.Snapshot().Restore(nil, bytes.NewReader(archive))
}

// everything is all that the key/value store holds.
func everything(t *testing.T, client *api.Client) (api.KVPairs, uint64) {
	t.Helper()
	pairs, meta, err := client.KV().List("", nil)
	ok(t, err)
	return pairs, meta.LastIndex
}

// same compares entries with all their indexes.
func same(t *testing.T, got, want api.KVPairs) {
	t.Helper()
	show := func(pairs api.KVPairs) []string {
		var lines []string
		for _, pair := range pairs {
			indexes := []uint64{pair.CreateIndex, pair.ModifyIndex, pair.LockIndex}
			lines = append(lines, fmt.Sprintf("%q: indexes %d, session %q, flags %d, %d bytes %x",
				pair.Key, indexes, pair.Session, pair.Flags, len(pair.Value), sha256.Sum256(pair.Value)))
		}
		return lines
	}
	if got, want := show(got), show(want); !slices.Equal(got, want) {
		t.Errorf("got %d entries, want %d:\n%s\n--\n%s",
			len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wipe leaves no key.
func wipe(t *testing.T, client *api.Client) {
	t.Helper()
	_, err := client.KV().DeleteTree("", nil)
	ok(t, err)
	pairs, _ := everything(t, client)
	equal(t, "keys after the wipe", len(pairs), 0)
}

// blank replaces all state by none, and does so again after the test.
func blank(t *testing.T, client *api.Client) {
	t.Helper()
	bin := stateOf(t, 1)
	files := []member{metaFor(t, 1, bin), {"state.bin", bin}}
	clear := func() { ok(t, restore(client, pack(t, append(files, sums(files...))...))) }
	clear()
	t.Cleanup(clear)
}

// furnish puts entries of every shape, and leaves a tombstone.
func furnish(t *testing.T, client *api.Client, prefix string) {
	t.Helper()
	for _, pair := range []api.KVPair{
		{Key: prefix + "text", Value: []byte("text")},
		{Key: prefix + "empty"},
		{Key: prefix + "flags", Flags: math.MaxUint64},
		{Key: prefix + "bytes", Value: []byte{0, 0xff, 0xc3, 0x28}},
		{Key: prefix + "ümlaut/日本", Value: []byte("日本")},
		{Key: prefix + strings.Repeat("long/", 50), Value: bytes.Repeat([]byte("x"), 300)},
		{Key: prefix + "largest", Value: bytes.Repeat([]byte("largest "), valueBytesMax/8)},
		{Key: prefix + "deleted"},
	} {
		_, err := client.KV().Put(&pair, nil)
		ok(t, err)
	}
	put(t, client, prefix+"text", []byte("changed"))
	_, err := client.KV().Delete(prefix+"deleted", nil)
	ok(t, err)
}

func TestWhatWasSavedComesBack(t *testing.T) {
	client := connect(t)
	blank(t, client)
	furnish(t, client, "go/")
	before, index := everything(t, client)

	archive, meta := save(t, client, nil)
	equal(t, "leader known", meta.KnownLeader, true)
	if meta.LastIndex < index {
		t.Errorf("saved at index %d after %d", meta.LastIndex, index)
	}
	wipe(t, client)
	put(t, client, "later", []byte("than the archive"))
	_, index = everything(t, client)

	ok(t, restore(client, archive))
	after, restored := everything(t, client)
	same(t, after, before)
	if restored <= index {
		t.Errorf("the index went from %d back to %d", index, restored)
	}
}

func TestAnArchiveIsWhatAGenuineServerWrites(t *testing.T) {
	client := connect(t)
	prefix := "go/"
	blank(t, client)
	furnish(t, client, prefix)
	pairs, _ := everything(t, client)

	archive, _ := save(t, client, nil)
	opened, err := open(archive)
	ok(t, err)
	equal(t, "version", opened.version, 1)
	equal(t, "voters", opened.voters, 1)
	id := fmt.Sprintf("%d-%d-", opened.term, opened.index)
	if !strings.HasPrefix(opened.id, id) {
		t.Errorf("id %q does not begin with %q", opened.id, id)
	}
	if opened.header.LastIndex == 0 || opened.header.LastIndex > opened.index {
		t.Errorf("last index %d, index %d", opened.header.LastIndex, opened.index)
	}
	var archived api.KVPairs
	for _, entry := range opened.entries(t) {
		pair := entry.pair()
		archived = append(archived, &pair)
	}
	same(t, archived, pairs)
	equal(t, "last record", opened.records[len(opened.records)-1].kind, kindChunking)
	isTombstone := func(record record) bool {
		return record.kind == kindTombstone && bytes.Contains(record.raw, []byte(prefix+"deleted"))
	}
	equal(t, "tombstone of the deleted key", slices.ContainsFunc(opened.records, isTombstone), true)
}

func TestALargeArchiveIsReadByAGenuineReader(t *testing.T) {
	client := connect(t)
	prefix := "go/"
	blank(t, client)
	random := rand.NewChaCha8([32]byte{})
	for i := range 24 {
		value := make([]byte, valueBytesMax)
		_, err := random.Read(value)
		ok(t, err)
		put(t, client, fmt.Sprintf("%s%02d", prefix, i), value)
	}
	before, _ := everything(t, client)
	archive, _ := save(t, client, nil)
	opened, err := open(archive)
	ok(t, err)
	equal(t, "entries", len(opened.entries(t)), len(before))

	wipe(t, client)
	ok(t, restore(client, archive))
	after, _ := everything(t, client)
	same(t, after, before)
}

func TestEqualStatesGiveEqualArchives(t *testing.T) {
	client := connect(t)
	blank(t, client)
	furnish(t, client, "go/")
	first, _ := save(t, client, nil)
	for _, options := range []*api.QueryOptions{nil, {AllowStale: true}, {Datacenter: "dc1"}} {
		again, _ := save(t, client, options)
		equal(t, fmt.Sprintf("equal with %+v", options), bytes.Equal(first, again), true)
	}
}

// One writer keeps two keys equal. An archive in which they differ is not of one point in time.
func TestAnArchiveIsOnePointInTime(t *testing.T) {
	client := connect(t)
	prefix := "go/"
	blank(t, client)
	write := func(i int) error {
		value := []byte(strconv.Itoa(i))
		_, _, _, err := client.KV().Txn(api.KVTxnOps{
			{Verb: api.KVSet, Key: prefix + "first", Value: value},
			{Verb: api.KVSet, Key: prefix + "last", Value: value},
		}, nil)
		return err
	}
	ok(t, write(0))
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if err := write(i); err != nil {
				stopped <- err
				return
			}
		}
	}()
	seen := map[string]bool{}
	for range 20 {
		archive, _ := save(t, client, nil)
		opened, err := open(archive)
		ok(t, err)
		values := map[string]string{}
		for _, entry := range opened.entries(t) {
			values[entry.Key] = string(entry.Value)
		}
		equal(t, "second key", values[prefix+"last"], values[prefix+"first"])
		seen[values[prefix+"first"]] = true
	}
	close(stop)
	ok(t, <-stopped)
	if len(seen) < 2 {
		t.Error("nothing was written while saving")
	}
}

func TestAnArchiveFromElsewhereIsRestored(t *testing.T) {
	client := connect(t)
	blank(t, client)
	entries := []entry{
		{Key: "elsewhere/a", Value: []byte("a"), CreateIndex: 5, ModifyIndex: 7, LockIndex: 2, Flags: 9},
		{Key: "elsewhere/b", CreateIndex: 6, ModifyIndex: 6},
	}
	bin := stateOf(t, 7, entries...)
	files := []member{metaFor(t, 7, bin), {"state.bin", bin}}
	_, index := everything(t, client)
	ok(t, restore(client, pack(t, append(files, sums(files...))...)))

	var want api.KVPairs
	for _, entry := range entries {
		pair := entry.pair()
		want = append(want, &pair)
	}
	got, restored := everything(t, client)
	same(t, got, want)
	if restored <= index {
		t.Errorf("the index went from %d back to %d", index, restored)
	}
}

func TestARestoreWakesWaitingQueries(t *testing.T) {
	client := connect(t)
	prefix := "go/"
	blank(t, client)
	put(t, client, prefix+"saved", nil)
	archive, _ := save(t, client, nil)
	put(t, client, prefix+"later", nil)
	pairs := wakes(t, client, prefix, func() { ok(t, restore(client, archive)) })
	equal(t, "entries", len(pairs), 1)
}

func TestARestoreCanBeUndoneAndRedone(t *testing.T) {
	client := connect(t)
	prefix := "go/"
	blank(t, client)
	put(t, client, prefix+"saved", nil)
	archive, _ := save(t, client, nil)
	saved, _ := everything(t, client)
	put(t, client, prefix+"later", []byte("than the archive"))
	later, index := everything(t, client)
	ok(t, restore(client, archive))

	for _, want := range []api.KVPairs{later, saved, later} {
		status, body := request(t, "POST", nativeURL("/v1/scopes/consul/undo"), nil)
		equal(t, "status of "+body, status, 200)
		pairs, undone := everything(t, client)
		same(t, pairs, want)
		if undone <= index {
			t.Errorf("the index went from %d back to %d", index, undone)
		}
		index = undone
	}
}

func TestSavingAndRestoringElsewhereIsRefused(t *testing.T) {
	client := connect(t)
	archive, _ := save(t, client, nil)
	_, _, err := client.Snapshot().Save(&api.QueryOptions{Datacenter: "nowhere"})
	refused(t, err, 500, "No path to datacenter")
	err = client.Snapshot().Restore(&api.WriteOptions{Datacenter: "nowhere"}, bytes.NewReader(archive))
	refused(t, err, 500, "No path to datacenter")
}

func TestAStaleRestoreIsRefused(t *testing.T) {
	archive, _ := save(t, connect(t), nil)
	status, body := request(t, "PUT", consulURL("/v1/snapshot?stale"), bytes.NewReader(archive))
	equal(t, "status", status, 500)
	equal(t, "body", body, "stale not allowed for restore")
}

// refusesAll insists that no archive is restored and that none changes anything; a text is part of the answer.
func refusesAll(t *testing.T, client *api.Client, damaged map[string][]byte, text func(name string) string) {
	t.Helper()
	before, index := everything(t, client)
	for name, archive := range damaged {
		t.Run(name, func(t *testing.T) {
			refused(t, restore(client, archive), 500, text(name))
			after, unchanged := everything(t, client)
			equal(t, "index", unchanged, index)
			same(t, after, before)
		})
	}
}

func TestADamagedArchiveIsRefusedInTheGenuineWords(t *testing.T) {
	client := connect(t)
	blank(t, client)
	furnish(t, client, "go/")
	archive, _ := save(t, client, nil)
	put(t, client, "go/later", []byte("than the archive"))

	bin := stateOf(t, 7, entry{Key: "never", CreateIndex: 7, ModifyIndex: 7})
	meta, whole := metaFor(t, 7, bin), member{"state.bin", bin}
	altered := member{"state.bin", bytes.Replace(bin, []byte("never"), []byte("ever "), 1)}
	checksum := slices.Clone(archive)
	checksum[len(checksum)-8] ^= 1

	damaged := map[string][]byte{
		"empty":            nil,
		"cut in header":    archive[:5],
		"no gzip":          []byte("no archive at all"),
		"cut in half":      archive[:len(archive)/2],
		"last byte cut":    archive[:len(archive)-1],
		"checksum altered": checksum,
		"bytes appended":   append(slices.Clone(archive), make([]byte, 16)...),
		"state altered":    pack(t, meta, altered, sums(meta, whole)),
		"state missing":    pack(t, meta, sums(meta, whole)),
		"meta missing":     pack(t, whole, sums(meta, whole)),
		"unexpected file":  pack(t, meta, whole, sums(meta, whole), member{"nope", nil}),
		"unexpected sum":   pack(t, meta, whole, sums(meta, whole, member{"nope", nil})),
	}
	refusesAll(t, client, damaged, func(name string) string {
		_, err := open(damaged[name])
		if err == nil {
			t.Fatalf("%s: the genuine reader accepts it", name)
		}
		return err.Error()
	})
}

// A genuine server looks at records only after it has given up its old state.
func TestAnArchiveWithUnreadableRecordsIsRefused(t *testing.T) {
	client := connect(t)
	blank(t, client)
	put(t, client, "go/kept", nil)

	bin := stateOf(t, 7, entry{Key: "never", CreateIndex: 7, ModifyIndex: 7})
	records := bin[len(encode(t, header{7})):]
	damaged := map[string][]byte{}
	for name, bin := range map[string][]byte{
		"no header":        nil,
		"record cut":       bin[:len(bin)-1],
		"type without any": append(slices.Clone(bin), kindKVS),
		"unknown type":     append(slices.Clone(bin), 63, 0xc0),
		"key twice":        append(slices.Clone(bin), records...),
	} {
		files := []member{metaFor(t, 7, bin), {"state.bin", bin}}
		damaged[name] = pack(t, append(files, sums(files...))...)
	}
	refusesAll(t, client, damaged, func(name string) string {
		if name == "unknown type" {
			return "63"
		}
		return ""
	})
}
