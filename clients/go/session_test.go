// Sessions, and the locks that the client builds on them.
package clients

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// session begins one that ends with the test.
func session(t *testing.T, client *api.Client, entry *api.SessionEntry) string {
	t.Helper()
	id, _, err := client.Session().Create(entry, nil)
	ok(t, err)
	t.Cleanup(func() {
		_, err := client.Session().Destroy(id, nil)
		ok(t, err)
	})
	return id
}

func TestASessionIsListedUntilItIsDestroyed(t *testing.T) {
	client := connect(t)
	id := session(t, client, &api.SessionEntry{Name: "go", TTL: "30s", LockDelay: 5 * time.Second})
	entry, meta, err := client.Session().Info(id, nil)
	ok(t, err)
	equal(t, "name", entry.Name, "go")
	equal(t, "ttl", entry.TTL, "30s")
	equal(t, "lock delay", entry.LockDelay, 5*time.Second)
	equal(t, "behavior", entry.Behavior, api.SessionBehaviorRelease)
	if meta.LastIndex == 0 {
		t.Error("an index of 0 never blocks")
	}

	is := func(entry *api.SessionEntry) bool { return entry.ID == id }
	listed, _, err := client.Session().List(nil)
	ok(t, err)
	ofNode, _, err := client.Session().Node(entry.Node, nil)
	ok(t, err)
	equal(t, "listed", slices.ContainsFunc(listed, is), true)
	equal(t, "listed of its node", slices.ContainsFunc(ofNode, is), true)

	renewed, _, err := client.Session().Renew(id, nil)
	ok(t, err)
	equal(t, "renewed", renewed.ID, id)
	_, err = client.Session().Destroy(id, nil)
	ok(t, err)
	gone, _, err := client.Session().Info(id, nil)
	ok(t, err)
	if gone != nil {
		t.Errorf("got %+v", gone)
	}
	renewed, _, err = client.Session().Renew(id, nil)
	ok(t, err)
	if renewed != nil {
		t.Errorf("got %+v", renewed)
	}
}

func TestASessionThatCannotBeIsRefused(t *testing.T) {
	client := connect(t)
	_, _, err := client.Session().Create(&api.SessionEntry{TTL: "1s"}, nil)
	refused(t, err, 500, "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]")
	_, _, err = client.Session().Create(&api.SessionEntry{Node: "go-nowhere"}, nil)
	refused(t, err, 500, "apply failed: Missing node registration")
}

func TestALockIsHeldByOneAndPassedOn(t *testing.T) {
	client := connect(t)
	key := place(t, client) + "lock"
	lock := func() *api.Lock {
		id := session(t, client, &api.SessionEntry{LockDelay: time.Millisecond})
		lock, err := client.LockOpts(&api.LockOptions{Key: key, Session: id, LockTryOnce: true, LockWaitTime: time.Second})
		ok(t, err)
		return lock
	}
	one, other := lock(), lock()
	lost, err := one.Lock(nil)
	ok(t, err)
	if lost == nil {
		t.Fatal("a free lock was not taken")
	}
	contended, err := other.Lock(nil)
	ok(t, err)
	if contended != nil {
		t.Error("a lock is held by two")
	}
	ok(t, one.Unlock())
	taken, err := other.Lock(nil)
	ok(t, err)
	if taken == nil {
		t.Error("a lock that was let go was not taken")
	}
	ok(t, other.Unlock())
}

func TestALockMakesItsOwnSession(t *testing.T) {
	client := connect(t)
	lock, err := client.LockKey(place(t, client) + "lock")
	ok(t, err)
	held, err := lock.Lock(nil)
	ok(t, err)
	if held == nil {
		t.Fatal("a free lock was not taken")
	}
	ok(t, lock.Unlock())
	ok(t, lock.Destroy())
}

func TestALockIsLostWithItsSession(t *testing.T) {
	client := connect(t)
	id := session(t, client, nil)
	lock, err := client.LockOpts(&api.LockOptions{Key: place(t, client) + "lock", Session: id, MonitorRetries: 0})
	ok(t, err)
	lost, err := lock.Lock(nil)
	ok(t, err)
	_, err = client.Session().Destroy(id, nil)
	ok(t, err)
	select {
	case <-lost:
	case <-time.After(30 * time.Second):
		t.Error("the loss of a lock went unnoticed")
	}
}
