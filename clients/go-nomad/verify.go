// Reads archives with genuine code, whoever wrote them.
package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/hashicorp/go-kms-wrapping/v2/aead"
	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/nomad/helper/raftutil"
	"github.com/hashicorp/nomad/helper/snapshot"
	"github.com/hashicorp/nomad/nomad"
	"github.com/hashicorp/nomad/nomad/state"
	"github.com/hashicorp/nomad/nomad/structs"
)

// structures are what records decode into, by type.
var structures = map[nomad.SnapshotType]func() any{
	nomad.NodeSnapshot:                func() any { return new(structs.Node) },
	nomad.JobSnapshot:                 func() any { return new(structs.Job) },
	nomad.IndexSnapshot:               func() any { return new(state.IndexEntry) },
	nomad.EvalSnapshot:                func() any { return new(structs.Evaluation) },
	nomad.AllocSnapshot:               func() any { return new(structs.Allocation) },
	nomad.PeriodicLaunchSnapshot:      func() any { return new(structs.PeriodicLaunch) },
	nomad.JobSummarySnapshot:          func() any { return new(structs.JobSummary) },
	nomad.JobVersionSnapshot:          func() any { return new(structs.Job) },
	nomad.DeploymentSnapshot:          func() any { return new(structs.Deployment) },
	nomad.ACLPolicySnapshot:           func() any { return new(structs.ACLPolicy) },
	nomad.ACLTokenSnapshot:            func() any { return new(structs.ACLToken) },
	nomad.SchedulerConfigSnapshot:     func() any { return new(structs.SchedulerConfiguration) },
	nomad.ClusterMetadataSnapshot:     func() any { return new(structs.ClusterMetadata) },
	nomad.ScalingPolicySnapshot:       func() any { return new(structs.ScalingPolicy) },
	nomad.CSIPluginSnapshot:           func() any { return new(structs.CSIPlugin) },
	nomad.CSIVolumeSnapshot:           func() any { return new(structs.CSIVolume) },
	nomad.ScalingEventsSnapshot:       func() any { return new(structs.JobScalingEvents) },
	nomad.ServiceRegistrationSnapshot: func() any { return new(structs.ServiceRegistration) },
	nomad.VariablesSnapshot:           func() any { return new(structs.VariableEncrypted) },
	nomad.VariablesQuotaSnapshot:      func() any { return new(structs.VariablesQuota) },
	nomad.RootKeyMetaSnapshot:         func() any { return new(structs.RootKeyMeta) },
	nomad.ACLRoleSnapshot:             func() any { return new(structs.ACLRole) },
	nomad.ACLAuthMethodSnapshot:       func() any { return new(structs.ACLAuthMethod) },
	nomad.ACLBindingRuleSnapshot:      func() any { return new(structs.ACLBindingRule) },
	nomad.NodePoolSnapshot:            func() any { return new(structs.NodePool) },
	nomad.JobSubmissionSnapshot:       func() any { return new(structs.JobSubmission) },
	nomad.RootKeySnapshot:             func() any { return new(structs.RootKey) },
	nomad.HostVolumeSnapshot:          func() any { return new(structs.HostVolume) },
	nomad.NamespaceSnapshot:           func() any { return new(structs.Namespace) },

	// Read and dropped.
	nomad.TimeTableSnapshot:                    func() any { return new([]nomad.TimeTableEntry) },
	nomad.VaultAccessorSnapshot:                func() any { return new(structs.VaultAccessor) },
	nomad.ServiceIdentityTokenAccessorSnapshot: func() any { return new(structs.SITokenAccessor) },
}

// record is one record of a state.
type record struct {
	kind  nomad.SnapshotType
	raw   []byte
	value any
	// Whether genuine code would write the same, but for the order of a map's entries, which is random.
	same bool
}

// memory is a buffer that can be closed.
type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }

// read verifies an archive as `nomad operator snapshot inspect` does and decodes every record.
func read(archive []byte) ([]record, error) {
	var content memory
	meta, err := snapshot.CopySnapshot(bytes.NewReader(archive), &content)
	if err != nil {
		return nil, err
	}
	if meta.Size != int64(content.Len()) {
		return nil, fmt.Errorf("state.bin has %d bytes, meta.json says %d", content.Len(), meta.Size)
	}
	bin := content.Bytes()
	reader := bytes.NewReader(bin)
	var records []record
	err = nomad.ReadSnapshot(reader, func(_ *nomad.SnapshotHeader, kind nomad.SnapshotType, decoder *codec.Decoder) error {
		make, known := structures[kind]
		if !known {
			return fmt.Errorf("no structure for type %d", kind)
		}
		at, value := len(bin)-reader.Len(), make()
		if err := decoder.Decode(value); err != nil {
			return fmt.Errorf("%s at byte %d: %w", kind, at, err)
		}
		raw := bin[at : len(bin)-reader.Len()]
		same, err := isGenuine(raw, value)
		records = append(records, record{kind, raw, value, same})
		return err
	})
	return records, err
}

// isGenuine encodes what was decoded and tells whether it is what was there.
func isGenuine(raw []byte, value any) (bool, error) {
	var again bytes.Buffer
	if err := codec.NewEncoder(&again, structs.MsgpackHandle).Encode(value); err != nil {
		return false, err
	}
	if bytes.Equal(raw, again.Bytes()) {
		return true, nil
	}
	var one, other any
	err := errors.Join(
		codec.NewDecoderBytes(raw, structs.MsgpackHandle).Decode(&one),
		codec.NewDecoderBytes(again.Bytes(), structs.MsgpackHandle).Decode(&other),
	)
	return len(raw) == again.Len() && reflect.DeepEqual(one, other), err
}

func verify(path string) error {
	archive, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	records, err := read(archive)
	if err != nil {
		return err
	}
	var order []nomad.SnapshotType
	counts, foreign := map[nomad.SnapshotType]int{}, map[nomad.SnapshotType]int{}
	for _, record := range records {
		if counts[record.kind]++; counts[record.kind] == 1 {
			order = append(order, record.kind)
		}
		if !record.same {
			foreign[record.kind]++
		}
	}
	for _, kind := range order {
		fmt.Printf("%3d %-20s %4d", kind, kind, counts[kind])
		if foreign[kind] > 0 {
			fmt.Printf("   %d not as genuine code writes them", foreign[kind])
		}
		fmt.Println()
	}
	// The state machine of a genuine server takes all of it.
	if _, _, _, err := raftutil.RestoreFromArchive(bytes.NewReader(archive), nil); err != nil {
		return err
	}
	return printVariables(os.Stdout, records)
}

// printVariables decrypts the variables for which the archive itself has the key.
func printVariables(out io.Writer, records []record) error {
	keys := map[string]cipher.AEAD{}
	for _, record := range records {
		if key, is := record.value.(*structs.RootKey); is {
			opened, err := unwrap(key)
			if err != nil {
				fmt.Fprintf(out, "key %s: %v\n", key.KeyID, err)
				continue
			}
			keys[key.KeyID] = opened
			fmt.Fprintf(out, "key %s: unwrapped\n", key.KeyID)
		}
	}
	for _, record := range records {
		variable, is := record.value.(*structs.VariableEncrypted)
		if !is {
			continue
		}
		key, known := keys[variable.KeyID]
		if !known || len(variable.Data) < key.NonceSize() {
			fmt.Fprintf(out, "%s %s: no key\n", variable.Namespace, variable.Path)
			continue
		}
		nonce, sealed := variable.Data[:key.NonceSize()], variable.Data[key.NonceSize():]
		clear, err := key.Open(nil, nonce, sealed, []byte(variable.KeyID))
		if err != nil {
			return fmt.Errorf("decrypt %s %s: %w", variable.Namespace, variable.Path, err)
		}
		var items structs.VariableItems
		if err := json.Unmarshal(clear, &items); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s: %s\n", variable.Namespace, variable.Path, clear)
	}
	return nil
}

// unwrap opens a root key by the key that lies beside it in clear.
func unwrap(key *structs.RootKey) (cipher.AEAD, error) {
	for _, wrapped := range key.WrappedKeys {
		if len(wrapped.KeyEncryptionKey) == 0 {
			continue
		}
		wrapper := aead.NewWrapper()
		if err := wrapper.SetAesGcmKeyBytes(wrapped.KeyEncryptionKey); err != nil {
			return nil, err
		}
		clear, err := wrapper.Decrypt(context.Background(), wrapped.WrappedDataEncryptionKey)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(clear)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	}
	return nil, errors.New("no key to unwrap it with")
}

// restore puts an archive into a genuine server and prints what clients read there.
func restore(path string) error {
	archive, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	server, err := start(false)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := server.restore(archive); err != nil {
		return err
	}
	query := structs.QueryOptions{Region: server.Region(), Namespace: "*"}
	var jobs structs.JobListResponse
	if err := server.RPC("Job.List", &structs.JobListRequest{QueryOptions: query}, &jobs); err != nil {
		return err
	}
	for _, job := range jobs.Jobs {
		fmt.Printf("job %s %s: %s\n", job.Namespace, job.ID, job.Status)
	}
	var listed structs.VariablesListResponse
	if err := server.RPC("Variables.List", &structs.VariablesListRequest{QueryOptions: query}, &listed); err != nil {
		return err
	}
	for _, variable := range listed.Data {
		query.Namespace = variable.Namespace
		var reply structs.VariablesReadResponse
		request := &structs.VariablesReadRequest{Path: variable.Path, QueryOptions: query}
		if err := server.RPC("Variables.Read", request, &reply); err != nil {
			fmt.Printf("variable %s %s: %v\n", variable.Namespace, variable.Path, err)
			continue
		}
		items, err := json.Marshal(reply.Data.Items)
		if err != nil {
			return err
		}
		fmt.Printf("variable %s %s: %s\n", variable.Namespace, variable.Path, items)
	}
	return nil
}
