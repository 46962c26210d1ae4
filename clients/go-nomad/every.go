// An archive with every type of record: of each one that is full, and one that is as empty as it can be.
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/helper/pointer"
	"github.com/hashicorp/nomad/helper/snapshot"
	"github.com/hashicorp/nomad/nomad"
	"github.com/hashicorp/nomad/nomad/state"
	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/raft"
)

// uuid is the n-th of the UUIDs that fixtures show.
func uuid(n int) string {
	return fmt.Sprintf("5ca1ab1e-0000-4000-8000-%012d", n)
}

// machine is the state machine of a genuine server, without the server.
type machine interface {
	raft.FSM
	State() *state.StateStore
}

func newMachine() (machine, error) {
	logger := hclog.NewNullLogger()
	broker, err := nomad.NewEvalBroker(context.Background(), time.Second, time.Second, time.Second, 1)
	if err != nil {
		return nil, err
	}
	return nomad.NewFSM(&nomad.FSMConfig{
		EvalBroker:         broker,
		Periodic:           nomad.NewPeriodicDispatch(logger, nil),
		Blocked:            nomad.NewBlockedEvals(nil, logger),
		Logger:             logger,
		Region:             "global",
		JobTrackedVersions: 6,
	})
}

// pack makes the archive of a machine's state, as a server would that is its only voter.
func pack(machine raft.FSM) ([]byte, error) {
	server := raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(uuid(1)), Address: "127.0.0.1:4647"}
	archive, err := snapshot.NewFromFSM(hclog.NewNullLogger(), machine, &raft.SnapshotMeta{
		Version: 1, Index: 1000, Term: 2, ConfigurationIndex: 1,
		Configuration: raft.Configuration{Servers: []raft.Server{server}},
	})
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	return io.ReadAll(archive)
}

func everyKind() ([]byte, error) {
	machine, err := newMachine()
	if err != nil {
		return nil, err
	}
	restore, err := machine.State().Restore()
	if err != nil {
		return nil, err
	}
	defer restore.Abort()
	for _, add := range []func(*state.StateRestore) error{addCluster, addWork, addVolumes, addAccess, addVariables} {
		if err := add(restore); err != nil {
			return nil, err
		}
	}
	if err := restore.Commit(); err != nil {
		return nil, err
	}
	return pack(machine)
}

// each calls add with every one of the values.
func each[T any](add func(T) error, values ...T) error {
	for _, value := range values {
		if err := add(value); err != nil {
			return err
		}
	}
	return nil
}

// changed returns the value after a change to it.
func changed[T any](value *T, change func(*T)) *T {
	change(value)
	return value
}

func addCluster(restore *state.StateRestore) error {
	node := changed(full[structs.Node](), func(node *structs.Node) {
		node.ID, node.SecretID = uuid(10), uuid(11)
		east := time.FixedZone("", 2*60*60)
		node.DrainStrategy.ForceDeadline = moment.In(east)
	})
	bareNode := &structs.Node{ID: uuid(12), SecretID: uuid(13), NodePool: "default"}
	pool := changed(full[structs.NodePool](), func(pool *structs.NodePool) { _ = pool.SetHash() })
	if err := each(restore.IndexRestore,
		&state.IndexEntry{Key: "nodes", Value: 7}, &state.IndexEntry{Key: "jobs", Value: 200},
		&state.IndexEntry{Key: "acl_token_bootstrap", Value: 1 << 40}); err != nil {
		return err
	}
	if err := each(restore.NodeRestore, node, bareNode); err != nil {
		return err
	}
	if err := each(restore.NodePoolRestore, pool, &structs.NodePool{Name: "bare"}); err != nil {
		return err
	}
	if err := restore.SchedulerConfigRestore(full[structs.SchedulerConfiguration]()); err != nil {
		return err
	}
	return restore.ClusterMetadataRestore(&structs.ClusterMetadata{ClusterID: uuid(14), CreateTime: moment.UnixNano()})
}

func addWork(restore *state.StateRestore) error {
	named := func(job *structs.Job) { job.Namespace, job.ID, job.Type = "default", "web", "service" }
	version := func(number uint64) func(*structs.Job) {
		return func(job *structs.Job) { named(job); job.Version = number }
	}
	bareJob := &structs.Job{Namespace: "default", ID: "bare", Type: "batch", NodePool: "default"}
	if err := each(restore.JobRestore, changed(full[structs.Job](), named), bareJob); err != nil {
		return err
	}
	if err := each(restore.JobVersionRestore, changed(full[structs.Job](), version(300)), bareJob,
		changed(bareJob.Copy(), version(1))); err != nil {
		return err
	}
	if err := each(restore.JobSummaryRestore,
		changed(full[structs.JobSummary](), func(s *structs.JobSummary) { s.Namespace, s.JobID = "default", "web" }),
		&structs.JobSummary{Namespace: "default", JobID: "bare"}); err != nil {
		return err
	}
	if err := each(restore.JobSubmissionRestore, full[structs.JobSubmission](),
		&structs.JobSubmission{Namespace: "default", JobID: "bare"}); err != nil {
		return err
	}
	if err := each(restore.EvalRestore,
		changed(full[structs.Evaluation](), func(eval *structs.Evaluation) { eval.ID = uuid(20) }),
		&structs.Evaluation{ID: uuid(21), Namespace: "default", JobID: "bare", Status: "pending"}); err != nil {
		return err
	}
	alloc := changed(full[structs.Allocation](), func(alloc *structs.Allocation) {
		alloc.ID, alloc.EvalID, alloc.DeploymentID = uuid(22), uuid(20), uuid(24)
	})
	bareAlloc := &structs.Allocation{ID: uuid(23), EvalID: uuid(21), Namespace: "default", JobID: "bare", NodeID: uuid(12)}
	if err := each(restore.AllocRestore, alloc, bareAlloc); err != nil {
		return err
	}
	if err := each(restore.DeploymentRestore,
		changed(full[structs.Deployment](), func(deployment *structs.Deployment) { deployment.ID = uuid(24) }),
		&structs.Deployment{ID: uuid(25), Namespace: "default", JobID: "bare"}); err != nil {
		return err
	}
	if err := each(restore.PeriodicLaunchRestore, full[structs.PeriodicLaunch](),
		&structs.PeriodicLaunch{Namespace: "default", ID: "bare"}); err != nil {
		return err
	}
	target := func(policy *structs.ScalingPolicy) {
		policy.Target = map[string]string{
			structs.ScalingTargetNamespace: "default", structs.ScalingTargetJob: "web", structs.ScalingTargetGroup: "front",
		}
	}
	if err := each(restore.ScalingPolicyRestore, changed(full[structs.ScalingPolicy](), target),
		changed(&structs.ScalingPolicy{ID: uuid(26), Type: "horizontal"}, target)); err != nil {
		return err
	}
	if err := each(restore.ScalingEventsRestore, full[structs.JobScalingEvents](),
		&structs.JobScalingEvents{Namespace: "default", JobID: "bare"}); err != nil {
		return err
	}
	return each(restore.ServiceRegistrationRestore, full[structs.ServiceRegistration](),
		&structs.ServiceRegistration{ID: "bare", Namespace: "default", ServiceName: "bare", NodeID: uuid(12), JobID: "bare", AllocID: uuid(23)})
}

func addVolumes(restore *state.StateRestore) error {
	if err := each(restore.CSIPluginRestore, full[structs.CSIPlugin](), &structs.CSIPlugin{ID: "bare"}); err != nil {
		return err
	}
	if err := each(restore.CSIVolumeRestore, full[structs.CSIVolume](),
		&structs.CSIVolume{Namespace: "default", ID: "bare", PluginID: "bare"}); err != nil {
		return err
	}
	return each(restore.HostVolumeRestore, full[structs.HostVolume](),
		&structs.HostVolume{Namespace: "default", ID: uuid(30), Name: "bare", NodeID: uuid(12), NodePool: "default"})
}

func addAccess(restore *state.StateRestore) error {
	policy := changed(full[structs.ACLPolicy](), func(policy *structs.ACLPolicy) {
		policy.Rules = `namespace "default" { policy = "write" }`
		policy.SetHash()
	})
	token := changed(full[structs.ACLToken](), func(token *structs.ACLToken) {
		token.AccessorID, token.SecretID = uuid(40), uuid(41)
		token.ExpirationTime = pointer.Of(moment.Add(time.Hour))
		token.SetHash()
	})
	namespace := changed(full[structs.Namespace](), func(namespace *structs.Namespace) { namespace.SetHash() })
	if err := each(restore.ACLPolicyRestore, policy, &structs.ACLPolicy{Name: "bare"}); err != nil {
		return err
	}
	if err := each(restore.ACLTokenRestore, token, &structs.ACLToken{AccessorID: uuid(42), SecretID: uuid(43)}); err != nil {
		return err
	}
	if err := each(restore.NamespaceRestore, namespace, &structs.Namespace{Name: "bare"}); err != nil {
		return err
	}
	if err := each(restore.ACLRoleRestore,
		changed(full[structs.ACLRole](), func(role *structs.ACLRole) { role.SetHash() }),
		&structs.ACLRole{ID: uuid(44), Name: "bare"}); err != nil {
		return err
	}
	if err := each(restore.ACLAuthMethodRestore,
		changed(full[structs.ACLAuthMethod](), func(method *structs.ACLAuthMethod) { method.SetHash() }),
		&structs.ACLAuthMethod{Name: "bare"}); err != nil {
		return err
	}
	return each(restore.ACLBindingRuleRestore,
		changed(full[structs.ACLBindingRule](), func(rule *structs.ACLBindingRule) { rule.SetHash() }),
		&structs.ACLBindingRule{ID: uuid(45), AuthMethod: "bare"})
}

// addVariables adds variables whose data no key decrypts: that part is the other archive's.
func addVariables(restore *state.StateRestore) error {
	bare := &structs.VariableEncrypted{
		VariableMetadata: structs.VariableMetadata{Namespace: "default", Path: "bare"},
		VariableData:     structs.VariableData{KeyID: uuid(50)},
	}
	if err := each(restore.VariablesRestore, full[structs.VariableEncrypted](), bare); err != nil {
		return err
	}
	if err := each(restore.VariablesQuotaRestore, full[structs.VariablesQuota](),
		&structs.VariablesQuota{Namespace: "bare"}); err != nil {
		return err
	}
	return each(restore.RootKeyRestore, full[structs.RootKey](),
		structs.NewRootKey(&structs.RootKeyMeta{KeyID: uuid(50)}), &structs.RootKey{KeyID: uuid(51)})
}
