// Transactions: every verb of keys, and that a refused transaction leaves nothing.
package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

func transact(t *testing.T, client *api.Client, ops ...*api.KVTxnOp) (bool, *api.KVTxnResponse) {
	t.Helper()
	done, response, _, err := client.KV().Txn(ops, nil)
	ok(t, err)
	return done, response
}

func TestATransactionChangesAndReads(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	put(t, client, prefix+"old", []byte("old"))
	put(t, client, prefix+"tree/a", nil)
	put(t, client, prefix+"seen", []byte("seen"))
	put(t, client, prefix+"doomed", nil)
	seen, doomed := get(t, client, prefix+"seen").ModifyIndex, get(t, client, prefix+"doomed").ModifyIndex

	done, response := transact(t, client,
		&api.KVTxnOp{Verb: api.KVSet, Key: prefix + "new", Value: []byte("new"), Flags: 3},
		&api.KVTxnOp{Verb: api.KVGet, Key: prefix + "new"},
		&api.KVTxnOp{Verb: api.KVDelete, Key: prefix + "old"},
		&api.KVTxnOp{Verb: api.KVDeleteTree, Key: prefix + "tree/"},
		&api.KVTxnOp{Verb: api.KVCheckIndex, Key: prefix + "seen", Index: seen},
		&api.KVTxnOp{Verb: api.KVCAS, Key: prefix + "seen", Index: seen, Value: []byte("changed")},
		&api.KVTxnOp{Verb: api.KVDeleteCAS, Key: prefix + "doomed", Index: doomed},
		&api.KVTxnOp{Verb: api.KVCheckNotExists, Key: prefix + "old"},
		&api.KVTxnOp{Verb: api.KVGetTree, Key: prefix},
	)
	if !done {
		t.Fatalf("refused: %+v", response.Errors)
	}
	var results []string
	for _, pair := range response.Results {
		results = append(results, strings.TrimPrefix(pair.Key, prefix)+"="+string(pair.Value))
	}
	// Only reads answer with values; deletes and checks of absence with nothing.
	want := "new= new=new seen= seen= new=new seen=changed"
	equal(t, "results", strings.Join(results, " "), want)
	equal(t, "flags", get(t, client, prefix+"new").Flags, 3)
}

func TestReadingWhatIsAbsentMayBeAllowed(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "absent"
	done, response := transact(t, client, &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: key})
	equal(t, "done", done, true)
	equal(t, "results", len(response.Results), 1)
	equal(t, "key", response.Results[0].Key, key)
}

func TestARefusedTransactionLeavesNothing(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	taken, absent := prefix+"taken", prefix+"absent"
	put(t, client, taken, []byte("kept"))
	index := get(t, client, taken).ModifyIndex
	stale := index - 1
	session := "9d7b6a53-1c0e-4d0f-8b4f-0a8f6c1d2e3f"

	for _, attempt := range []struct {
		op   api.KVTxnOp
		what string
	}{
		{api.KVTxnOp{Verb: api.KVCheckNotExists, Key: taken}, fmt.Sprintf("key %q exists", taken)},
		{api.KVTxnOp{Verb: api.KVGet, Key: absent}, fmt.Sprintf("key %q doesn't exist", absent)},
		{
			api.KVTxnOp{Verb: api.KVCAS, Key: taken, Index: stale},
			fmt.Sprintf("failed to set key %q, index is stale", taken),
		},
		{
			api.KVTxnOp{Verb: api.KVDeleteCAS, Key: taken, Index: stale},
			fmt.Sprintf("failed to delete key %q, index is stale", taken),
		},
		{
			api.KVTxnOp{Verb: api.KVCheckIndex, Key: taken, Index: stale},
			fmt.Sprintf("failed index check for key %q, current modify index %d != %d", taken, index, stale),
		},
		{
			api.KVTxnOp{Verb: api.KVCheckSession, Key: taken, Session: session},
			fmt.Sprintf("failed session check for key %q, current session %q != %q", taken, "", session),
		},
		{api.KVTxnOp{Verb: api.KVLock, Key: taken, Session: session}, fmt.Sprintf("invalid session %q", session)},
		{api.KVTxnOp{Verb: "invent", Key: taken}, `unknown KV operation: invent`},
	} {
		done, response := transact(t, client,
			&api.KVTxnOp{Verb: api.KVSet, Key: prefix + "new", Value: []byte("new")},
			&attempt.op,
			&api.KVTxnOp{Verb: api.KVDelete, Key: taken},
		)
		if done || len(response.Errors) != 1 {
			t.Errorf("%s: got %+v", attempt.what, response)
			continue
		}
		equal(t, "operation", response.Errors[0].OpIndex, 1)
		equal(t, "what", response.Errors[0].What, attempt.what)
		if pair := get(t, client, prefix+"new"); pair != nil {
			t.Errorf("%s: left %+v", attempt.what, pair)
		}
		pair := get(t, client, taken)
		if pair == nil || pair.ModifyIndex != index {
			t.Fatalf("%s: changed the entry to %+v", attempt.what, pair)
		}
	}
}

func TestATransactionOfTooManyOperationsIsRefused(t *testing.T) {
	client := connect(t)
	prefix := place(t, client)
	var ops api.KVTxnOps
	for i := range 129 {
		ops = append(ops, &api.KVTxnOp{Verb: api.KVSet, Key: fmt.Sprintf("%s%03d", prefix, i)})
	}
	done, _ := transact(t, client, ops[:128]...)
	equal(t, "128 operations", done, true)
	_, _, _, err := client.KV().Txn(ops, nil)
	if err == nil || !strings.Contains(err.Error(), "too many operations (129 > 128)") {
		t.Errorf("got %v", err)
	}
}
