// Archives that genuine servers made go through the server without losing a record.
package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// genuine is an archive made by a genuine server; the test is skipped where there are none.
func genuine(t *testing.T, name string) []byte {
	t.Helper()
	directory := os.Getenv("STILLPOINT_FIXTURES")
	if directory == "" {
		directory = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(directory); err != nil {
		t.Skip("no genuine fixtures")
	}
	archive, err := os.ReadFile(filepath.Join(directory, "consul", name))
	ok(t, err)
	return archive
}

// lines are the records of an archive, sorted: their order is free.
func lines(t *testing.T, archive []byte) []string {
	t.Helper()
	opened, err := open(archive)
	ok(t, err)
	var lines []string
	for _, record := range opened.records {
		lines = append(lines, fmt.Sprintf("%d %x", record.kind, record.raw))
	}
	slices.Sort(lines)
	return lines
}

func TestGenuineArchivesAreSavedAsTheyWere(t *testing.T) {
	client := connect(t)
	blank(t, client)
	for _, name := range []string{"backup.snap", "backupWithKV.snap", "all.snap"} {
		t.Run(name, func(t *testing.T) {
			archive := genuine(t, name)
			ok(t, restore(client, archive))
			saved, _ := save(t, client, nil)
			want, got := lines(t, archive), lines(t, saved)
			equal(t, "records", len(got), len(want))
			if !slices.Equal(got, want) {
				t.Error("records differ")
			}
		})
	}
}
