// Jobs as state: registered, read, changed, stopped, purged, and brought back by a restore. Nothing is placed.
package nomad

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

func job(id string, priority int) *api.Job {
	task := api.NewTask("task", "exec").SetConfig("command", "/bin/true")
	group := api.NewTaskGroup("group", 1).AddTask(task)
	return api.NewServiceJob(id, id, "global", priority).AddDatacenter("dc1").AddTaskGroup(group)
}

// register creates or changes a job, which ends with the test.
func register(t *testing.T, client *api.Client, job *api.Job) *api.JobRegisterResponse {
	t.Helper()
	answer, _, err := client.Jobs().Register(job, nil)
	ok(t, err)
	t.Cleanup(func() { client.Jobs().Deregister(*job.ID, true, nil) })
	return answer
}

func TestAJobIsRegisteredReadStoppedAndPurged(t *testing.T) {
	client := connect(t)
	registered := register(t, client, job("go-job", 50))
	found, _, err := client.Jobs().Info("go-job", nil)
	ok(t, err)
	equal(t, "modify index", *found.JobModifyIndex, registered.JobModifyIndex)
	equal(t, "version", *found.Version, 0)
	equal(t, "task", found.TaskGroups[0].Tasks[0].Config["command"].(string), "/bin/true")

	register(t, client, job("go-job", 70))
	changed, _, err := client.Jobs().Info("go-job", nil)
	ok(t, err)
	equal(t, "priority", *changed.Priority, 70)
	equal(t, "version", *changed.Version, 1)
	versions, _, _, err := client.Jobs().Versions("go-job", false, nil)
	ok(t, err)
	equal(t, "versions", len(versions), 2)
	stubs, _, err := client.Jobs().PrefixList("go-job")
	ok(t, err)
	equal(t, "listed", len(stubs), 1)

	_, _, err = client.Jobs().Deregister("go-job", false, nil)
	ok(t, err)
	stopped, _, err := client.Jobs().Info("go-job", nil)
	ok(t, err)
	equal(t, "stopped", *stopped.Stop, true)
	_, _, err = client.Jobs().Deregister("go-job", true, nil)
	ok(t, err)
	_, _, err = client.Jobs().Info("go-job", nil)
	refused(t, err, 404, "job not found")
}

func TestAnEnforcedIndexIsCompared(t *testing.T) {
	client := connect(t)
	first := register(t, client, job("go-enforced", 50))
	_, _, err := client.Jobs().EnforceRegister(job("go-enforced", 60), first.JobModifyIndex+1, nil)
	refused(t, err, 500, "Enforcing job modify index")
	_, _, err = client.Jobs().EnforceRegister(job("go-enforced", 60), first.JobModifyIndex, nil)
	ok(t, err)
}

// Whoever waits for an evaluation has to be told that there is none.
func TestNothingIsPlaced(t *testing.T) {
	client := connect(t)
	register(t, client, job("go-placed", 50))
	allocations, _, err := client.Jobs().Allocations("go-placed", true, nil)
	ok(t, err)
	equal(t, "allocations", len(allocations), 0)
	found, _, err := client.Jobs().Info("go-placed", nil)
	ok(t, err)
	equal(t, "status", *found.Status, "pending")
	if *found.StatusDescription == "" {
		t.Error("the job's status does not say that nothing will be placed")
	}
}

func TestARestoreBringsBackJobs(t *testing.T) {
	client := connect(t)
	kept(t, client)
	register(t, client, job("go-saved", 50))
	before, _, err := client.Jobs().Info("go-saved", nil)
	ok(t, err)
	archive := save(t, client, nil)
	register(t, client, job("go-saved", 60))
	register(t, client, job("go-later", 60))

	ok(t, restore(client, archive))
	after, _, err := client.Jobs().Info("go-saved", nil)
	ok(t, err)
	equal(t, "priority", *after.Priority, *before.Priority)
	equal(t, "modify index", *after.JobModifyIndex, *before.JobModifyIndex)
	_, _, err = client.Jobs().Info("go-later", nil)
	refused(t, err, 404, "job not found")
}
