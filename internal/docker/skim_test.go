package docker

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

func skimmed(text string, keep ...string) ([]map[string]string, error) {
	var out []map[string]string
	err := newSkimmer(strings.NewReader(text), keep...).
		list(func(m map[string]json.RawMessage) error {
			one := map[string]string{}
			for k, v := range m {
				one[k] = string(v)
			}
			out = append(out, one)
			return nil
		})
	return out, err
}

func TestSkimmingKeepsWhatIsAskedFor(t *testing.T) {
	type m = map[string]string
	long := strings.Repeat("x", maxValue)
	for _, test := range []struct {
		text string
		want []m
	}{
		{`[]`, nil},
		{" [ ] \n", nil},
		{`null`, nil},
		{`[{}]`, []m{{}}},
		{`[{"a":1,"b":2},{"b":[3,{"a":9}],"a":"x\"]}"}]`, []m{{"a": "1"}, {"a": `"x\"]}"`}}},
		{` [ { "a" : { "deep" : [ 1 , "}" ] } , "z" : null } ] `, []m{{"a": `{"deep":[1,"}"]}`}}},
		{`[{"a":true},{"\u0061":-1.5e3}]`, []m{{"a": "true"}, {"a": "-1.5e3"}}},
		{`[{"z":"` + long + long + `","a":1},{"a":2}]`, []m{{"a": "1"}, {"a": "2"}}},
		{`[{"a":"` + long + `"},{"a":2}]`, []m{{}, {"a": "2"}}},
		{`[{"` + long + `":1,"a":1}]`, []m{{"a": "1"}}},
	} {
		got, err := skimmed(test.text, "a")
		if err != nil || !slices.EqualFunc(got, test.want, maps.Equal[m, m]) {
			t.Errorf("%.60s: got %.200v, %v", test.text, got, err)
		}
	}
}

func TestSkimmingRefusesWhatIsNoList(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `nul`, `nulls`, `nonsense`, `[1,2]`, `[{"a":1}`, `[{"a":1},]`, `[{"a":1}{"a":2}]`,
		`[{"a":1,}]`, `[{"a" 1}]`, `[{a:1}]`, `[{"a":1}]x`,
		`[{"a":"x`, `[{"a":[1`, `[` + strings.Repeat(`[`, 300),
		`[{"a":` + strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300) + `}]`, `[{,}]`,
		`[{"a":1 "b":2}]`,
	} {
		if got, err := skimmed(text, "a", "b"); err == nil {
			t.Errorf("%.40q gives %v", text, got)
		}
	}
}

// FuzzSkimming: skimming accepts every list of objects that the standard decoder accepts, and finds
// the same in it.
func FuzzSkimming(f *testing.F) {
	for _, seed := range []string{`[]`, `null`, `[{"a":1}]`, `[{"a":{"b":[1,"]"]}},{}]`,
		`[{"b":"\\","a":"\""}]`, `[{"a":1,"a":2}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want []map[string]json.RawMessage
		err := json.Unmarshal([]byte(text), &want)
		got, mine := skimmed(text, "a")
		if err != nil || slices.ContainsFunc(want, func(m map[string]json.RawMessage) bool {
			return m == nil
		}) {
			return // skimming is laxer within what it skips
		}
		if errors.Is(mine, errDeep) || len(text) > mostKey {
			return
		}
		if mine != nil || len(got) != len(want) {
			t.Fatalf("%q: %v, %v", text, got, mine)
		}
		for i, m := range want {
			var a, b any
			if (m["a"] == nil) != (got[i]["a"] == "") ||
				m["a"] != nil && json.Unmarshal([]byte(got[i]["a"]), &a) != nil {
				t.Fatalf("%q: %q", text, got[i]["a"])
			}
			_ = json.Unmarshal(m["a"], &b) // a missing one is nil
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Fatalf("%q: %s, want %s", text, x, y)
			}
		}
	})
}

func TestSkimmingTellsABrokenConnection(t *testing.T) {
	b := &bounded{r: io.MultiReader(strings.NewReader(`[{"a":`), broken{}), left: 100}
	if err := newSkimmer(b).list(nil); err == nil || b.broken == nil {
		t.Errorf("%v, %v", err, b.broken)
	}
	b = &bounded{r: strings.NewReader(`[{"a":"` + strings.Repeat("x", 200)), left: 100}
	var large tooLarge
	if err := newSkimmer(b).list(nil); !errors.As(err, &large) {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset") }
