// Snapshots: saved by the client, which checks their digest, and restored by it.
package nomad

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func save(t *testing.T, client *api.Client, options *api.QueryOptions) []byte {
	t.Helper()
	body, err := client.Operator().Snapshot(options)
	ok(t, err)
	defer body.Close()
	// The last read fails unless the digest is the archive's.
	archive, err := io.ReadAll(body)
	ok(t, err)
	return archive
}

func restore(client *api.Client, archive []byte) error {
	_, err := client.Operator().SnapshotRestore(bytes.NewReader(archive), nil)
	return err
}

// kept brings back after the test what the server held before it.
func kept(t *testing.T, client *api.Client) {
	t.Helper()
	archive := save(t, client, nil)
	t.Cleanup(func() { ok(t, restore(client, archive)) })
}

func names(t *testing.T, client *api.Client) map[string]string {
	t.Helper()
	namespaces, _, err := client.Namespaces().List(nil)
	ok(t, err)
	found := map[string]string{}
	for _, namespace := range namespaces {
		found[namespace.Name] = namespace.Description
	}
	return found
}

func TestWhatWasSavedComesBack(t *testing.T) {
	client := connect(t)
	kept(t, client)
	namespace(t, client, "go-saved", "before")
	namespace(t, client, "go-deleted", "")
	before := names(t, client)
	_, meta, err := client.Namespaces().List(nil)
	ok(t, err)
	archive := save(t, client, nil)

	namespace(t, client, "go-saved", "after")
	namespace(t, client, "go-later", "than the archive")
	_, err = client.Namespaces().Delete("go-deleted", nil)
	ok(t, err)

	ok(t, restore(client, archive))
	if after := names(t, client); !maps.Equal(after, before) {
		t.Errorf("got %v, want %v", after, before)
	}
	_, restored, err := client.Namespaces().List(nil)
	ok(t, err)
	if restored.LastIndex <= meta.LastIndex {
		t.Errorf("the index went from %d to %d", meta.LastIndex, restored.LastIndex)
	}
}

func TestEqualStatesGiveEqualArchives(t *testing.T) {
	client := connect(t)
	first := save(t, client, nil)
	equal(t, "equal if stale", bytes.Equal(first, save(t, client, &api.QueryOptions{AllowStale: true})), true)
	equal(t, "equal by region", bytes.Equal(first, save(t, client, &api.QueryOptions{Region: "global"})), true)
}

func TestAnotherRegionIsRefused(t *testing.T) {
	client := connect(t)
	_, err := client.Operator().Snapshot(&api.QueryOptions{Region: "nowhere"})
	refused(t, err, 500, "No path to region")
	_, err = client.Operator().SnapshotRestore(bytes.NewReader(nil), &api.WriteOptions{Region: "nowhere"})
	refused(t, err, 500, "No path to region")
}

func TestADamagedArchiveIsRefusedAndChangesNothing(t *testing.T) {
	client := connect(t)
	archive := save(t, client, nil)
	before := names(t, client)
	altered := bytes.Clone(archive)
	altered[len(altered)-8] ^= 1
	for name, damaged := range map[string][]byte{
		"empty":            nil,
		"no gzip":          []byte("no archive at all"),
		"cut in half":      archive[:len(archive)/2],
		"last byte cut":    archive[:len(archive)-1],
		"checksum altered": altered,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, restore(client, damaged), 500, "failed to restore from snapshot: ")
			if after := names(t, client); !maps.Equal(after, before) {
				t.Errorf("got %v, want %v", after, before)
			}
		})
	}
}

// Both ways: each product's port refuses the other's archives, in words.
func TestAnArchiveOfConsulIsRefused(t *testing.T) {
	client := connect(t)
	before := names(t, client)
	snapshots := "http://" + server.consul + "/v1/snapshot"
	response, err := http.Get(snapshots)
	ok(t, err)
	defer response.Body.Close()
	ofConsul, err := io.ReadAll(response.Body)
	ok(t, err)
	refused(t, restore(client, ofConsul), 500, "this is a snapshot of Consul, not of Nomad")
	if after := names(t, client); !maps.Equal(after, before) {
		t.Errorf("got %v, want %v", after, before)
	}

	request, err := http.NewRequest("PUT", snapshots, bytes.NewReader(save(t, client, nil)))
	ok(t, err)
	response, err = http.DefaultClient.Do(request)
	ok(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ok(t, err)
	if response.StatusCode < 400 || !bytes.Contains(text, []byte("this is a snapshot of Nomad, not of Consul")) {
		t.Errorf("status %d with %q", response.StatusCode, text)
	}
}
