// Access control and TLS, on a server that takes neither strangers nor clients without a certificate.
package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// guarded is a client of the guarded server that bears a token, or none.
func guarded(t *testing.T, secret string) *api.Client {
	t.Helper()
	client, err := api.NewClient(guardedConfig(t, secret))
	ok(t, err)
	return client
}

func guardedConfig(t *testing.T, secret string) *api.Config {
	t.Helper()
	if server.guarded == "" {
		t.Skip("STILLPOINT_GUARDED is not set: clients/run starts a guarded server")
	}
	file := func(name string) string { return filepath.Join(server.certificates, name) }
	return &api.Config{Address: server.guarded, Scheme: "https", Token: secret, TLSConfig: api.TLSConfig{
		CAFile: file("ca.pem"), CertFile: file("client.pem"), KeyFile: file("client-key.pem"),
	}}
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
		token, _, err := stranger.ACL().Bootstrap()
		ok(t, err)
		first.token = token
	})
	return guarded(t, first.token.SecretID)
}

// policy creates one that ends with the test.
func policy(t *testing.T, client *api.Client, name, rules string) *api.ACLPolicy {
	t.Helper()
	policy, _, err := client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	ok(t, err)
	t.Cleanup(func() { client.ACL().PolicyDelete(policy.ID, nil) })
	return policy
}

// token creates one that ends with the test.
func token(t *testing.T, client *api.Client, asked *api.ACLToken) *api.ACLToken {
	t.Helper()
	token, _, err := client.ACL().TokenCreate(asked, nil)
	ok(t, err)
	t.Cleanup(func() { client.ACL().TokenDelete(token.AccessorID, nil) })
	return token
}

func TestAClusterIsBootstrappedOnce(t *testing.T) {
	client := manage(t)
	equal(t, "policy", first.token.Policies[0].Name, "global-management")
	own, _, err := client.ACL().TokenReadSelf(nil)
	ok(t, err)
	equal(t, "own accessor", own.AccessorID, first.token.AccessorID)
	_, _, err = guarded(t, "").ACL().Bootstrap()
	refused(t, err, 403, "Permission denied: ACL bootstrap no longer allowed (reset index: ")
	status, _, err := client.ACL().Replication(nil)
	ok(t, err)
	equal(t, "replication", status.Enabled, false)
}

func TestAPolicyIsWrittenReadAndDeleted(t *testing.T) {
	client := manage(t)
	rules := `key_prefix "a/" { policy = "write" }`
	made := policy(t, client, "go-policy", rules)
	read, meta, err := client.ACL().PolicyRead(made.ID, nil)
	ok(t, err)
	equal(t, "rules", read.Rules, rules)
	equal(t, "index", meta.LastIndex >= read.ModifyIndex, true)
	byName, _, err := client.ACL().PolicyReadByName("go-policy", nil)
	ok(t, err)
	equal(t, "id", byName.ID, made.ID)

	changed, _, err := client.ACL().PolicyUpdate(&api.ACLPolicy{ID: made.ID, Name: "go-other", Description: "d"}, nil)
	ok(t, err)
	equal(t, "name", changed.Name, "go-other")
	equal(t, "hash differs", slices.Equal(changed.Hash, made.Hash), false)
	listed, _, err := client.ACL().PolicyList(nil)
	ok(t, err)
	equal(t, "listed", slices.ContainsFunc(listed, func(entry *api.ACLPolicyListEntry) bool {
		return entry.ID == made.ID && entry.Name == "go-other"
	}), true)

	_, _, err = client.ACL().PolicyCreate(&api.ACLPolicy{Name: "go-bad", Rules: `key "a" { policy = "dance" }`}, nil)
	refused(t, err, 500, "Invalid key policy: ")
	_, err = client.ACL().PolicyDelete(made.ID, nil)
	ok(t, err)
	gone, _, err := client.ACL().PolicyReadByName("go-other", nil)
	ok(t, err)
	if gone != nil {
		t.Errorf("got %+v", gone)
	}
	_, err = client.ACL().PolicyDelete(made.ID, nil)
	refused(t, err, 404, "")
}

func TestARoleIsWrittenReadAndDeleted(t *testing.T) {
	client := manage(t)
	linked := policy(t, client, "go-of-role", "")
	made, _, err := client.ACL().RoleCreate(&api.ACLRole{
		Name:              "go-role",
		Policies:          []*api.ACLRolePolicyLink{{Name: "go-of-role"}},
		ServiceIdentities: []*api.ACLServiceIdentity{{ServiceName: "web"}},
		NodeIdentities:    []*api.ACLNodeIdentity{{NodeName: "n1", Datacenter: "dc1"}},
	}, nil)
	ok(t, err)
	equal(t, "linked", made.Policies[0].ID, linked.ID)
	byName, _, err := client.ACL().RoleReadByName("go-role", nil)
	ok(t, err)
	equal(t, "id", byName.ID, made.ID)
	made.Description = "changed"
	changed, _, err := client.ACL().RoleUpdate(made, nil)
	ok(t, err)
	equal(t, "description", changed.Description, "changed")
	listed, _, err := client.ACL().RoleList(nil)
	ok(t, err)
	equal(t, "listed", slices.ContainsFunc(listed, func(role *api.ACLRole) bool { return role.ID == made.ID }), true)
	_, err = client.ACL().RoleDelete(made.ID, nil)
	ok(t, err)
	gone, _, err := client.ACL().RoleRead(made.ID, nil)
	ok(t, err)
	if gone != nil {
		t.Errorf("got %+v", gone)
	}
}

func TestATokenIsWrittenReadClonedAndDeleted(t *testing.T) {
	client := manage(t)
	linked := policy(t, client, "go-of-token", "")
	made := token(t, client, &api.ACLToken{
		Description:   "go",
		Policies:      []*api.ACLTokenPolicyLink{{Name: "go-of-token"}},
		ExpirationTTL: time.Hour,
	})
	equal(t, "linked", made.Policies[0].ID, linked.ID)
	equal(t, "lives", made.ExpirationTime.Sub(made.CreateTime), time.Hour)
	read, _, err := client.ACL().TokenRead(made.AccessorID, nil)
	ok(t, err)
	equal(t, "secret", read.SecretID, made.SecretID)
	read.Description = "changed"
	changed, _, err := client.ACL().TokenUpdate(read, nil)
	ok(t, err)
	equal(t, "description", changed.Description, "changed")

	clone, _, err := client.ACL().TokenClone(made.AccessorID, "clone", nil)
	ok(t, err)
	t.Cleanup(func() { client.ACL().TokenDelete(clone.AccessorID, nil) })
	equal(t, "clone's description", clone.Description, "clone")
	equal(t, "clone's policy", clone.Policies[0].ID, linked.ID)
	listed, _, err := client.ACL().TokenListFiltered(api.ACLTokenFilterOptions{Policy: linked.ID}, nil)
	ok(t, err)
	equal(t, "tokens of the policy", len(listed), 2)

	_, err = client.ACL().TokenDelete(made.AccessorID, nil)
	ok(t, err)
	_, _, err = client.ACL().TokenRead(made.AccessorID, nil)
	refused(t, err, 403, "token does not exist: ACL not found")
	_, _, err = guarded(t, made.SecretID).ACL().TokenReadSelf(nil)
	refused(t, err, 403, "ACL not found")
}

func TestATokenAllowsWhatItsPolicySaysAndNothingElse(t *testing.T) {
	client := manage(t)
	policy(t, client, "go-reader", `key_prefix "shown/" { policy = "read" } acl = "read"`)
	made := token(t, client, &api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{Name: "go-reader"}}})
	put(t, client, "shown/a", []byte("1"))
	put(t, client, "other/a", []byte("1"))
	weak := guarded(t, made.SecretID)
	equal(t, "value", string(get(t, weak, "shown/a").Value), "1")
	_, err := weak.KV().Put(&api.KVPair{Key: "shown/a"}, nil)
	refused(t, err, 403, "lacks permission 'key:write' on \"shown/a\"")
	_, _, err = weak.KV().Get("other/a", nil)
	refused(t, err, 403, "lacks permission 'key:read' on \"other/a\"")
	_, _, err = guarded(t, "").KV().Get("shown/a", nil)
	refused(t, err, 403, "anonymous token lacks permission 'key:read'")
	_, _, err = guarded(t, "nope").KV().Get("shown/a", nil)
	refused(t, err, 403, "ACL not found")

	hidden, _, err := weak.ACL().TokenRead(made.AccessorID, nil)
	ok(t, err)
	equal(t, "secret", hidden.SecretID, "<hidden>")
	_, _, err = weak.ACL().TokenCreate(&api.ACLToken{}, nil)
	refused(t, err, 403, "lacks permission 'acl:write'")
	_, _, err = weak.Snapshot().Save(nil)
	refused(t, err, 403, "lacks permission 'acl:write'")
	refused(t, restore(weak, nil), 403, "lacks permission 'acl:write'")
}

func TestARestoreBringsBackTheTokensOfTheArchive(t *testing.T) {
	client := manage(t)
	before := token(t, client, &api.ACLToken{Description: "before"})
	archive, _ := save(t, client, nil)
	later := token(t, client, &api.ACLToken{Description: "later"})
	_, err := client.ACL().TokenDelete(before.AccessorID, nil)
	ok(t, err)

	ok(t, restore(client, archive))
	own, _, err := guarded(t, before.SecretID).ACL().TokenReadSelf(nil)
	ok(t, err)
	equal(t, "description", own.Description, "before")
	_, _, err = guarded(t, later.SecretID).ACL().TokenReadSelf(nil)
	refused(t, err, 403, "ACL not found")
	_, _, err = guarded(t, "").ACL().Bootstrap()
	refused(t, err, 403, "ACL bootstrap no longer allowed")
}

func TestAServerThatControlsNoAccessSaysSo(t *testing.T) {
	_, _, err := connect(t).ACL().TokenList(nil)
	refused(t, err, 401, "ACL support disabled")
}

func TestWithoutACertificateNobodyIsLetIn(t *testing.T) {
	config := guardedConfig(t, "")
	config.TLSConfig.CertFile, config.TLSConfig.KeyFile = "", ""
	client, err := api.NewClient(config)
	ok(t, err)
	_, err = client.Status().Leader()
	if err == nil || !strings.Contains(err.Error(), "tls: ") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatNobodyVouchesForIsRefused(t *testing.T) {
	config := guardedConfig(t, "")
	config.TLSConfig.CAFile = ""
	client, err := api.NewClient(config)
	ok(t, err)
	_, err = client.Status().Leader()
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestTheServerSpeaksTheNewestProtocol(t *testing.T) {
	files := guardedConfig(t, "").TLSConfig
	ca, err := os.ReadFile(files.CAFile)
	ok(t, err)
	roots := x509.NewCertPool()
	equal(t, "CA", roots.AppendCertsFromPEM(ca), true)
	own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	ok(t, err)
	connection, err := tls.Dial("tcp", server.guarded, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}})
	ok(t, err)
	defer connection.Close()
	equal(t, "version", connection.ConnectionState().Version, tls.VersionTLS13)
}
