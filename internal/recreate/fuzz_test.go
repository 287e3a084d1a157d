package recreate_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"dropcap"
	"dropcap/internal/recreate"
)

const small = `{"Id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","Name":"/a","Image":"sha256:1","State":{"Running":true},
"Mounts":[{"Type":"volume","Name":"v","Destination":"/d","Driver":"local","RW":true}],"Config":{"Image":"a:1","Env":["A=b"],"Cmd":["c"],"Labels":{"l":"m"}},
"HostConfig":{"NetworkMode":"n","Binds":["v:/d"],"PortBindings":{"80/tcp":[{"HostPort":"1"}]},"Links":["/b:/a/c"],"Sysctls":{"net.ipv4.conf.eth0.x":"1"}},
"NetworkSettings":{"Networks":{"n":{"Aliases":["0123456789ab","x"],"IPAMConfig":{"IPv4Address":"10.0.0.1"}}}}}`

// FuzzRead reads any answers, and does everything with what could be read.
func FuzzRead(f *testing.F) {
	for _, api := range []string{"1.41", "1.45", "1.56"} {
		f.Add([]byte(small), []byte(
			`{"Id":"sha256:1","RepoTags":["a:1"],"Config":{"Env":["A=b"]}}`),
			[]byte(`[{"Path":"/x","Kind":1}]`),
			[]byte("36 35 98:0 / /d/x rw - ext3 /dev/root rw\n"), api)
	}
	f.Fuzz(func(t *testing.T, inspect, image, changes, mountinfo []byte, api string) {
		r, err := recreate.Read(recreate.Original{API: api, Engine: "docker", Inspect: inspect,
			Image: image, Changes: changes, MountInfo: mountinfo})
		if err != nil {
			if r != nil {
				t.Fatal("an error and a recipe")
			}
			return
		}
		everything(t, r, inspect)
	})
}

// Real answers with a few of their values replaced by nasty ones, or by each other.
func TestNastyAnswers(t *testing.T) {
	n := 400
	if full {
		n = 8_000
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	all := kept(t, kinds[random.IntN(len(kinds))])
	names := slices.Sorted(maps.Keys(all))
	read := 0
	for range n {
		o := all[names[random.IntN(len(names))]]
		o.Inspect, o.Image = spoilt(t, random, o.Inspect), spoilt(t, random, o.Image)
		r, err := recreate.Read(o)
		if err != nil {
			continue
		}
		read++
		everything(t, r, o.Inspect)
	}
	if read < n/10 {
		t.Errorf("only %d of %d could be read", read, n)
	}
}

// nasty are values that somebody might put somewhere.
var nasty = strings.Split(
	"null·\"\"·\"x\"·\"container:\"·\"container:x\"·\"host\"·\"/\"·\":\"·\"a:b:c:d\"·\"\\u001b[31m\\n\"·\"'\"·\"$(id)\"·\"../..\"·\"99999999999999999999\"·-1·1e30·0·true·[]·[\"\"]·[null]·{}·{\"\":null}", "·")

func nastyValue(random *rand.Rand) (v any) {
	if err := json.Unmarshal([]byte(nasty[random.IntN(len(nasty))]), &v); err != nil {
		panic(err)
	}
	return v
}

func spoilt(t *testing.T, random *rand.Rand, raw json.RawMessage) json.RawMessage {
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for range 1 + random.IntN(3) {
		spoil(random, doc)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// spoil goes down to some value and replaces it.
func spoil(random *rand.Rand, v any) {
	for {
		var next any
		var put func(any)
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				return
			}
			key := slices.Sorted(maps.Keys(v))[random.IntN(len(v))]
			next, put = v[key], func(x any) { v[key] = x }
			if random.IntN(20) == 0 {
				put = func(x any) { v["\u202e\n"+key] = x }
			}
		case []any:
			if len(v) == 0 {
				return
			}
			i := random.IntN(len(v))
			next, put = v[i], func(x any) { v[i] = x }
		default:
			return
		}
		deep := false
		switch next.(type) {
		case map[string]any, []any:
			deep = random.IntN(8) > 0
		}
		if !deep {
			put(nastyValue(random))
			return
		}
		v = next
	}
}

func everything(t *testing.T, r *recreate.Recipe, inspect []byte) {
	if d := recreate.Compare(inspect, inspect); len(d) > 0 && d[0].Path != "" {
		t.Fatalf("it differs from itself: %v", d)
	}
	if first, second := r.Declared(), r.Declared(); string(first) != string(second) {
		t.Fatal("two fingerprints")
	}
	if _, err := recreate.Uses(inspect); err != nil {
		t.Fatal(err)
	}
	g := dropcap.Grant{CapDrop: []string{"ALL"}}
	var texts []string
	for _, x := range r.Refusals(recreate.Options{}) {
		texts = append(texts, x.Message)
	}
	texts = append(append(texts, r.Warnings()...), r.Unsaid()...)
	texts = append(texts, r.Deprivileged()...)
	by := r.Command(g, "x.env")
	line, file := by.Fetch+by.Line, by.File
	for _, d := range r.Check(inspect, g) {
		texts = append(texts, d.Path)
	}
	if strings.ContainsFunc(line, func(c rune) bool { return c == '\n' || !unicode.IsPrint(c) }) {
		t.Fatalf("a line that would not be printed as it is: %q", line)
	}
	for l := range strings.Lines(string(file)) {
		if len(l) > 64<<10 {
			t.Fatalf("a line of %d bytes", len(l))
		}
	}
	for _, text := range texts {
		if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Fatalf("a sentence that would not be printed as it is: %q", text)
		}
	}
	c, err := r.Create("other", g)
	if err != nil {
		return
	}
	if !json.Valid(c.Body) {
		t.Fatalf("no JSON: %q", c.Body)
	}
	for _, n := range c.Connect {
		if !json.Valid(n.Body("id")) {
			t.Fatalf("no JSON: %q", n.Endpoint)
		}
	}
}
