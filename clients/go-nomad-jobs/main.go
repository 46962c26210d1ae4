// Jobs as a genuine server stores and shows them: what was asked, the record, the answer; or why it refuses them.
//
//	go run -tags codegen_generated . jobs.json > ../../crates/dialects/tests/fixtures/nomad-jobs.json
//
// jobs.json holds the requests: an object of names and jobs in the form of the HTTP API. What differs from run to
// run is zero in what is written. A module of its own, because it imports Nomad's agent with all that it needs.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/command/agent"
	"github.com/hashicorp/nomad/nomad/structs"
)

// sample is a job in its three forms; the record is in hexadecimal digits. A job that is refused has an error alone.
type sample struct {
	Name     string
	Job      json.RawMessage
	Error    string          `json:",omitempty"`
	Warnings string          `json:",omitempty"`
	Record   string          `json:",omitempty"`
	Answer   json.RawMessage `json:",omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nomad-jobs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: FILE")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var jobs map[string]json.RawMessage
	if err := json.Unmarshal(text, &jobs); err != nil {
		return err
	}
	names := make([]string, 0, len(jobs))
	for name := range jobs {
		names = append(names, name)
	}
	sort.Strings(names)

	server, err := start()
	if err != nil {
		return err
	}
	defer server.stop()
	for at, name := range names {
		registered, err := server.register(name, jobs[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line, err := json.Marshal(registered)
		if err != nil {
			return err
		}
		before, after := "", ","
		if at == 0 {
			before = "[\n"
		}
		if at == len(names)-1 {
			after = "\n]"
		}
		fmt.Printf("%s%s%s\n", before, line, after)
	}
	return nil
}

func (s *server) register(name string, text json.RawMessage) (sample, error) {
	var asked api.Job
	if err := json.Unmarshal(text, &asked); err != nil {
		return sample{}, err
	}
	job := agent.ApiJobToStructJob(&asked)
	request := &structs.JobRegisterRequest{
		Job: job, WriteRequest: structs.WriteRequest{Region: s.Region(), Namespace: job.Namespace},
	}
	var reply structs.JobRegisterResponse
	if err := s.RPC("Job.Register", request, &reply); err != nil {
		return sample{Name: name, Job: text, Error: err.Error()}, nil
	}
	stored, err := s.State().JobByID(nil, job.Namespace, job.ID)
	if err != nil {
		return sample{}, err
	}
	stored = stored.Copy()
	stored.Status, stored.SubmitTime = "", 0
	stored.CreateIndex, stored.ModifyIndex, stored.JobModifyIndex = 0, 0, 0
	for _, group := range stored.TaskGroups {
		if group.Scaling != nil {
			group.Scaling.ID, group.Scaling.CreateIndex, group.Scaling.ModifyIndex = "", 0, 0
		}
	}
	var record, answer bytes.Buffer
	if err := codec.NewEncoder(&record, structs.MsgpackHandle).Encode(stored); err != nil {
		return sample{}, err
	}
	if err := codec.NewEncoder(&answer, structs.JsonHandleWithExtensions).Encode(stored); err != nil {
		return sample{}, err
	}
	return sample{
		Name: name, Job: text, Warnings: reply.Warnings,
		Record: hex.EncodeToString(record.Bytes()), Answer: answer.Bytes(),
	}, nil
}
