// Archives as genuine programs see them: container and sums are checked by Consul's own `snapshot` package,
// records are decoded by Consul's own codec (`hashicorp/consul:agent/consul/fsm/fsm.go`, ReadSnapshot).
package clients

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"testing"

	"github.com/hashicorp/consul-net-rpc/go-msgpack/codec"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/snapshot"
	"github.com/hashicorp/go-hclog"
)

// Record types (`hashicorp/consul:agent/structs/structs.go`).
const (
	kindKVS       = 2
	kindTombstone = 5
	kindChunking  = 29
)

// The codec as Consul sets it up (`hashicorp/consul:agent/structs/structs.go`, MsgpackHandle).
var handle = &codec.MsgpackHandle{
	RawToString: true,
	BasicHandle: codec.BasicHandle{DecodeOptions: codec.DecodeOptions{
		MapType: reflect.TypeOf(map[string]any{}),
	}},
}

// header precedes the records.
type header struct {
	LastIndex uint64
}

// entry has the fields of `hashicorp/consul:agent/structs/structs.go`, DirEntry.
type entry struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte
	Session     string
	CreateIndex uint64
	ModifyIndex uint64
}

func (e entry) pair() api.KVPair {
	return api.KVPair{
		Key: e.Key, CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex, LockIndex: e.LockIndex,
		Flags: e.Flags, Value: e.Value, Session: e.Session,
	}
}

// record is one record of an archive's state.
type record struct {
	kind byte
	raw  []byte
}

// state is what an archive holds: of its meta.json what tests ask for, and all of its state.bin.
type state struct {
	version     int
	id          string
	index, term uint64
	voters      int
	header      header
	records     []record
}

// open reads an archive completely; the error is that of the genuine reader.
func open(archive []byte) (state, error) {
	file, read, err := snapshot.Read(hclog.NewNullLogger(), bytes.NewReader(archive))
	if err != nil {
		return state{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	bin, err := io.ReadAll(file)
	if err != nil {
		return state{}, err
	}
	if int64(len(bin)) != read.Size {
		return state{}, fmt.Errorf("state.bin has %d bytes, meta.json says %d", len(bin), read.Size)
	}
	opened := state{
		version: int(read.Version), id: read.ID, index: read.Index, term: read.Term,
		voters: len(read.Configuration.Servers),
	}
	err = opened.decode(bin)
	return opened, err
}

func (s *state) decode(bin []byte) error {
	reader := bytes.NewReader(bin)
	decoder := codec.NewDecoder(reader, handle)
	if err := decoder.Decode(&s.header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for {
		kind, err := reader.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		start := len(bin) - reader.Len()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("record of type %d at byte %d: %w", kind, start, err)
		}
		s.records = append(s.records, record{kind, bin[start : len(bin)-reader.Len()]})
	}
}

// entries are the keys in an archive, in their order in it. Each is encoded again to prove that no byte
// differs from what a genuine server writes.
func (s *state) entries(t *testing.T) []entry {
	t.Helper()
	var entries []entry
	for _, record := range s.records {
		if record.kind != kindKVS {
			continue
		}
		var decoded entry
		ok(t, codec.NewDecoderBytes(record.raw, handle).Decode(&decoded))
		if again := encode(t, decoded); !bytes.Equal(again, record.raw) {
			t.Errorf("%q is encoded as\n%x, by a genuine server as\n%x", decoded.Key, record.raw, again)
		}
		entries = append(entries, decoded)
	}
	return entries
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var raw []byte
	ok(t, codec.NewEncoderBytes(&raw, handle).Encode(value))
	return raw
}

// member is one file of an archive.
type member struct {
	name    string
	content []byte
}

// pack makes an archive of any files, as a genuine server would of the right ones.
func pack(t *testing.T, members ...member) []byte {
	t.Helper()
	var archive bytes.Buffer
	compressor := gzip.NewWriter(&archive)
	container := tar.NewWriter(compressor)
	for _, member := range members {
		ok(t, container.WriteHeader(&tar.Header{Name: member.name, Mode: 0o600, Size: int64(len(member.content))}))
		_, err := container.Write(member.content)
		ok(t, err)
	}
	ok(t, container.Close())
	ok(t, compressor.Close())
	return archive.Bytes()
}

// sums is the SHA256SUMS of the files.
func sums(members ...member) member {
	var text bytes.Buffer
	for _, member := range members {
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(member.content), member.name)
	}
	return member{"SHA256SUMS", text.Bytes()}
}

// metaFor is the meta.json of a server whose raft index was that.
func metaFor(t *testing.T, index uint64, bin []byte) member {
	t.Helper()
	content, err := json.Marshal(map[string]any{
		"Version": 1, "ID": fmt.Sprintf("2-%d-1700000000000", index), "Index": index, "Term": 2, "Peers": nil,
		"Configuration":      map[string]any{"Servers": nil},
		"ConfigurationIndex": 1,
		"Size":               len(bin),
	})
	ok(t, err)
	return member{"meta.json", append(content, '\n')}
}

// stateOf is a state.bin with these entries.
func stateOf(t *testing.T, index uint64, entries ...entry) []byte {
	t.Helper()
	bin := encode(t, header{index})
	for _, entry := range entries {
		bin = append(append(bin, kindKVS), encode(t, entry)...)
	}
	return append(append(bin, kindChunking), encode(t, map[string]any{"ChunkMap": map[uint64]any{}})...)
}
