// An archive with the types that only older servers wrote and that a current one still reads, to drop most of them.
package main

import (
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/nomad/nomad"
	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/raft"
)

// written is a record about to be written.
type written struct {
	kind  nomad.SnapshotType
	value any
}

func legacy() ([]byte, error) {
	return pack(scripted{
		{nomad.TimeTableSnapshot, []nomad.TimeTableEntry{{Index: 300, Time: moment}, {Index: 200, Time: moment}}},
		{nomad.VaultAccessorSnapshot, full[structs.VaultAccessor]()},
		{nomad.ServiceIdentityTokenAccessorSnapshot, full[structs.SITokenAccessor]()},
		{nomad.RootKeyMetaSnapshot, full[structs.RootKeyMeta]()},
		{nomad.NamespaceSnapshot, &structs.Namespace{Name: "default"}},
	})
}

// scripted is a state machine that has nothing but a snapshot.
type scripted []written

func (s scripted) Apply(*raft.Log) any                 { return nil }
func (s scripted) Restore(state io.ReadCloser) error   { return state.Close() }
func (s scripted) Snapshot() (raft.FSMSnapshot, error) { return s, nil }
func (s scripted) Release()                            {}
func (s scripted) Persist(sink raft.SnapshotSink) error {
	encoder := codec.NewEncoder(sink, structs.MsgpackHandle)
	if err := encoder.Encode(&nomad.SnapshotHeader{}); err != nil {
		return err
	}
	for _, record := range s {
		if _, err := sink.Write([]byte{byte(record.kind)}); err != nil {
			return err
		}
		if err := encoder.Encode(record.value); err != nil {
			return err
		}
	}
	return nil
}
