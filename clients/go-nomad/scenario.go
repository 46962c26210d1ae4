// An archive that a genuine server saves after clients have used it: access control, namespaces, jobs, variables.
package main

import (
	"fmt"
	"time"

	"github.com/hashicorp/nomad/helper/pointer"
	"github.com/hashicorp/nomad/nomad/structs"
)

// Known secrets, so that tests can show them.
const bootstrapSecret = "5ca1ab1e-5ec2-4000-8000-000000000001"

// variables are what the archive's variables hold in clear, by namespace and path.
var variables = map[[2]string]map[string]string{
	{"default", "nomad/jobs/web"}:  {"password": "correct horse battery staple"},
	{"default", "app/config"}:      {"host": "db.example", "port": "5432", "empty": ""},
	{"team-a", "app/config"}:       {"host": "a.example"},
	{"team-a", "locks/migrations"}: {"holder": "one"},
}

func serverArchive() ([]byte, error) {
	server, err := start(true)
	if err != nil {
		return nil, err
	}
	defer server.stop()

	var bootstrap structs.ACLTokenUpsertResponse
	err = server.RPC("ACL.Bootstrap", &structs.ACLTokenBootstrapRequest{
		BootstrapSecret: bootstrapSecret, WriteRequest: structs.WriteRequest{Region: server.Region()},
	}, &bootstrap)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	user := client{server, structs.WriteRequest{Region: server.Region(), AuthToken: bootstrapSecret}}
	for _, use := range []func() error{user.access, user.namespaces, user.work, user.variables} {
		if err := use(); err != nil {
			return nil, err
		}
	}
	err = server.wait("evaluations without open ones", func() bool {
		evals, err := server.State().Evals(nil, false)
		for raw := evals.Next(); err == nil && raw != nil; raw = evals.Next() {
			if raw.(*structs.Evaluation).Status == structs.EvalStatusPending {
				return false
			}
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return server.save(bootstrapSecret)
}

// client uses a server as somebody.
type client struct {
	*server
	as structs.WriteRequest
}

// call sends a request and ignores what is replied.
func call[Reply any](c client, method string, request any) error {
	if err := c.RPC(method, request, new(Reply)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// in is who the client is, in a namespace.
func (c client) in(namespace string) structs.WriteRequest {
	as := c.as
	as.Namespace = namespace
	return as
}

func (c client) access() error {
	policy := &structs.ACLPolicy{Name: "readers", Description: "Read only", Rules: `namespace "default" { policy = "read" }`}
	for _, step := range []func() error{
		func() error {
			return call[structs.GenericResponse](c, "ACL.UpsertPolicies",
				&structs.ACLPolicyUpsertRequest{Policies: []*structs.ACLPolicy{policy}, WriteRequest: c.as})
		},
		func() error {
			role := &structs.ACLRole{Name: "reading", Policies: []*structs.ACLRolePolicyLink{{Name: "readers"}}}
			return call[structs.ACLRolesUpsertResponse](c, "ACL.UpsertRoles",
				&structs.ACLRolesUpsertRequest{ACLRoles: []*structs.ACLRole{role}, WriteRequest: c.as})
		},
		func() error {
			return c.token(&structs.ACLToken{Name: "plain", Type: "client", Policies: []string{"readers"}})
		},
		func() error {
			return c.token(&structs.ACLToken{
				Name: "short-lived", Type: "client", Global: true, ExpirationTTL: 8 * time.Hour,
				Policies: []string{"readers"}, Roles: []*structs.ACLTokenRoleLink{{Name: "reading"}},
			})
		},
		func() error {
			method := &structs.ACLAuthMethod{
				Name: "oidc", Type: "OIDC", TokenLocality: "local", MaxTokenTTL: time.Hour,
				Config: &structs.ACLAuthMethodConfig{
					OIDCDiscoveryURL: "https://id.example", OIDCClientID: "nomad", OIDCClientSecret: "hush",
					AllowedRedirectURIs: []string{"http://localhost:4649/oidc/callback"},
				},
			}
			return call[structs.ACLAuthMethodUpsertResponse](c, "ACL.UpsertAuthMethods",
				&structs.ACLAuthMethodUpsertRequest{AuthMethods: []*structs.ACLAuthMethod{method}, WriteRequest: c.as})
		},
		func() error {
			rule := &structs.ACLBindingRule{AuthMethod: "oidc", BindType: "policy", BindName: "readers"}
			return call[structs.ACLBindingRulesUpsertResponse](c, "ACL.UpsertBindingRules",
				&structs.ACLBindingRulesUpsertRequest{ACLBindingRules: []*structs.ACLBindingRule{rule}, WriteRequest: c.as})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c client) token(token *structs.ACLToken) error {
	return call[structs.ACLTokenUpsertResponse](c, "ACL.UpsertTokens",
		&structs.ACLTokenUpsertRequest{Tokens: []*structs.ACLToken{token}, WriteRequest: c.as})
}

func (c client) namespaces() error {
	namespace := &structs.Namespace{Name: "team-a", Description: "Team A", Meta: map[string]string{"owner": "a"}}
	err := call[structs.GenericResponse](c, "Namespace.UpsertNamespaces",
		&structs.NamespaceUpsertRequest{Namespaces: []*structs.Namespace{namespace}, WriteRequest: c.as})
	if err != nil {
		return err
	}
	pool := &structs.NodePool{Name: "large", Description: "Large machines"}
	return call[structs.GenericResponse](c, "NodePool.UpsertNodePools",
		&structs.NodePoolUpsertRequest{NodePools: []*structs.NodePool{pool}, WriteRequest: c.as})
}

// work registers jobs, one of them in two versions. There are no nodes, so nothing runs.
func (c client) work() error {
	for _, register := range []struct {
		namespace, id, kind string
		memory              int
		change              func(*structs.Job)
	}{
		{"default", "web", structs.JobTypeService, 300, nil},
		{"default", "web", structs.JobTypeService, 400, nil},
		{"team-a", "web", structs.JobTypeService, 300, func(job *structs.Job) {
			// A job that is being deployed cannot be scaled.
			job.TaskGroups[0].Update = nil
		}},
		{"default", "nightly", structs.JobTypeBatch, 300, func(job *structs.Job) {
			job.Periodic = &structs.PeriodicConfig{Enabled: true, Spec: "0 3 * * *", SpecType: structs.PeriodicSpecCron, TimeZone: "UTC"}
		}},
		{"default", "on-demand", structs.JobTypeBatch, 300, func(job *structs.Job) {
			job.ParameterizedJob = &structs.ParameterizedJobConfig{Payload: structs.DispatchPayloadOptional, MetaOptional: []string{"input"}}
		}},
	} {
		job := newJob(register.namespace, register.id, register.kind, register.memory)
		if register.change != nil {
			register.change(job)
		}
		job.Canonicalize()
		request := &structs.JobRegisterRequest{
			Job:          job,
			Submission:   &structs.JobSubmission{Source: fmt.Sprintf("job %q {}", register.id), Format: "hcl2"},
			WriteRequest: c.in(register.namespace),
		}
		if err := call[structs.JobRegisterResponse](c, "Job.Register", request); err != nil {
			return err
		}
	}
	return call[structs.JobRegisterResponse](c, "Job.Scale", &structs.JobScaleRequest{
		JobID: "web", Target: map[string]string{structs.ScalingTargetGroup: "front"},
		Count: pointer.Of(int64(3)), Message: "more", WriteRequest: c.in("team-a"),
	})
}

func newJob(namespace, id, kind string, memory int) *structs.Job {
	task := &structs.Task{
		Name: "server", Driver: "exec", Env: map[string]string{"MODE": "test"},
		Config:    map[string]any{"command": "/bin/sleep", "args": []string{"3600"}},
		Resources: &structs.Resources{CPU: 500, MemoryMB: memory},
		LogConfig: structs.DefaultLogConfig(),
	}
	group := &structs.TaskGroup{
		Name: "front", Count: 2, Tasks: []*structs.Task{task}, EphemeralDisk: structs.DefaultEphemeralDisk(),
		Networks: structs.Networks{{Mode: "host", DynamicPorts: []structs.Port{{Label: "http", To: 8080}}}},
		Services: []*structs.Service{{Name: id, PortLabel: "http", Provider: structs.ServiceProviderNomad, Address: "127.0.0.1"}},
	}
	if kind == structs.JobTypeService {
		group.Scaling = &structs.ScalingPolicy{Type: structs.ScalingPolicyTypeHorizontal, Min: 1, Max: 10, Enabled: true}
		group.Update = structs.DefaultUpdateStrategy.Copy()
	}
	return &structs.Job{
		Region: "global", Namespace: namespace, ID: id, Name: id, Type: kind, Priority: 50,
		Datacenters: []string{"dc1"}, NodePool: structs.NodePoolDefault, TaskGroups: []*structs.TaskGroup{group},
		Meta: map[string]string{"team": namespace},
	}
}

func (c client) variables() error {
	for at, items := range variables {
		variable := &structs.VariableDecrypted{
			VariableMetadata: structs.VariableMetadata{Namespace: at[0], Path: at[1]}, Items: items,
		}
		op := structs.VarOpSet
		if at[1] == "locks/migrations" {
			op = structs.VarOpLockAcquire
			variable.Lock = &structs.VariableLock{TTL: 24 * time.Hour, LockDelay: time.Hour}
		}
		request := &structs.VariablesApplyRequest{Op: op, Var: variable, WriteRequest: c.in(at[0])}
		if err := call[structs.VariablesApplyResponse](c, "Variables.Apply", request); err != nil {
			return err
		}
	}
	return nil
}
