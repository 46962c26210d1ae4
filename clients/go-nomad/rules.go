// What genuine Nomad makes of the rules of a policy, and which fields its filter expressions can see.
package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/nomad/acl"
	"github.com/hashicorp/nomad/nomad/structs"
)

// rules prints the rules in a file as the HTTP API shows them.
func rules(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	policy, err := acl.Parse(string(text), acl.PolicyParseLenient)
	if err != nil {
		return err
	}
	if err := codec.NewEncoder(os.Stdout, structs.JsonHandleWithExtensions).Encode(policy); err != nil {
		return err
	}
	_, err = fmt.Println()
	return err
}

// types prints, one to a line, the structures that lists are made of, with their fields.
func types(out io.Writer) {
	listed := listing{}
	for _, root := range []any{structs.VariableEncrypted{}, structs.ACLToken{}, structs.Job{}} {
		listed.spell(reflect.TypeOf(root))
	}
	names := make([]string, 0, len(listed))
	for name := range listed {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintln(out, strings.Join(append([]string{name}, listed[name]...), " "))
	}
}

// listing holds the fields of structures by their names.
type listing map[string][]string

func (l listing) spell(kind reflect.Type) string {
	switch kind.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "uint"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.String:
		return "text"
	case reflect.Interface:
		return "any"
	case reflect.Ptr:
		return "*" + l.spell(kind.Elem())
	case reflect.Slice, reflect.Array:
		if kind.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + l.spell(kind.Elem()) + "]"
	case reflect.Map:
		if kind.Key().Kind() == reflect.String {
			return "{" + l.spell(kind.Elem()) + "}"
		}
	case reflect.Struct:
		if _, known := l[kind.Name()]; !known {
			l[kind.Name()] = nil
			var fields []string
			for _, field := range reflect.VisibleFields(kind) {
				if field.IsExported() && len(field.Index) == 1 {
					fields = append(fields, field.Name+":"+l.spell(field.Type))
				}
			}
			l[kind.Name()] = fields
		}
		return kind.Name()
	}
	return "odd"
}
