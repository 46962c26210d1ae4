//go:build !consul

package main

import "github.com/hashicorp/go-bexpr"

// Loose is what Consul's edition can't look at.
type Loose struct {
	Any  map[string]any
	Hash []byte
}

var loose = Loose{Any: map[string]any{"a": 1, "b": "text", "list": []any{1, "x", true}}, Hash: []byte("abc")}

func evaluator(text string) (func(any) (bool, error), error) {
	evaluator, err := bexpr.CreateEvaluator(text)
	if err != nil {
		return nil, err
	}
	return evaluator.Evaluate, nil
}
