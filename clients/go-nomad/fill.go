// Structures filled field by field, so that an archive shows how every one of them is written.
package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// filler makes values that are the same in every run. Numbers are such that their codes differ: those of odd fields
// need two bytes, those of even ones four.
type filler struct {
	count int
	// Types that are being filled: a structure that contains itself is left out inside itself.
	open map[reflect.Type]bool
}

var timeType = reflect.TypeFor[time.Time]()

// moment is the time that filled fields show.
var moment = time.Unix(1_710_350_056, 693_000_000).UTC()

// full returns a T none of whose fields is zero, as far as its type allows.
func full[T any]() *T {
	value := new(T)
	fill := filler{open: map[reflect.Type]bool{}}
	fill.value(reflect.ValueOf(value).Elem(), "value")
	return value
}

func (f *filler) value(value reflect.Value, name string) {
	f.count++
	switch kind := value.Kind(); {
	case value.Type() == timeType:
		value.Set(reflect.ValueOf(moment))
	case kind == reflect.String:
		value.SetString(fmt.Sprintf("%s-%d", strings.ToLower(name), f.count))
	case kind == reflect.Bool:
		value.SetBool(true)
	case value.CanInt():
		value.SetInt(f.integer(value.Type().Bits()))
	case value.CanUint():
		value.SetUint(uint64(f.integer(value.Type().Bits())))
	case value.CanFloat():
		value.SetFloat(float64(f.count) + 0.5)
	case kind == reflect.Interface && value.NumMethod() == 0:
		value.Set(reflect.ValueOf(f.anything()))
	case kind == reflect.Pointer:
		if !f.open[value.Type().Elem()] {
			value.Set(reflect.New(value.Type().Elem()))
			f.value(value.Elem(), name)
		}
	case kind == reflect.Slice:
		f.slice(value, name)
	case kind == reflect.Array:
		for at := range value.Len() {
			f.value(value.Index(at), name)
		}
	case kind == reflect.Map:
		f.entry(value, name)
	case kind == reflect.Struct:
		f.fields(value)
	}
}

func (f *filler) integer(bits int) int64 {
	switch {
	case bits == 8:
		return 77
	case f.count%7 == 0:
		return int64(f.count % 100)
	case bits == 16 || f.count%2 == 1:
		return 300 + int64(f.count%10_000)
	case bits == 32 || f.count%3 == 0:
		return 70_000 + int64(f.count)
	default:
		return 5_000_000_000 + int64(f.count)
	}
}

// anything is what configuration of free form may hold.
func (f *filler) anything() any {
	return []any{"text", int64(f.count), int64(-200), uint64(300), true, 1.25, nil, map[string]any{"key": "value"}}
}

func (f *filler) slice(value reflect.Value, name string) {
	if value.Type().Elem().Kind() == reflect.Uint8 {
		value.SetBytes([]byte(fmt.Sprintf("bytes-%d", f.count)))
		return
	}
	if element := value.Type().Elem(); element.Kind() == reflect.Pointer && f.open[element.Elem()] {
		return
	}
	value.Set(reflect.MakeSlice(value.Type(), 1, 1))
	f.value(value.Index(0), name)
}

// entry gives a map one entry, as the order of several would differ from run to run.
func (f *filler) entry(value reflect.Value, name string) {
	value.Set(reflect.MakeMap(value.Type()))
	key := reflect.New(value.Type().Key()).Elem()
	f.value(key, "key")
	content := reflect.New(value.Type().Elem()).Elem()
	if element := value.Type().Elem(); element.Kind() == reflect.Pointer && f.open[element.Elem()] {
		return
	}
	f.value(content, name)
	value.SetMapIndex(key, content)
}

func (f *filler) fields(value reflect.Value) {
	if f.open[value.Type()] {
		return
	}
	f.open[value.Type()] = true
	defer delete(f.open, value.Type())
	for at := range value.NumField() {
		if field := value.Type().Field(at); field.IsExported() {
			f.value(value.Field(at), field.Name)
		}
	}
}
