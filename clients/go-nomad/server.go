// A genuine server inside this process, alone in its cluster, on free ports of the loopback.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-msgpack/v2/codec"
	clientstructs "github.com/hashicorp/nomad/client/structs"
	"github.com/hashicorp/nomad/command/agent/consul"
	"github.com/hashicorp/nomad/nomad"
	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/nomad/version"
)

// patience is how long anything that should happen may take.
const patience = 30 * time.Second

type server struct {
	*nomad.Server
	directory string
}

func start(accessControl bool) (*server, error) {
	directory, err := os.MkdirTemp("", "genuine-nomad")
	if err != nil {
		return nil, err
	}
	config := nomad.DefaultConfig()
	config.NodeName = "genuine"
	config.Build = version.Version
	config.DataDir = directory
	config.BootstrapExpect = 1
	config.ACLEnabled = accessControl
	config.JobMaxSourceSize = 1e6
	config.JobTrackedVersions = 6
	config.NumSchedulers = 1
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr})
	config.Logger, config.LogOutput = log, os.Stderr
	config.RPCAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	config.SerfConfig.MemberlistConfig.BindAddr = "127.0.0.1"
	config.SerfConfig.MemberlistConfig.BindPort = 0
	no := false
	config.GetDefaultConsul().ServerAutoJoin = &no
	config.GetDefaultVault().Enabled = &no

	catalog, settings := consul.NewMockCatalog(log), consul.NewMockConfigsAPI(log)
	genuine, err := nomad.NewServer(config, catalog, func(string) consul.ConfigAPI { return settings })
	if err != nil {
		_ = os.RemoveAll(directory)
		return nil, fmt.Errorf("start the server: %w", err)
	}
	started := &server{genuine, directory}
	return started, started.wait("a leader with a keyring", func() bool {
		key, err := genuine.State().GetActiveRootKey(nil)
		return genuine.IsLeader() && err == nil && key != nil
	})
}

func (s *server) stop() {
	_ = s.Shutdown()
	_ = os.RemoveAll(s.directory)
}

func (s *server) wait(what string, is func() bool) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if is() {
			return nil
		}
	}
	return fmt.Errorf("waited in vain for %s", what)
}

// stream opens one of the server's streams and sends its request.
func (s *server) stream(method string, request any) (net.Conn, error) {
	handler, err := s.StreamingRpcHandler(method)
	if err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	go handler(theirs)
	if err := codec.NewEncoder(ours, structs.MsgpackHandle).Encode(request); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// save asks for a snapshot as an agent does that was asked by an HTTP client.
func (s *server) save(token string) ([]byte, error) {
	request := structs.SnapshotSaveRequest{QueryOptions: structs.QueryOptions{Region: s.Region(), AuthToken: token}}
	conn, err := s.stream("Operator.SnapshotSave", request)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var reply structs.SnapshotSaveResponse
	decoder := codec.NewDecoder(conn, structs.MsgpackHandle)
	if err := decoder.Decode(&reply); err != nil {
		return nil, err
	}
	if reply.ErrorMsg != "" {
		return nil, errors.New(reply.ErrorMsg)
	}
	return io.ReadAll(conn)
}

// restore replaces the server's state.
func (s *server) restore(archive []byte) error {
	request := structs.SnapshotRestoreRequest{WriteRequest: structs.WriteRequest{Region: s.Region()}}
	conn, err := s.stream("Operator.SnapshotRestore", request)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		encoder := codec.NewEncoder(conn, structs.MsgpackHandle)
		_ = encoder.Encode(&clientstructs.StreamErrWrapper{Payload: archive})
		_ = encoder.Encode(&clientstructs.StreamErrWrapper{Error: &clientstructs.RpcError{Message: io.EOF.Error()}})
	}()
	var reply structs.SnapshotRestoreResponse
	if err := codec.NewDecoder(conn, structs.MsgpackHandle).Decode(&reply); err != nil {
		return err
	}
	if reply.ErrorMsg != "" {
		return errors.New(reply.ErrorMsg)
	}
	return nil
}
