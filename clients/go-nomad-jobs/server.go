// A genuine server inside this process, alone in its cluster, on free ports of the loopback.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/command/agent/consul"
	"github.com/hashicorp/nomad/nomad"
	"github.com/hashicorp/nomad/version"
)

// patience is how long it may take to become leader.
const patience = 30 * time.Second

type server struct {
	*nomad.Server
	directory string
}

func start() (*server, error) {
	directory, err := os.MkdirTemp("", "genuine-nomad")
	if err != nil {
		return nil, err
	}
	config := nomad.DefaultConfig()
	config.NodeName = "genuine"
	config.Build = version.Version
	config.DataDir = directory
	config.BootstrapExpect = 1
	config.JobMaxSourceSize = 1e6
	config.JobTrackedVersions = 6
	// Evaluations would only change what is looked at.
	config.NumSchedulers = 0
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr})
	config.Logger, config.LogOutput = log, os.Stderr
	config.RPCAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	config.SerfConfig.MemberlistConfig.BindAddr = "127.0.0.1"
	config.SerfConfig.MemberlistConfig.BindPort = 0
	yes, no := true, false
	config.GetDefaultConsul().ServerAutoJoin = &no
	// Nothing is asked of it before something is placed.
	config.GetDefaultVault().Enabled = &yes

	catalog, settings := consul.NewMockCatalog(log), consul.NewMockConfigsAPI(log)
	genuine, err := nomad.NewServer(config, catalog, func(string) consul.ConfigAPI { return settings })
	if err != nil {
		_ = os.RemoveAll(directory)
		return nil, fmt.Errorf("start the server: %w", err)
	}
	started := &server{genuine, directory}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if key, err := genuine.State().GetActiveRootKey(nil); genuine.IsLeader() && err == nil && key != nil {
			return started, nil
		}
	}
	started.stop()
	return nil, errors.New("waited in vain for a leader with a keyring")
}

func (s *server) stop() {
	_ = s.Shutdown()
	_ = os.RemoveAll(s.directory)
}
