//go:build codegen_generated

package main

// build is what the names of fixtures say of how structures were encoded.
const build = ""
