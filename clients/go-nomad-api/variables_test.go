// Variables: written, compared and swapped, locked, and brought back by a restore with their values.
package nomad

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// variable writes one, which ends with the test.
func variable(t *testing.T, client *api.Client, path string, items api.VariableItems) *api.Variable {
	t.Helper()
	written, _, err := client.Variables().Update(&api.Variable{Path: path, Items: items}, nil)
	ok(t, err)
	t.Cleanup(func() { client.Variables().Delete(path, nil) })
	return written
}

// conflicts insists that a change was refused for what is there.
func conflicts(t *testing.T, err error, index uint64) {
	t.Helper()
	var conflict api.ErrCASConflict
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	equal(t, "index of the conflicting variable", conflict.Conflict.ModifyIndex, index)
}

func TestAVariableIsWrittenReadListedAndDeleted(t *testing.T) {
	client := connect(t)
	written := variable(t, client, "go/variable", api.VariableItems{"user": "a", "<&>": "ü"})
	read, meta, err := client.Variables().Read("go/variable", nil)
	ok(t, err)
	equal(t, "user", read.Items["user"], "a")
	equal(t, "odd name", read.Items["<&>"], "ü")
	equal(t, "namespace", read.Namespace, "default")
	equal(t, "modify index", read.ModifyIndex, written.ModifyIndex)
	if meta.LastIndex < read.ModifyIndex || read.CreateTime == 0 || read.ModifyTime < read.CreateTime {
		t.Errorf("index %d, %+v", meta.LastIndex, read)
	}
	variable(t, client, "go/other", api.VariableItems{"k": "v"})
	list, _, err := client.Variables().PrefixList("go/", nil)
	ok(t, err)
	equal(t, "listed", len(list), 2)
	equal(t, "first", list[0].Path, "go/other")

	_, err = client.Variables().Delete("go/variable", nil)
	ok(t, err)
	_, _, err = client.Variables().Read("go/variable", nil)
	if !errors.Is(err, api.ErrVariablePathNotFound) {
		t.Errorf("got %v, want that it is not found", err)
	}
}

func TestCasWritesOnlyOverWhatWasSeen(t *testing.T) {
	client := connect(t)
	t.Cleanup(func() { client.Variables().Delete("go/cas", nil) })
	first, _, err := client.Variables().CheckedCreate(&api.Variable{Path: "go/cas", Items: api.VariableItems{"k": "1"}}, nil)
	ok(t, err)
	_, _, err = client.Variables().CheckedCreate(&api.Variable{Path: "go/cas", Items: api.VariableItems{"k": "2"}}, nil)
	conflicts(t, err, first.ModifyIndex)

	first.Items["k"] = "3"
	second, _, err := client.Variables().CheckedUpdate(first, nil)
	ok(t, err)
	_, _, err = client.Variables().CheckedUpdate(first, nil)
	conflicts(t, err, second.ModifyIndex)
	_, err = client.Variables().CheckedDelete("go/cas", first.ModifyIndex, nil)
	conflicts(t, err, second.ModifyIndex)
	_, err = client.Variables().CheckedDelete("go/cas", second.ModifyIndex, nil)
	ok(t, err)
}

func TestALockedVariableIsItsHoldersAlone(t *testing.T) {
	client := connect(t)
	variable(t, client, "go/lock", api.VariableItems{"k": "before"})
	asked := &api.Variable{
		Path:  "go/lock",
		Items: api.VariableItems{"k": "held"},
		Lock:  &api.VariableLock{TTL: "30s", LockDelay: "1s"},
	}
	held, _, err := client.Variables().AcquireLock(asked, nil)
	ok(t, err)
	if held.LockID() == "" {
		t.Fatalf("it has no lock: %+v", held)
	}
	_, _, err = client.Variables().AcquireLock(asked, nil)
	refused(t, err, 409, "")
	_, _, err = client.Variables().CheckedUpdate(&api.Variable{Path: "go/lock", Items: api.VariableItems{"k": "stolen"}, ModifyIndex: held.ModifyIndex}, nil)
	// Others are not told what the holder's variable is like.
	conflicts(t, err, 0)

	// The lock's times are for acquiring it alone.
	lock := &api.VariableLock{ID: held.LockID()}
	_, _, err = client.Variables().RenewLock(&api.Variable{Path: "go/lock", Lock: lock}, nil)
	ok(t, err)
	_, _, err = client.Variables().Update(&api.Variable{Path: "go/lock", Items: api.VariableItems{"k": "holder's"}, Lock: lock}, nil)
	ok(t, err)
	_, _, err = client.Variables().ReleaseLock(&api.Variable{Path: "go/lock", Lock: lock}, nil)
	ok(t, err)
	read, _, err := client.Variables().Read("go/lock", nil)
	ok(t, err)
	equal(t, "lock", read.LockID(), "")
}

func TestWhatIsNoVariableIsRefused(t *testing.T) {
	client := connect(t)
	write := func(path string, items api.VariableItems) error {
		_, _, err := client.Variables().Create(&api.Variable{Path: path, Items: items}, nil)
		return err
	}
	refused(t, write("go/large", api.VariableItems{"k": strings.Repeat("x", 65_536)}), 400, "variables are limited to 64KiB in total size")
	refused(t, write("go/empty", nil), 400, "variable missing required Items object")
	refused(t, write("go/no.such.path", api.VariableItems{"k": "v"}), 400, "")
}

func TestARestoreBringsBackTheValuesOfVariables(t *testing.T) {
	client := connect(t)
	kept(t, client)
	namespace(t, client, "go-variables", "")
	query, write := within("go-variables")
	value := api.VariableItems{"password": "before"}
	_, _, err := client.Variables().Update(&api.Variable{Path: "app", Items: value}, write)
	ok(t, err)
	archive := save(t, client, nil)
	if strings.Contains(string(archive), "before") {
		t.Error("the archive holds the value in clear")
	}

	value["password"] = "after"
	_, _, err = client.Variables().Update(&api.Variable{Path: "app", Items: value}, write)
	ok(t, err)
	ok(t, restore(client, archive))
	read, _, err := client.Variables().Read("app", query)
	ok(t, err)
	equal(t, "password", read.Items["password"], "before")
	list, _, err := client.Variables().List(&api.QueryOptions{Namespace: "*"})
	ok(t, err)
	if len(list) == 0 {
		t.Error("the namespace * lists nothing")
	}
}
