// What changes of a job otherwise than by a registration: scaling, versions, tags, children.
package nomad

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func pointer[T any](value T) *T { return &value }

func TestAGroupIsScaledWithinItsPolicy(t *testing.T) {
	client := connect(t)
	scaled := job("go-scaled", 50)
	scaled.TaskGroups[0].Count = pointer(2)
	scaled.TaskGroups[0].Scaling = &api.ScalingPolicy{Min: pointer[int64](1), Max: pointer[int64](4)}
	register(t, client, scaled)
	policies, _, err := client.Scaling().ListPolicies(&api.QueryOptions{Params: map[string]string{"job": "go-scaled"}})
	ok(t, err)
	equal(t, "policies", len(policies), 1)
	policy, _, err := client.Scaling().GetPolicy(policies[0].ID, nil)
	ok(t, err)
	equal(t, "maximum", *policy.Max, 4)
	_, _, err = client.Jobs().Scale("go-scaled", "group", pointer(3), "more", false, nil, nil)
	ok(t, err)
	status, _, err := client.Jobs().ScaleStatus("go-scaled", nil)
	ok(t, err)
	equal(t, "desired", status.TaskGroups["group"].Desired, 3)
	equal(t, "event", status.TaskGroups["group"].Events[0].Message, "more")
	_, _, err = client.Jobs().Scale("go-scaled", "group", pointer(9), "", false, nil, nil)
	refused(t, err, 400, "greater than scaling policy maximum")
}

func TestAVersionIsTaggedAndRevertedTo(t *testing.T) {
	client := connect(t)
	register(t, client, job("go-reverted", 50))
	register(t, client, job("go-reverted", 60))
	_, err := client.Jobs().TagVersion("go-reverted", 0, "first", "the first one", nil)
	ok(t, err)
	_, _, err = client.Jobs().Stable("go-reverted", 0, true, nil)
	ok(t, err)
	_, _, err = client.Jobs().Revert("go-reverted", 0, pointer[uint64](1), nil, "", "")
	ok(t, err)
	found, _, err := client.Jobs().Info("go-reverted", nil)
	ok(t, err)
	equal(t, "version", *found.Version, 2)
	equal(t, "priority", *found.Priority, 50)
	versions, _, _, err := client.Jobs().Versions("go-reverted", false, nil)
	ok(t, err)
	equal(t, "tag", versions[2].VersionTag.Name, "first")
	equal(t, "stable", *versions[2].Stable, true)
	_, err = client.Jobs().UntagVersion("go-reverted", "first", nil)
	ok(t, err)
}

func TestAJobIsDispatched(t *testing.T) {
	client := connect(t)
	asked := job("go-dispatched", 50)
	asked.Type, asked.ParameterizedJob = pointer("batch"), &api.ParameterizedJobConfig{MetaOptional: []string{"who"}}
	register(t, client, asked)
	answer, _, err := client.Jobs().Dispatch("go-dispatched", map[string]string{"who": "me"}, []byte("payload"), "", nil)
	ok(t, err)
	t.Cleanup(func() { client.Jobs().Deregister(answer.DispatchedJobID, true, nil) })
	equal(t, "prefix", strings.HasPrefix(answer.DispatchedJobID, "go-dispatched/dispatch-"), true)
	child, _, err := client.Jobs().Info(answer.DispatchedJobID, nil)
	ok(t, err)
	equal(t, "payload", string(child.Payload), "payload")
	summary, _, err := client.Jobs().Summary("go-dispatched", nil)
	ok(t, err)
	equal(t, "pending children", summary.Children.Pending, 1)
}

func TestAJobIsValidated(t *testing.T) {
	client := connect(t)
	wrong := job("go validated", 50)
	found, _, err := client.Jobs().Validate(wrong, nil)
	ok(t, err)
	equal(t, "errors", len(found.ValidationErrors), 1)
	equal(t, "error", found.ValidationErrors[0], "Job ID contains a space")
}

func TestConnectBringsItsSidecar(t *testing.T) {
	client := connect(t)
	connected := job("go-connected", 50)
	connected.TaskGroups[0].Networks = []*api.NetworkResource{{Mode: "bridge"}}
	connected.TaskGroups[0].Services = []*api.Service{{
		Name: "api", PortLabel: "9001", Connect: &api.ConsulConnect{SidecarService: &api.ConsulSidecarService{}},
	}}
	register(t, client, connected)
	found, _, err := client.Jobs().Info("go-connected", nil)
	ok(t, err)
	equal(t, "sidecar", found.TaskGroups[0].Tasks[1].Name, "connect-proxy-api")
}
