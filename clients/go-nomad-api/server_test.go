// Package nomad drives a running Stillpoint server with the official Go client of Nomad. `clients/run` starts the
// server. The state machine of Nomad itself reads the server's archives in `clients/go-nomad`, which takes minutes
// to build; this module takes seconds.
package nomad

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// Where the server is; set by TestMain.
var server struct {
	nomad, consul string
	// That which controls access, and where the certificates of its clients lie. May be empty.
	guarded, certificates string
}

func TestMain(m *testing.M) {
	for name, value := range map[string]*string{
		"STILLPOINT_NOMAD":  &server.nomad,
		"STILLPOINT_CONSUL": &server.consul,
	} {
		if *value = os.Getenv(name); *value == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: run clients/run, which starts a server\n", name)
			os.Exit(2)
		}
	}
	server.guarded, server.certificates = os.Getenv("STILLPOINT_GUARDED_NOMAD"), os.Getenv("STILLPOINT_CERTIFICATES")
	os.Exit(m.Run())
}

func connect(t *testing.T) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: "http://" + server.nomad})
	ok(t, err)
	return client
}

// within is for requests about a namespace.
func within(namespace string) (*api.QueryOptions, *api.WriteOptions) {
	return &api.QueryOptions{Namespace: namespace}, &api.WriteOptions{Namespace: namespace}
}

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
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		t.Fatalf("got %v, want status %d with %q", err, status, text)
	}
	if answer.StatusCode() != status || !strings.Contains(answer.Body(), text) {
		t.Errorf("got status %d with %q, want %d with %q", answer.StatusCode(), answer.Body(), status, text)
	}
}
