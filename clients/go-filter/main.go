// Filter expressions as the genuine libraries answer them, for tests of ours.
//
//	go run . > ../../crates/dialects/tests/fixtures/filter-nomad.txt
//	go run -modfile consul.mod -tags consul . > ../../crates/dialects/tests/fixtures/filter-consul.txt
//
// The first line holds the things that are asked about, as JSON. Each further line is the answer to one expression,
// a tab and the expression in quotes: X if it can't be read, or else for each thing T, F, E for an error, or P where the
// library panics.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
)

type Deeper struct {
	Name string
	Tags []string
}

type Inner struct {
	Name string
	Port int
	Deep *Deeper
	Tags []string
}

type Thing struct {
	ID    string
	Count int
	Size  uint64
	Ratio float64
	On    bool
	Tags  []string
	Ports []int
	Meta  map[string]string
	Named map[string]Inner
	One   Inner
	Maybe *Inner
	List  []Inner
	Refs  []*Inner
	Loose
}

var things = []Thing{
	{},
	{
		ID: "web-1", Count: -3, Size: 7, Ratio: 0.5, On: true, Tags: []string{"a", "b c", "1"}, Ports: []int{80, 443},
		Meta:  map[string]string{"env": "prod", "a b": "x", "n": "1"},
		Named: map[string]Inner{"lan": {Name: "l", Port: 1}, "wan": {Name: "w", Port: 2}},
		One:   Inner{Name: "web", Port: 80, Deep: &Deeper{Name: "deep", Tags: []string{"t"}}},
		Maybe: &Inner{Name: "maybe", Port: 443},
		List:  []Inner{{Name: "web", Port: 80}, {Name: "api", Port: 8080, Tags: []string{"a"}}},
		Refs:  []*Inner{{Name: "r1"}, {Name: "r2", Port: 80}},
		Loose: loose,
	},
	{ID: "true", Count: 10, Size: 1 << 40, Ratio: 2, Tags: []string{}, Meta: map[string]string{"env": ""}, List: []Inner{{}}},
}

var handmade = []string{
	"", " ", "ID", "ID ==", "ID == web-1", `ID == "web-1"`, "ID==`web-1`", `"web" in ID`, `ID contains "1"`, `ID not contains web`,
	"not ID == true", "not not ID == true", "not(ID == true)", "(ID == true)", "((ID == true))", "( ID == true or On == true )",
	"ID == true and On == false or Count == 10", "On == 1", "On == yes", "Count == -3", "Count == 0x0a", `Count == "0x0a"`, `Count == "0b1010"`,
	`Count == "1_0"`, `Count == "012"`, "Count == 10.5", "Count == 01", "Ratio == 0.5", "Ratio == 2", "Size == -1", "Size == 1099511627776",
	"Size == 99999999999999999999", "Tags is empty", "Tags is not empty", "Tags is nil", "Tags is not nil", "Meta is empty", "One is empty",
	"Maybe is nil", "Maybe is not nil", "One is nil", "ID is nil", "ID is empty", "Count is empty", "a in Tags", `"b c" in Tags`, "1 in Tags",
	"80 in Ports", "x in Ports", "80 not in Ports", "env in Meta", "Meta contains env", "Meta.env == prod", `Meta["a b"] == x`,
	`Meta[ "a b" ] != x`, "Meta.none == x", "Meta.none != x", "Meta.none is empty", "Meta.none is not empty", "Meta.none matches x",
	"Meta.none not matches x", "x in Meta.none", "x not in Meta.none", "Meta.none.more == x", "Named.lan.Port == 1", "Named.none.Port == 1",
	"Named.lan.None == 1", "One.Name == web", "One.Deep.Name == deep", "Maybe.Name == maybe", "Maybe.Port == 443", "List.Name == web",
	"List.0.Name == web", "List.9.Name == web", "List.x.Name == web", "List.Port == 8080", `List["0"].Name == web`, "Refs.0.Name == r1",
	"Refs.Name == r1", "80 in List", "None == 1", "none in None", "ID matches `^w`", "ID matches `(`", "ID not matches `web-[0-9]+`",
	"Count matches 1", "Tags matches a", "ID.Name == x", `"/ID" == "web-1"`, `"/Meta/env" == prod`, `"/Meta/a~1b" == x`, `ID == "/web-1"`,
	`"/List/0/Name" == web`, `"" == x`, `"/" == x`, `ID == ""`, "any Tags as t { t == a }", "all Tags as t { t != a }",
	"any Meta as k { k == env }", "any Meta as k, v { k == env and v == prod }", "any Meta as _, v { v == prod }", "any Meta as k, _ { k == env }",
	"any List as x { x.Port == 80 }", "any List as i, x { i == 1 and x.Name == api }", "all List as x { x.Port != 80 }",
	"any List as x { any x.Tags as t { t == a } }", "any ID as x { x == a }", "any Maybe as x { x == a }", "any Meta as k, k { k == a }",
	"any Tags as t { t.x == a }", "any Meta as k { k.x == a }", "any None as k { k == a }", "any Meta.none as k { k == a }",
	"all Meta.none as k { k == a }", "On == true and any Tags as t { t == a }", "On == true or any Tags as t { t == a }",
	"On == true and (any Tags as t { t == a })", "any Tags as t { t == a } or On == false", "any Tags as t{t == a}", "any Tags as t{ t==`a`}",
	"Loose.Any.a == 1", "Loose.Any.b == text", "Loose.Any.list contains 1", "Loose.Any.list contains x", "Loose.Any.none == 1", "Any == 1",
	"not == 3", "not in Tags", "any == 3", "in in Tags", "ID == \"a\\tb\"", `ID == "a\"b"`, "ID == 'x'", "ID == \"web-1", "(ID == x", "ID == x)",
	"ID  ==\tx", "ID\n==\nx", "ID == x y", "ID == x  ", "a/b == 1", "ID == a/b", "ID == a.b", `ID == a["b"]`, "ID == 3)", "ID == 3}", "ID.== 3",
	"Meta.env.x == 1", "Meta[env] == 1", `Meta["env" == 1`, "ID == -", "ID == -x", "_ID == 1", "1ID == 1", "ID is emptyx", "ID isempty",
	"ID not == x", "ID contains", "ID contains  web", "not  not not ID == true", "ID == true andOn == false", "ID == true and  On == false",
	"(ID == true)and(On == false)", "(ID == true) and(On == false)", "Loose.Hash is empty", "Loose.Hash is nil", "Loose.Hash matches a",
}

var pools = map[string][]string{
	"selector": {"ID", "Count", "Size", "Ratio", "On", "Tags", "Ports", "Meta", "Meta.env", "Meta.none", `Meta["a b"]`, "Named", "Named.lan",
		"Named.lan.Port", "Named.none.Port", "One", "One.Name", "One.Deep.Name", "One.Deep.Tags", "Maybe", "Maybe.Port", "List", "List.Name",
		"List.Port", "List.0.Name", "List.Tags", "Refs", "Refs.Port", "None", "x", "x.Name", "Loose.Any.a", "Loose.Any.list", `"/ID"`, `"/Meta/env"`},
	"value":  {"web", `"web-1"`, "`b c`", "1", "80", "-3", "0.5", "true", "false", "t", `""`, "10", "env", "prod", `"x"`, "a", "`^a`", "`(`", "2.0", "\"/a/b\""},
	"op":     {" == ", "==", " != ", " contains ", " not contains ", " matches ", " not matches "},
	"state":  {" is empty", " is not empty", " is nil", " is not nil"},
	"member": {" in ", " not in "},
	"join":   {" and ", " or ", " and not "},
	"noise":  {" ", "(", ")", "{", "}", ".", "not ", "any ", "[", "\"", "=", " as x", "0", "-"},
}

func pick(random *rand.Rand, pool string) string {
	return pools[pool][random.Intn(len(pools[pool]))]
}

func expression(random *rand.Rand, depth int) string {
	switch choice := random.Intn(12); {
	case choice < 4 || depth == 0:
		return pick(random, "selector") + pick(random, "op") + pick(random, "value")
	case choice < 5:
		return pick(random, "selector") + pick(random, "state")
	case choice < 6:
		return pick(random, "value") + pick(random, "member") + pick(random, "selector")
	case choice < 7:
		return "not " + expression(random, depth-1)
	case choice < 8:
		return "(" + expression(random, depth-1) + ")"
	case choice < 10:
		return expression(random, depth-1) + pick(random, "join") + expression(random, depth-1)
	case choice < 11:
		return "(any " + pick(random, "selector") + " as x { " + expression(random, depth-1) + " })"
	default:
		return "all " + pick(random, "selector") + " as i, x { " + expression(random, depth-1) + " }"
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	first, err := json.Marshal(things)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(out, "%s\n", first)
	seen := map[string]bool{}
	write := func(text string) {
		if !seen[text] {
			seen[text] = true
			fmt.Fprintf(out, "%s\t%s\n", answers(text), strconv.Quote(text))
		}
	}
	for _, text := range handmade {
		write(text)
	}
	random := rand.New(rand.NewSource(1))
	for range 2500 {
		text := expression(random, 3)
		if random.Intn(4) == 0 {
			place := random.Intn(len(text))
			if random.Intn(2) == 0 {
				text = text[:place] + pick(random, "noise") + text[place:]
			} else {
				text = text[:place] + text[place+1:]
			}
		}
		write(text)
	}
}

func answers(text string) string {
	ask, err := evaluator(text)
	if err != nil {
		return "X"
	}
	var all strings.Builder
	for _, thing := range things {
		all.WriteString(answer(ask, thing))
	}
	return all.String()
}

func answer(ask func(any) (bool, error), thing Thing) (result string) {
	defer func() {
		if recover() != nil {
			result = "P"
		}
	}()
	switch is, err := ask(thing); {
	case err != nil:
		return "E"
	case is:
		return "T"
	default:
		return "F"
	}
}
