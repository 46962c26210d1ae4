// Access control and TLS, on a server that takes neither strangers nor clients without a certificate.
package nomad

import (
	"bytes"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// guarded is a client of the guarded server that bears a token, or none.
func guarded(t *testing.T, secret string) *api.Client {
	t.Helper()
	if server.guarded == "" {
		t.Skip("STILLPOINT_GUARDED_NOMAD is not set: clients/run starts a guarded server")
	}
	file := func(name string) string { return filepath.Join(server.certificates, name) }
	client, err := api.NewClient(&api.Config{
		Address:  "https://" + server.guarded,
		SecretID: secret,
		TLSConfig: &api.TLSConfig{
			CACert: file("ca.pem"), ClientCert: file("client.pem"), ClientKey: file("client-key.pem"),
		},
	})
	ok(t, err)
	return client
}

// The token of whoever came first.
var first struct {
	sync.Once
	token *api.ACLToken
}

// manage is a client that may do everything.
func manage(t *testing.T) *api.Client {
	t.Helper()
	stranger := guarded(t, "")
	first.Do(func() {
		token, _, err := stranger.ACLTokens().Bootstrap(nil)
		ok(t, err)
		first.token = token
	})
	if first.token == nil {
		t.Fatal("nobody could bootstrap")
	}
	return guarded(t, first.token.SecretID)
}

// allowed is a client whose token has a policy of these rules. Both end with the test.
func allowed(t *testing.T, client *api.Client, name, rules string) *api.Client {
	t.Helper()
	_, err := client.ACLPolicies().Upsert(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	ok(t, err)
	t.Cleanup(func() { client.ACLPolicies().Delete(name, nil) })
	asked := &api.ACLToken{Name: name, Type: "client", Policies: []string{name}}
	token, _, err := client.ACLTokens().Create(asked, nil)
	ok(t, err)
	t.Cleanup(func() { client.ACLTokens().Delete(token.AccessorID, nil) })
	return guarded(t, token.SecretID)
}

func TestAClusterIsBootstrappedOnce(t *testing.T) {
	client := manage(t)
	own, _, err := client.ACLTokens().Self(nil)
	ok(t, err)
	equal(t, "own accessor", own.AccessorID, first.token.AccessorID)
	equal(t, "type", own.Type, "management")
	_, _, err = guarded(t, "").ACLTokens().Bootstrap(nil)
	refused(t, err, 400, "ACL bootstrap already done (reset index: ")
}

func TestAPolicyAndATokenAreWrittenReadAndDeleted(t *testing.T) {
	client := manage(t)
	rules := `namespace "default" { policy = "read" }`
	_, err := client.ACLPolicies().Upsert(&api.ACLPolicy{Name: "go-policy", Rules: rules}, nil)
	ok(t, err)
	policy, _, err := client.ACLPolicies().Info("go-policy", nil)
	ok(t, err)
	equal(t, "rules", policy.Rules, rules)
	asked := &api.ACLToken{Name: "go-token", Type: "client", Policies: []string{"go-policy"}}
	token, _, err := client.ACLTokens().Create(asked, nil)
	ok(t, err)
	read, _, err := client.ACLTokens().Info(token.AccessorID, nil)
	ok(t, err)
	equal(t, "secret", read.SecretID, token.SecretID)
	list, _, err := client.ACLTokens().List(nil)
	ok(t, err)
	if len(list) < 2 {
		t.Errorf("%d tokens are listed", len(list))
	}
	_, err = client.ACLTokens().Delete(token.AccessorID, nil)
	ok(t, err)
	_, _, err = client.ACLTokens().Info(token.AccessorID, nil)
	refused(t, err, 404, "ACL token not found")
	_, err = client.ACLPolicies().Delete("go-policy", nil)
	ok(t, err)
}

func TestSavingHasARightOfItsOwnAndRestoringIsForManagement(t *testing.T) {
	client := manage(t)
	saver := allowed(t, client, "go-saver", `operator { capabilities = ["snapshot-save"] }`)
	archive := save(t, saver, nil)
	refused(t, restore(saver, archive), 403, "Permission denied")
	writer := allowed(t, client, "go-writer", `operator { policy = "write" }`)
	save(t, writer, nil)
	refused(t, restore(writer, archive), 403, "Permission denied")
	reader := allowed(t, client, "go-reader", `operator { policy = "read" }`)
	for _, other := range []*api.Client{reader, guarded(t, ""), guarded(t, "5ec2e700-0000-4000-8000-000000000001")} {
		_, err := other.Operator().Snapshot(nil)
		refused(t, err, 403, "Permission denied")
		_, err = other.Operator().SnapshotRestore(bytes.NewReader(archive), nil)
		refused(t, err, 403, "Permission denied")
	}
	ok(t, restore(client, save(t, client, nil)))
}

func TestVariablesAreForThoseWhoMay(t *testing.T) {
	client := manage(t)
	rules := `namespace "default" { variables { path "go/mine" { capabilities = ["read", "write", "destroy"] } } }`
	holder := allowed(t, client, "go-variables", rules)
	_, _, err := holder.Variables().Update(&api.Variable{Path: "go/mine", Items: api.VariableItems{"k": "v"}}, nil)
	ok(t, err)
	_, _, err = holder.Variables().Read("go/mine", nil)
	ok(t, err)
	_, _, err = holder.Variables().Read("go/other", nil)
	refused(t, err, 403, "Permission denied")
	_, err = holder.Variables().Delete("go/mine", nil)
	ok(t, err)
}

func TestARestoreBringsBackTokens(t *testing.T) {
	client := manage(t)
	token, _, err := client.ACLTokens().Create(&api.ACLToken{Name: "go-saved", Type: "management"}, nil)
	ok(t, err)
	archive := save(t, client, nil)
	_, err = client.ACLTokens().Delete(token.AccessorID, nil)
	ok(t, err)
	_, _, err = guarded(t, token.SecretID).ACLTokens().Self(nil)
	refused(t, err, 403, "Permission denied")
	ok(t, restore(client, archive))
	own, _, err := guarded(t, token.SecretID).ACLTokens().Self(nil)
	ok(t, err)
	equal(t, "accessor", own.AccessorID, token.AccessorID)
	_, err = client.ACLTokens().Delete(token.AccessorID, nil)
	ok(t, err)
}
