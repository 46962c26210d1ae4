// Nodes and services, and their health.
package clients

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// register registers a node of the test's own, gone after it, with a service of the same name.
func register(t *testing.T, client *api.Client, status string) string {
	t.Helper()
	name := "go-" + t.Name()
	_, err := client.Catalog().Register(&api.CatalogRegistration{
		Node:     name,
		Address:  "10.0.0.1",
		NodeMeta: map[string]string{"test": name},
		Service: &api.AgentService{
			ID: name, Service: name, Tags: []string{"blue"}, Port: 80, Meta: map[string]string{"Key": "Value"},
		},
		Checks: api.HealthChecks{{
			Node: name, CheckID: name, Name: "check", Status: status, ServiceID: name,
			Definition: api.HealthCheckDefinition{HTTP: "http://10.0.0.1", IntervalDuration: 10 * time.Second},
		}},
	}, nil)
	ok(t, err)
	t.Cleanup(func() {
		_, err := client.Catalog().Deregister(&api.CatalogDeregistration{Node: name}, nil)
		ok(t, err)
	})
	return name
}

func TestARegistrationIsFound(t *testing.T) {
	client := connect(t)
	name := register(t, client, api.HealthPassing)
	nodes, _, err := client.Catalog().Nodes(&api.QueryOptions{NodeMeta: map[string]string{"test": name}})
	ok(t, err)
	equal(t, "nodes", len(nodes), 1)
	equal(t, "node", nodes[0].Node, name)
	services, _, err := client.Catalog().Services(nil)
	ok(t, err)
	equal(t, "tags", len(services[name]), 1)
	instances, _, err := client.Catalog().Service(name, "BLUE", nil)
	ok(t, err)
	equal(t, "instances", len(instances), 1)
	equal(t, "port", instances[0].ServicePort, 80)
	equal(t, "meta", instances[0].ServiceMeta["Key"], "Value")
	node, _, err := client.Catalog().Node(name, nil)
	ok(t, err)
	equal(t, "services of the node", len(node.Services), 1)
	list, _, err := client.Catalog().NodeServiceList(name, nil)
	ok(t, err)
	equal(t, "list of services", len(list.Services), 1)
	absent, _, err := client.Catalog().Node("go-nowhere", nil)
	ok(t, err)
	if absent != nil {
		t.Errorf("got %+v", absent)
	}
}

func TestARegistrationThatLacksItsNodeIsRefused(t *testing.T) {
	_, err := connect(t).Catalog().Register(&api.CatalogRegistration{Address: "10.0.0.1"}, nil)
	refused(t, err, 500, "Must provide node")
}

func TestHealthIsWhatChecksSay(t *testing.T) {
	client := connect(t)
	name := register(t, client, api.HealthWarning)
	entries, _, err := client.Health().Service(name, "blue", false, nil)
	ok(t, err)
	equal(t, "instances", len(entries), 1)
	equal(t, "health", entries[0].Checks.AggregatedStatus(), api.HealthWarning)
	equal(t, "interval", entries[0].Checks[0].Definition.IntervalDuration, 10*time.Second)
	passing, _, err := client.Health().Service(name, "", true, nil)
	ok(t, err)
	equal(t, "passing instances", len(passing), 0)
	checks, _, err := client.Health().Checks(name, nil)
	ok(t, err)
	equal(t, "checks of the service", len(checks), 1)
	checks, _, err = client.Health().Node(name, nil)
	ok(t, err)
	equal(t, "checks of the node", len(checks), 1)
	checks, _, err = client.Health().State(api.HealthWarning, &api.QueryOptions{NodeMeta: map[string]string{"test": name}})
	ok(t, err)
	equal(t, "checks that warn", len(checks), 1)
}

func TestAListIsFiltered(t *testing.T) {
	client := connect(t)
	name := register(t, client, api.HealthPassing)
	nodes, _, err := client.Catalog().Nodes(&api.QueryOptions{Filter: "Node == \"" + name + "\""})
	ok(t, err)
	equal(t, "nodes of that name", len(nodes), 1)
	nodes, _, err = client.Catalog().Nodes(&api.QueryOptions{Filter: "Node == nobody"})
	ok(t, err)
	equal(t, "nodes of no name", len(nodes), 0)
	_, _, err = client.Catalog().Nodes(&api.QueryOptions{Filter: "Nothing == x"})
	refused(t, err, 500, "is not valid")
}

func TestAQueryOfHealthWaitsForAChange(t *testing.T) {
	client := connect(t)
	name := register(t, client, api.HealthPassing)
	_, meta, err := client.Health().Service(name, "", true, nil)
	ok(t, err)
	done := make(chan int)
	go func() {
		entries, _, err := client.Health().Service(name, "", true, &api.QueryOptions{WaitIndex: meta.LastIndex})
		if err != nil {
			t.Error(err)
		}
		done <- len(entries)
	}()
	_, err = client.Catalog().Register(&api.CatalogRegistration{
		Node: name, SkipNodeUpdate: true,
		Check: &api.AgentCheck{Node: name, CheckID: name, ServiceID: name, Status: api.HealthCritical},
	}, nil)
	ok(t, err)
	select {
	case instances := <-done:
		equal(t, "passing instances", instances, 0)
	case <-time.After(30 * time.Second):
		t.Error("the change went unnoticed")
	}
}

func TestATransactionChangesTheCatalog(t *testing.T) {
	client := connect(t)
	name := register(t, client, api.HealthPassing)
	done, answer, _, err := client.Txn().Txn(api.TxnOps{
		{Service: &api.ServiceTxnOp{Verb: api.ServiceSet, Node: name, Service: api.AgentService{ID: "go-db", Service: "go-db"}}},
		{Check: &api.CheckTxnOp{Verb: api.CheckGet, Check: api.HealthCheck{Node: name, CheckID: name}}},
		{Node: &api.NodeTxnOp{Verb: api.NodeSet, Node: api.Node{Node: name, Address: "10.0.0.2"}}},
	}, nil)
	ok(t, err)
	equal(t, "done", done, true)
	equal(t, "results", len(answer.Results), 3)
	equal(t, "service", answer.Results[0].Service.ID, "go-db")
	equal(t, "check", answer.Results[1].Check.CheckID, name)
	equal(t, "node", answer.Results[2].Node.Address, "10.0.0.2")
}
