package wire

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

var (
	idA  = strings.Repeat("a", 32)
	idB  = strings.Repeat("b", 32)
	soak = 5 * time.Second
	// full is one of every argument.
	full = Args{
		Level: dropcap.LevelLeast, Containers: []string{"web", "a_b.c-1"}, AcceptLow: true,
		Strategy: dropcap.StrategyInPlace,
		Plans: []Plan{{"0123456789ab", strings.Repeat("0", 64)},
			{"ba9876543210", strings.Repeat("f", 64)}},
		Soak: &soak, Timeout: 90 * time.Second, All: true, Of: []string{idB}, For: time.Hour,
		Workloads: []string{"compose:shop/web"},
		Part:      Part{2, 3, strings.Repeat("1", 64), []byte("evidence\xff")},
	}
)

// The documents let pass words of this form (internal/fleet/documents).
var documentForm = regexp.MustCompile(`^--[a-z]{1,12}(=[A-Za-z0-9_.,:/@=+%-]*)?$`)

func TestWhatIsSentIsReadAgain(t *testing.T) {
	for _, v := range Verbs {
		q := Request{
			Verb: v, ID: idA, Args: full, Each: true, Offset: 24000, Whole: true, Wait: time.Second,
		}
		words := q.Words()
		for _, w := range words {
			if !documentForm.MatchString(w) {
				t.Errorf("%s: no document lets %q pass", v.Name, w)
			}
		}
		got, err := Parse(append([]string{v.Name, "--request=" + idA}, words...))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if again := got.Words(); !slices.Equal(words, again) || got.ID != idA {
			t.Errorf("%s: %q became %q", v.Name, words, again)
		}
		if args, err := ParseArgs(v.Name, v.Words(full)); err != nil ||
			!reflect.DeepEqual(args, got.Args) {
			t.Errorf("%s: %+v, %v", v.Name, args, err)
		}
	}
}

// All that decides what a verb may do stands in its row, and no row leaves anything of it open.
func TestEachRowIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, v := range Verbs {
		if names[v.Name] || len(v.Documents) == 0 {
			t.Errorf("%s stands twice, or nothing carries it", v.Name)
		}
		names[v.Name] = true
		recorded := v.Do != nil
		switch {
		case recorded && v.Asks, v.Recovers && !v.Asks:
			t.Errorf("%s is of two kinds", v.Name)
		case (v.Changes || v.Recovers) && slices.Contains(v.Documents, LookDocument):
			t.Errorf("who may only look may %s", v.Name)
		case v.Changes && v.Report.Schema != dropcap.SchemaChange:
			t.Errorf("%s does not tell what it changed", v.Name)
		}
		for _, a := range v.arguments() {
			if slices.ContainsFunc(transport, func(o *Argument) bool { return o.Name == a.Name }) {
				t.Errorf("--%s of %s means two things", a.Name, v.Name)
			}
		}
	}
	if v, ok := Lookup("rm"); ok || v.Do != nil || v.Changes || v.Done(dropcap.ExitError) {
		t.Errorf("a verb that there is not: %+v", v)
	}
}

func TestNothingElseIsTaken(t *testing.T) {
	id := "--request=" + idA
	for _, words := range [][]string{
		{}, {"work"}, {"audit"}, {"audit", id, id}, {"audit", id, "--level=high"},
		{"audit", id, "--level="},
		{"audit", id, "level=cis"}, {"audit", id, "--container=--all"},
		{"audit", id, "--container=a b"},
		{"audit", id, "--container=a\nb"}, {"audit", id, "--of=" + idB}, {"audit", id, "--whole=1"},
		{"learn", id, "--for=0s"}, {"learn", id, "--for=" + strings.Repeat("999999h", 9)},
		{"receive", id, "--part=3/2", "--sum=" + strings.Repeat("1", 64), "--data=aaaa"},
		{"receive", id, "--part=1/2", "--sum=" + strings.Repeat("1", 64), "--data=a"},
		{"apply", id}, {"backout", id, "--of=x"}, {"receipt"}, {"recover", id},
	} {
		var e *dropcap.Error
		if _, err := Parse(words); !errors.As(err, &e) || e.Code != dropcap.CodeUsage {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// A request that comes again is the recorded one, whichever hosts' plans it was sent with.
func TestARequestIsKnownAgain(t *testing.T) {
	apply := func(words ...string) Request {
		q, err := Parse(append([]string{"apply", "--request=" + idA}, words...))
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	one, two := "--plans="+full.Plans[0].String(), "--plans="+full.Plans[1].String()
	recorded := apply("--soak=5s", one).Recorded()
	for want, q := range map[bool]Request{true: apply("--soak=5s", two),
		false: apply("--soak=6s", one)} {
		if q.Same(recorded) != want {
			t.Errorf("%q and %q", q.Recorded(), recorded)
		}
	}
	if !apply(one).Same(nil) {
		t.Error("one that was taken back before it came")
	}
	part, _ := Parse([]string{"receive", "--request=" + idA, "--part=1/1",
		"--sum=" + strings.Repeat("1", 64), "--data=aaaa"})
	if data := part.Recorded()[2]; !strings.HasPrefix(data, "--data=sha256:") ||
		!part.Same(part.Recorded()) {
		t.Errorf("what is large is kept: %s", data)
	}
}

func TestEachNodeHasNamesOfItsOwn(t *testing.T) {
	q := Request{ID: idA, Each: true, Args: Args{Of: []string{idA, idB}}}
	own := q.On("i-1")
	want := []string{dropcap.RequestOf(idA, "i-1"), dropcap.RequestOf(idB, "i-1")}
	if own.Each || own.ID != want[0] || !slices.Equal(own.Of, want) || q.Of[0] != idA {
		t.Errorf("%+v of %+v", own, q)
	}
	if q.Each = false; q.On("i-1").ID != idA {
		t.Error("a request of one host is named anew")
	}
}

func TestWarningsOfOlderHostsAreFound(t *testing.T) {
	r := dropcap.Receipt{Messages: []string{"create-new create web", WarningPrefix + "web is left"}}
	if got := Warnings(r); !slices.Equal(got, []string{"web is left"}) {
		t.Errorf("%q", got)
	}
	if r.Warnings = []string{}; len(Warnings(r)) != 0 {
		t.Error("what a newer host did not warn of")
	}
}

func TestADocumentIsPutTogetherOfItsParts(t *testing.T) {
	whole := []byte(strings.Repeat("evidence ", 5000))
	var got []byte
	for i, p := range Parts(whole) {
		if p.Number != i+1 || p.Count != 3 {
			t.Errorf("part %d of %d", p.Number, p.Count)
		}
		if n := len(strings.Join(Words("receive", Args{Part: p}), " ")); n > 21000 {
			t.Errorf("a part of %d characters", n)
		}
		got = append(got, p.Data...)
	}
	if string(got) != string(whole) {
		t.Error("it is another document")
	}
}

// Whatever is read is written as nothing but words that a document lets pass, and read again as the
// same.
func FuzzParse(f *testing.F) {
	for _, v := range Verbs {
		f.Add(v.Name + " --request=" + idA + " " + strings.Join(v.Words(full), " "))
	}
	f.Add("audit --request=" + idA + " --container=$(id)")
	f.Fuzz(func(t *testing.T, line string) {
		q, err := Parse(strings.Split(line, " "))
		if err != nil {
			return
		}
		words := append([]string{q.Verb.Name}, q.Words()...)
		if q.ID != "" {
			words = append(words, "--request="+q.ID)
		}
		for _, w := range words[1:] {
			if !documentForm.MatchString(w) {
				t.Fatalf("%q of %q", w, line)
			}
		}
		again, err := Parse(words)
		if err != nil || !slices.Equal(again.Words(), q.Words()) {
			t.Fatalf("%q, %v", words, err)
		}
	})
}
