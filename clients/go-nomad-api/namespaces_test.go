// Namespaces, and what the server says of itself.
package nomad

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// namespace creates or changes one, which ends with the test.
func namespace(t *testing.T, client *api.Client, name, description string) {
	t.Helper()
	_, err := client.Namespaces().Register(&api.Namespace{Name: name, Description: description}, nil)
	ok(t, err)
	t.Cleanup(func() { client.Namespaces().Delete(name, nil) })
}

func TestANamespaceIsWrittenReadAndDeleted(t *testing.T) {
	client := connect(t)
	meta := map[string]string{"team": "a"}
	written := &api.Namespace{Name: "go-namespace", Description: "first", Meta: meta}
	_, err := client.Namespaces().Register(written, nil)
	ok(t, err)
	found, query, err := client.Namespaces().Info("go-namespace", nil)
	ok(t, err)
	equal(t, "description", found.Description, "first")
	equal(t, "meta", found.Meta["team"], "a")
	equal(t, "index", query.LastIndex, found.ModifyIndex)

	namespace(t, client, "go-namespace", "second")
	changed, _, err := client.Namespaces().Info("go-namespace", nil)
	ok(t, err)
	equal(t, "description", changed.Description, "second")
	equal(t, "create index", changed.CreateIndex, found.CreateIndex)
	if changed.ModifyIndex <= found.ModifyIndex {
		t.Errorf("the index went from %d to %d", found.ModifyIndex, changed.ModifyIndex)
	}
	list, _, err := client.Namespaces().PrefixList("go-name", nil)
	ok(t, err)
	equal(t, "found by prefix", len(list), 1)

	_, err = client.Namespaces().Delete("go-namespace", nil)
	ok(t, err)
	_, _, err = client.Namespaces().Info("go-namespace", nil)
	refused(t, err, 404, "Namespace not found")
}

func TestTheDefaultNamespaceIsAlwaysThere(t *testing.T) {
	client := connect(t)
	_, _, err := client.Namespaces().Info("default", nil)
	ok(t, err)
	_, err = client.Namespaces().Delete("default", nil)
	refused(t, err, 500, "can not delete default namespace")
	_, err = client.Namespaces().Register(&api.Namespace{Name: "no such name"}, nil)
	refused(t, err, 500, "invalid name")
}

func TestAQueryWaitsUntilItsThingChanges(t *testing.T) {
	client := connect(t)
	namespace(t, client, "go-waiting", "before")
	_, meta, err := client.Namespaces().Info("go-waiting", nil)
	ok(t, err)
	type answer struct {
		namespace *api.Namespace
		err       error
	}
	answered := make(chan answer, 1)
	go func() {
		options := &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Minute}
		found, _, err := client.Namespaces().Info("go-waiting", options)
		answered <- answer{found, err}
	}()
	namespace(t, client, "go-waiting", "after")
	select {
	case got := <-answered:
		ok(t, got.err)
		equal(t, "description", got.namespace.Description, "after")
	case <-time.After(20 * time.Second):
		t.Fatal("the change did not end the wait")
	}
}

func TestTheServerTellsWhoItIs(t *testing.T) {
	client := connect(t)
	leader, err := client.Status().Leader()
	ok(t, err)
	peers, err := client.Status().Peers()
	ok(t, err)
	equal(t, "the leader is a peer", slices.Contains(peers, leader), true)
	regions, err := client.Regions().List()
	ok(t, err)
	equal(t, "regions", len(regions), 1)
	self, err := client.Agent().Self()
	ok(t, err)
	equal(t, "region", self.Member.Tags["region"], regions[0])
	configuration, err := client.Operator().RaftGetConfiguration(nil)
	ok(t, err)
	equal(t, "servers", len(configuration.Servers), len(peers))
}
