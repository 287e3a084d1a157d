package fleet

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/wire"
)

type content struct {
	SchemaVersion string
	Parameters    map[string]struct {
		Type, AllowedPattern string
		AllowedValues        []string
		MaxChars             int
	}
	MainSteps []struct {
		Action       string
		Precondition map[string][]string
		Inputs       struct{ RunCommand []string }
	}
}

func documents(t *testing.T) map[string]content {
	t.Helper()
	all := map[string]content{}
	for _, d := range Documents() {
		var c content
		if err := json.Unmarshal([]byte(d.Content), &c); err != nil {
			t.Fatal(err)
		}
		all[d.Name] = c
	}
	return all
}

func TestEachParameterIsHeldToAForm(t *testing.T) {
	for name, c := range documents(t) {
		if c.SchemaVersion != "2.2" || len(c.MainSteps) != 1 ||
			c.MainSteps[0].Precondition["StringEquals"][1] != "Linux" {
			t.Errorf("%s: %+v", name, c.MainSteps)
		}
		for p, d := range c.Parameters {
			if d.AllowedPattern == "" && len(d.AllowedValues) == 0 {
				t.Errorf("%s: %s may be anything", name, p)
			}
			if d.AllowedPattern != "" && (d.AllowedPattern[0] != '^' ||
				!strings.HasSuffix(d.AllowedPattern, "$")) {
				t.Errorf("%s: %s may be a part only", name, p)
			}
		}
		for _, verb := range c.Parameters["verb"].AllowedValues {
			if v, ok := wire.Lookup(verb); !ok || !slices.Contains(v.Documents, name) {
				t.Errorf("%s does %s, and the table says %v", name, verb, v.Documents)
			}
		}
	}
	for _, v := range wire.Verbs {
		for _, name := range v.Documents {
			if !slices.Contains(documents(t)[name].Parameters["verb"].AllowedValues, v.Name) {
				t.Errorf("%s does not do %s, and the table says so", name, v.Name)
			}
		}
	}
	look := documents(t)[LookDocument].Parameters["verb"].AllowedValues
	for _, verb := range []string{"apply", "backout", "learn", "receive", "recover"} {
		v, _ := wire.Lookup(verb)
		if slices.Contains(look, verb) || !slices.Equal(v.Documents, []string{ChangeDocument}) {
			t.Errorf("who may only look may %s", verb)
		}
	}
}

// What a shell would take for its own passes neither the documents nor Script.
func TestNothingIsInjected(t *testing.T) {
	bad := []string{"--level=cis;id", "--level=$(id)", "--level=`id`", "--level=cis\nid",
		"--level=cis\n", "--level='x'", `--level="x"`, "--container=*", "--container=~",
		"--container=a?",
		"--level=cis>x", "--level=<x", "--level=a|b", "--level=a&b", "--level=a\\b",
		"--level={a,b}", "--level=[a]", "--level=!x", "--level=#x", "--level=a\tb", "-x", "level",
		"--level=\x00", "--level=é"}
	for name, c := range documents(t) {
		pattern := regexp.MustCompile(c.Parameters["arguments"].AllowedPattern)
		for _, word := range bad {
			if pattern.MatchString(word) || pattern.MatchString("--all "+word) {
				t.Errorf("%s lets %q pass", name, word)
			}
		}
		for _, fine := range []string{"", "--all", "--level=cis --container=a_b.c-1 --container=x",
			"--plans=0123456789ab:" + strings.Repeat("0", 64) + ",x", "--workload=compose:shop/web",
			"--data=" + strings.Repeat("x", 40000) + "=="} {
			if !pattern.MatchString(fine) {
				t.Errorf("%s refuses %.60q", name, fine)
			}
		}
		if pattern.MatchString("--all  --all") || pattern.MatchString(" --all") {
			t.Errorf("%s: spaces", name)
		}
		request := regexp.MustCompile(c.Parameters["request"].AllowedPattern)
		if request.MatchString(strings.Repeat("a", 31)) ||
			request.MatchString(strings.Repeat("a", 32)+"'") {
			t.Errorf("%s: request", name)
		}
		for seconds, ok := range map[string]bool{"4": false, "5": true, "120": true, "172800": true,
			"172801": false, "0120": false} {
			if regexp.MustCompile(c.Parameters["executionTimeout"].AllowedPattern).
				MatchString(seconds) != ok {
				t.Errorf("%s: a timeout of %s", name, seconds)
			}
		}
	}
	id := strings.Repeat("0", 32)
	for _, word := range bad {
		if lines, err := Script(dropcap.NodeCommand{Verb: "audit", Request: id,
			Args: []string{word}}); err == nil {
			t.Errorf("Script lets %q pass: %q", word, lines)
		}
	}
	for _, c := range []dropcap.NodeCommand{{Verb: "audit; id", Request: id},
		{Verb: "work", Request: id}, {Verb: "audit", Request: "x"}} {
		if _, err := Script(c); err == nil {
			t.Errorf("Script lets %+v pass", c)
		}
	}
	lines, err := Script(dropcap.NodeCommand{Verb: "audit", Request: id,
		Args: []string{"--level=cis"}})
	if err != nil || lines[len(lines)-1] != "dropcap node audit --request="+id+" --level=cis" {
		t.Errorf("%q, %v", lines, err)
	}
}

func TestInstallTakesNothingThatAShellWould(t *testing.T) {
	sum := strings.Repeat("a", 64)
	good := Binary{"https://bucket.s3.amazonaws.com/k/dropcap?X-Amz-Date=1&X-Amz-Credential=a%2Fb",
		sum, 10}
	if _, err := InstallLines("1.2.3", good, Binary{}); err != nil {
		t.Error(err)
	}
	for _, bad := range []Binary{{"https://h/'; id; '", sum, 1}, {"https://h/$(id)", sum, 1},
		{"https://h/\"x", sum, 1}, {"file:///etc/passwd", sum, 1},
		{"https://h/a\nb", sum, 1}, {good.URL, "x", 1}, {good.URL, sum, 0},
		{good.URL, sum, 1 << 40}} {
		if _, err := InstallLines("1.2.3", good, bad); err == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	if _, err := InstallLines("1'; id", good, good); err == nil {
		t.Error("a version passes")
	}
	if _, err := InstallLines("1", Binary{}, Binary{}); err == nil {
		t.Error("nothing to install passes")
	}
}
