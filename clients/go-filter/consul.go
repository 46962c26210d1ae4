//go:build consul

package main

import (
	"reflect"

	"github.com/hashicorp/go-bexpr"
)

// Loose is what this edition can't look at.
type Loose struct{}

var loose = Loose{}

func evaluator(text string) (func(any) (bool, error), error) {
	evaluator, err := bexpr.CreateEvaluatorForType(text, nil, reflect.TypeOf(Thing{}))
	if err != nil {
		return nil, err
	}
	return evaluator.Evaluate, nil
}
