// Package clients drives a running Stillpoint server with the official Go client of Consul, and reads the
// server's archives with the genuine reader and codec. `clients/run` starts the server.
package clients

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// Where the server is; set by TestMain.
var server struct {
	consul, native, token string
	// That which controls access, and where the certificates of its clients lie. May be empty.
	guarded, certificates string
}

func TestMain(m *testing.M) {
	for name, value := range map[string]*string{
		"STILLPOINT_CONSUL": &server.consul,
		"STILLPOINT_NATIVE": &server.native,
		"STILLPOINT_TOKEN":  &server.token,
	} {
		if *value = os.Getenv(name); *value == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: run clients/run, which starts a server\n", name)
			os.Exit(2)
		}
	}
	server.guarded, server.certificates = os.Getenv("STILLPOINT_GUARDED"), os.Getenv("STILLPOINT_CERTIFICATES")
	os.Exit(m.Run())
}

func connect(t *testing.T) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: server.consul})
	ok(t, err)
	return client
}

// place is a prefix of the test's own, empty before and after it.
func place(t *testing.T, client *api.Client) string {
	t.Helper()
	prefix := "go/" + t.Name() + "/"
	clear := func() {
		_, err := client.KV().DeleteTree(prefix, nil)
		ok(t, err)
	}
	clear()
	t.Cleanup(clear)
	return prefix
}

func put(t *testing.T, client *api.Client, key string, value []byte) {
	t.Helper()
	_, err := client.KV().Put(&api.KVPair{Key: key, Value: value}, nil)
	ok(t, err)
}

// get returns nil if the key is absent.
func get(t *testing.T, client *api.Client, key string) *api.KVPair {
	t.Helper()
	pair, _, err := client.KV().Get(key, nil)
	ok(t, err)
	return pair
}

// request sends what the client has no method for; it returns the status and the body.
func request(t *testing.T, method, url string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, body)
	ok(t, err)
	if strings.HasPrefix(url, nativeURL("")) {
		request.Header.Set("Authorization", "Bearer "+server.token)
	}
	response, err := http.DefaultClient.Do(request)
	ok(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ok(t, err)
	return response.StatusCode, string(text)
}

func consulURL(path string) string { return "http://" + server.consul + path }
func nativeURL(path string) string { return "http://" + server.native + path }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// refused insists on an answer of that status whose body contains the text.
func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var answer api.StatusError
	if !errors.As(err, &answer) {
		t.Fatalf("got %v, want status %d with %q", err, status, text)
	}
	if answer.Code != status || !strings.Contains(answer.Body, text) {
		t.Errorf("got status %d with %q, want %d with %q", answer.Code, answer.Body, status, text)
	}
}
