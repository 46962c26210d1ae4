// Snapshots as genuine Nomad code writes and reads them.
//
//	go run -tags codegen_generated . make DIRECTORY    makes the fixtures of crates/archive anew
//	go run -tags codegen_generated . verify FILE       reads an archive, decodes its records, decrypts its variables
//	go run -tags codegen_generated . restore FILE      restores it into a server of its own and reads it there
//	go run -tags codegen_generated . rules FILE        shows the rules of a policy as the HTTP API does
//	go run -tags codegen_generated . types             lists what filter expressions can see
//
// With the tag, structures are encoded by generated code, as in released builds of Nomad; without it, by reflection,
// as in builds from its plain source. Nomad itself is only imported: nothing of it is part of this tree.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nomad:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "types" {
		types(os.Stdout)
		return nil
	}
	if len(args) != 2 {
		return errors.New("usage: make DIRECTORY | verify FILE | restore FILE | rules FILE | types")
	}
	switch command, path := args[0], args[1]; command {
	case "make":
		return makeFixtures(path)
	case "verify":
		return verify(path)
	case "restore":
		return restore(path)
	case "rules":
		return rules(path)
	default:
		return fmt.Errorf("unknown command %q", command)
	}
}

func makeFixtures(directory string) error {
	makers := []struct {
		name string
		make func() ([]byte, error)
	}{
		{"every-kind" + build + ".snap", everyKind},
		{"server" + build + ".snap", serverArchive},
		{"legacy" + build + ".snap", legacy},
	}
	for _, maker := range makers {
		archive, err := maker.make()
		if err != nil {
			return fmt.Errorf("%s: %w", maker.name, err)
		}
		path := filepath.Join(directory, maker.name)
		if err := os.WriteFile(path, archive, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s: %d bytes\n", path, len(archive))
	}
	return nil
}
