// Who serves: what clients and tools ask before they do anything else.
package clients

import (
	"net"
	"slices"
	"testing"
)

func TestTheLeaderIsAmongThePeers(t *testing.T) {
	client := connect(t)
	leader, err := client.Status().Leader()
	ok(t, err)
	if _, _, err := net.SplitHostPort(leader); err != nil {
		t.Errorf("leader: %v", err)
	}
	peers, err := client.Status().Peers()
	ok(t, err)
	if !slices.Contains(peers, leader) {
		t.Errorf("leader %q is not among %q", leader, peers)
	}
}

func TestTheAgentTellsItsNameAndDatacenter(t *testing.T) {
	client := connect(t)
	self, err := client.Agent().Self()
	ok(t, err)
	equal(t, "server", self["Config"]["Server"], any(true))
	name, err := client.Agent().NodeName()
	ok(t, err)
	equal(t, "name", any(name), self["Config"]["NodeName"])

	datacenters, err := client.Catalog().Datacenters()
	ok(t, err)
	if !slices.Contains(datacenters, self["Config"]["Datacenter"].(string)) {
		t.Errorf("%v is not among %q", self["Config"]["Datacenter"], datacenters)
	}
}

func TestTheRaftConfigurationHasOneLeader(t *testing.T) {
	client := connect(t)
	configuration, err := client.Operator().RaftGetConfiguration(nil)
	ok(t, err)
	leader, err := client.Status().Leader()
	ok(t, err)
	var leaders []string
	for _, server := range configuration.Servers {
		equal(t, "voter", server.Voter, true)
		if server.Leader {
			leaders = append(leaders, server.Address)
		}
	}
	if !slices.Equal(leaders, []string{leader}) {
		t.Errorf("got %q, want %q alone", leaders, leader)
	}
}

func TestAnUnknownPathIsRefused(t *testing.T) {
	_, err := connect(t).Raw().Query("/v1/nothing", nil, nil)
	refused(t, err, 404, "Invalid URL path: not a recognized HTTP API endpoint")
}
