package source

import (
	"errors"
	"strings"
	"testing"

	"dropcap"
)

func grant(add, drop string) dropcap.Grant {
	return dropcap.Grant{CapAdd: strings.Fields(add), CapDrop: strings.Fields(drop)}
}

// Each file comes out as it should, to the byte.
func TestComposeSplices(t *testing.T) {
	for _, c := range []struct {
		name          string
		text          string
		was, is       dropcap.Grant
		want          string
		deprivileged  bool
		alsoUntouched string
	}{
		{name: "new list goes behind the image", is: grant("", "NET_RAW"),
			text: "services:\n  web:\n    # the app\n    image: app:1 # pinned\n    ports: [80]\n",
			want: "services:\n  web:\n    # the app\n    image: app:1 # pinned\n    cap_drop:\n  " +
				"    - NET_RAW\n    ports: [80]\n"},
		{name: "new list takes the indentation that others have", is: grant("CHOWN", "ALL"),
			text: "services:\n    web:\n        image: app:1\n        ports:\n        - 80\n",
			want: "services:\n    web:\n        image: app:1\n        cap_drop:\n        - ALL\n " +
				"       cap_add:\n        - CHOWN\n        ports:\n        - 80\n"},
		{name: "new list before a service without a line to stand behind", is: grant("", "ALL"),
			text: "services:\n  web:\n    build:\n      context: .\n",
			want: "services:\n  web:\n    cap_drop:\n      - ALL\n    build:\n      context: .\n"},
		{name: "crlf, mark and no final newline stay", is: grant("", "NET_RAW"),
			text: "\ufeffservices:\r\n  wéb: {}\r\n  web:\r\n    image: app:1",
			want: "\ufeffservices:\r\n  wéb: {}\r\n  web:\r\n    image: app:1\r\n    " +
				"cap_drop:\r\n      - NET_RAW"},
		{name: "block list loses and gets items", was: grant("NET_RAW CAP_SYS_TIME chown", ""),
			is: grant("CHOWN SETUID", ""),
			text: "services:\n  web:\n    cap_add: # why\n      # one\n      - NET_RAW\t# ping\n " +
				"     - \"CAP_SYS_TIME\"\n      # two\n      - chown\n    image: app:1\n",
			want: "services:\n  web:\n    cap_add: # why\n      # one\n      # two\n      - " +
				"chown\n      - SETUID\n    image: app:1\n"},
		{name: "last lines without a newline", was: grant("NET_RAW CHOWN", ""),
			is:   grant("SETUID CHOWN", ""),
			text: "services:\n  web:\n    image: app:1\n    cap_add:\n    - CHOWN\n    - NET_RAW",
			want: "services:\n  web:\n    image: app:1\n    cap_add:\n    - CHOWN\n    - SETUID"},
		{name: "a list that becomes empty goes", was: grant("NET_RAW", ""),
			is: grant("", "NET_RAW"),
			text: "services:\n  web:\n    image: app:1\n    cap_add:\n      - NET_RAW\n    user: " +
				"root\n",
			want: "services:\n  web:\n    image: app:1\n    cap_drop:\n      - NET_RAW\n    " +
				"user: root\n"},
		{name: "a list with a comment becomes an empty one", was: grant("NET_RAW", ""),
			is:   grant("", ""),
			text: "services:\n  web:\n    image: app:1\n    cap_add: # for ping\n      - NET_RAW\n",
			want: "services:\n  web:\n    image: app:1\n    cap_add: [] # for ping\n"},
		{name: "flow list", was: grant("NET_RAW CHOWN SYS_TIME KILL", "MKNOD"),
			is: grant("CHOWN", "MKNOD NET_RAW"),
			text: "services:\n  web: \n    cap_add: [ 'NET_RAW', 'CHOWN' , SYS_TIME,KILL ] # c\n " +
				"   cap_drop: [MKNOD,]\n    image: x\n",
			want: "services:\n  web: \n    cap_add: [ 'CHOWN' ] # c\n    cap_drop: [MKNOD, " +
				"NET_RAW,]\n    image: x\n"},
		{name: "flow list loses the middle", was: grant("NET_RAW CHOWN KILL", ""),
			is:   grant("NET_RAW KILL", ""),
			text: "services: {web: {image: x, cap_add: [NET_RAW, CHOWN, KILL]}}",
			want: "services: {web: {image: x, cap_add: [NET_RAW, KILL]}}"},
		{name: "flow list over lines", was: grant("NET_RAW CHOWN", ""), is: grant("", ""),
			text: "services:\n  web:\n    cap_add: [\n      NET_RAW,\n      CHOWN\n    ]\n    " +
				"image: x\n",
			want: "services:\n  web:\n    cap_add: [\n      \n    ]\n    image: x\n"},
		{name: "json", is: grant("", "ALL"),
			text: "{\n  \"services\": {\n    \"web\": {\n      \"image\": \"x\"\n    }\n  }\n}\n",
			want: "{\n  \"services\": {\n    \"web\": {\n      \"cap_drop\": [\"ALL\"],\n      " +
				"\"image\": \"x\"\n    }\n  }\n}\n"},
		{name: "flow service", is: grant("CHOWN", "ALL"),
			text: "services:\n  web: {image: x}\n",
			want: "services:\n  web: {cap_drop: [ALL], cap_add: [CHOWN], image: x}\n"},
		{name: "nothing where a list may be", is: grant("", "ALL"),
			text: "services:\n  web:\n    image: x\n    cap_drop: # none yet\n    cap_add: ~\n",
			want: "services:\n  web:\n    image: x\n    cap_drop: [ALL] # none yet\n    cap_add: " +
				"~\n"},
		{name: "an alias gives way to a list of its own", was: grant("NET_RAW CHOWN", ""),
			is: grant("CHOWN", ""),
			text: "x-c: &c [NET_RAW, CHOWN]\nservices:\n  web:\n    image: x\n    cap_add: *c # " +
				"shared\n  db:\n    image: y\n    cap_add: *c\n",
			want: "x-c: &c [NET_RAW, CHOWN]\nservices:\n  web:\n    image: x\n    cap_add: " +
				"[CHOWN] # shared\n  db:\n    image: y\n    cap_add: *c\n"},
		{name: "a merged list gives way to the service's own", was: grant("", "MKNOD"),
			is: grant("", "MKNOD NET_RAW"),
			text: "x-b: &b\n  cap_drop: [MKNOD]\nservices:\n  web:\n    <<: *b\n    image: x\n  " +
				"db:\n    <<: *b\n    image: y\n",
			want: "x-b: &b\n  cap_drop: [MKNOD]\nservices:\n  web:\n    <<: *b\n    image: x\n   " +
				" cap_drop:\n      - MKNOD\n      - NET_RAW\n  db:\n    <<: *b\n    image: y\n"},
		{name: "an anchor that nobody uses is no matter", was: grant("NET_RAW CHOWN", ""),
			is: grant("CHOWN", ""),
			text: "services:\n  web: &w\n    image: x\n    cap_add: &c\n      - NET_RAW\n      - " +
				"CHOWN\n",
			want: "services:\n  web: &w\n    image: x\n    cap_add: &c\n      - CHOWN\n"},
		{name: "privileged becomes false", was: dropcap.Grant{Privileged: true},
			is:   grant("CHOWN", "ALL"),
			text: "services:\n  web:\n    privileged: true # old\n    image: x\n",
			want: "services:\n  web:\n    privileged: false # old\n    image: x\n    cap_drop:\n " +
				"     - ALL\n    cap_add:\n      - CHOWN\n"},
		{name: "block scalars beside are not disturbed", is: grant("", "ALL"),
			text: "services:\n  web:\n    command: |\n      image: no\n\n    image: x\n\n\n  " +
				"db:\n    image: y\n",
			want: "services:\n  web:\n    command: |\n      image: no\n\n    image: x\n    " +
				"cap_drop:\n      - ALL\n\n\n  db:\n    image: y\n"},
		{name: "a carriage return alone, and a line separator in a text", is: grant("", "ALL"),
			text: "services:\r  web:\r    labels: {a: \"x\u2028y\"}\r    image: x\r",
			want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Compose([]File{{"/srv/compose.yaml", []byte(c.text)}}, "web",
				Declaration{c.was, c.is})
			if c.want == "" { // refused or right, never wrong
				var no *Cannot
				if err != nil && !errors.As(err, &no) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(out) != 1 || string(out[0].Is) != c.want {
				t.Fatalf("it is\n%q, want\n%q", out[0].Is, c.want)
			}
			if string(out[0].Was) != c.text {
				t.Error("what was is not what was given")
			}
		})
	}
}

// A removal edits the file that defines it, an addition the last one that has the list.
func TestComposeOfSeveralFiles(t *testing.T) {
	base := File{"/a.yml", []byte(
		"services:\n  web:\n    image: x\n    cap_add: [NET_RAW, CHOWN]\n")}
	over := File{"/b.yml", []byte("services:\n  web:\n    cap_add:\n      - SYS_TIME\n")}
	other := File{"/c.yml", []byte("networks: {}\n")}
	files := []File{base, over, other}
	out, err := Compose(files, "web", Declaration{grant("NET_RAW CHOWN SYS_TIME", ""),
		grant("CHOWN KILL", "ALL")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/a.yml": "services:\n  web:\n    image: x\n    cap_drop:\n      - ALL\n    cap_add: " +
			"[CHOWN]\n",
		"/b.yml": "services:\n  web:\n    cap_add:\n      - KILL\n",
	}
	if len(out) != 2 {
		t.Fatalf("%d files edited", len(out))
	}
	for _, e := range out {
		if string(e.Is) != want[e.Path] {
			t.Errorf("%s is %q, want %q", e.Path, e.Is, want[e.Path])
		}
	}
	// A service that has nothing but the list keeps an empty one, or compose would take it for
	// nothing at all.
	out, err = Compose(files, "web", Declaration{grant("NET_RAW CHOWN SYS_TIME", ""),
		grant("NET_RAW CHOWN", "")})
	if err != nil || string(out[0].Is) != "services:\n  web:\n    cap_add: []\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// What cannot be edited safely is told with its own reason.
func TestComposeRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, slug string }{
		{"no such service", "services:\n  db:\n    image: x\n", "missing"},
		{"include", "include: [b.yml]\nservices:\n  web:\n    image: x\n    cap_add: [NET_RAW]\n",
			"include"},
		{"extends of a file", "services:\n  web:\n    extends: {file: b.yml, service: web}\n    " +
			"cap_add: [NET_RAW]\n", "extends"},
		{"extends of a file by a merge key",
			"x-e: &e {extends: {file: b.yml, service: web}}\nservices:\n  web:\n    <<: *e\n    " +
				"cap_add: [NET_RAW]\n", "extends"},
		{"it comes from an extended service",
			"services:\n  base:\n    image: x\n    cap_add: [NET_RAW]\n  web:\n    extends: " +
				"{service: base}\n", "elsewhere"},
		{"a variable", "services:\n  web:\n    image: x\n    cap_add: ['${CAP}']\n", "elsewhere"},
		{"a service that is an alias",
			"x: &x {image: x, cap_add: [NET_RAW]}\nservices:\n  web: *x\n", "alias"},
		{"services that are merged",
			"x: &x {web: {image: x, cap_add: [NET_RAW]}}\nservices:\n  <<: *x\n", "alias"},
		{"a service that others are made of",
			"services:\n  web: &w\n    image: x\n    cap_add: [NET_RAW]\n  db: *w\n", "alias"},
		{"a list that others use",
			"services:\n  web:\n    image: x\n    cap_add: &c [NET_RAW]\n  db: {image: x, " +
				"cap_add: *c}\n", "alias"},
		{"an item that others use",
			"services:\n  web:\n    image: x\n    cap_add: [&c NET_RAW]\n  db: {image: x, " +
				"cap_add: [*c]}\n", "alias"},
		{"a tag", "services:\n  web:\n    image: x\n    cap_add: !override [NET_RAW]\n", "tag"},
		{"reset", "services:\n  web:\n    image: x\n    cap_add: !reset null\n", "tag"},
		{"two documents", "services:\n  web:\n    image: x\n    cap_add: " +
			"[NET_RAW]\n---\nservices: {}\n", "documents"},
		{"a comment between items",
			"services:\n  web:\n    image: x\n    cap_add: [CHOWN, # a\n      NET_RAW]\n", "form"},
		{"an item on the line after its dash",
			"services:\n  web:\n    image: x\n    cap_add:\n      - CHOWN\n      -\n        " +
				"NET_RAW\n", "form"},
		{"an escape", "services:\n  web:\n    image: x\n    cap_add:\n      - CHOWN\n      - " +
			"\"NET\\x5fRAW\"\n", "form"},
		{"no list", "services:\n  web:\n    image: x\n    cap_add: NET_RAW\n", "form"},
		{"no YAML", "services:\n\tweb: [", "yaml"},
		{"another encoding", "services:\n  web: {image: \"\xff\", cap_add: [NET_RAW]}\n",
			"encoding"},
		{"too deep", strings.Repeat("[", 200) + strings.Repeat("]", 200), "yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Compose([]File{{"/srv/compose.yaml", []byte(c.text)}}, "web",
				Declaration{grant("NET_RAW", ""), grant("", "")})
			var no *Cannot
			if !errors.As(err, &no) || no.Slug != c.slug {
				t.Fatalf("%v (%q), want %s", err, out, c.slug)
			}
		})
	}
}

func TestPrivilegedFromAnAnchorIsRefused(t *testing.T) {
	text := "x: &x {privileged: true}\nservices:\n  web:\n    <<: *x\n    image: x\n"
	_, err := Compose([]File{{"/c.yml", []byte(text)}}, "web",
		Declaration{dropcap.Grant{Privileged: true}, grant("", "ALL")})
	var no *Cannot
	if !errors.As(err, &no) || no.Slug != "alias" {
		t.Error(err)
	}
}

// Whatever the file: it comes out with only the lists changed, or it is refused with a reason.
func FuzzCompose(f *testing.F) {
	for _, s := range []string{
		"services:\n  web:\n    image: x\n    cap_add: [NET_RAW, CHOWN]\n",
		"services: {web: {image: x}}",
		"\ufeffservices:\r\n  web: &a\r\n    cap_drop:\r\n    - MKNOD # x\r\n    - CHOWN\r\n    " +
			"image: \"a\u2028b\"",
		"x: &x\n  cap_add: [NET_RAW]\nservices:\n  web:\n    <<: [*x]\n    image: x\n",
		"services:\n  web:\n    cap_add: &c\n    - NET_RAW\n    image: |\n     x\n  db: " +
			"{cap_add: *c}\n",
	} {
		f.Add(s, "NET_RAW", "", "CHOWN", "ALL")
		f.Add(s, "", "MKNOD", "", "MKNOD NET_RAW")
	}
	f.Fuzz(func(t *testing.T, text, add, drop, add2, drop2 string) {
		d := Declaration{grant(known(add), known(drop)), grant(known(add2), known(drop2))}
		out, err := Compose([]File{{"/c.yml", []byte(text)}}, "web", d)
		var no *Cannot
		if err != nil && !errors.As(err, &no) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		for _, e := range out {
			before, err1 := parse("", e.Was)
			after, err2 := parse("", e.Is)
			if err1 != nil || err2 != nil {
				t.Fatalf("%q became %q", e.Was, e.Is)
			}
			if err := before.same(after.text, "web"); err != nil {
				t.Fatalf("%q became %q", e.Was, e.Is)
			}
		}
		_ = Diff(out, "web", d)
	})
}

// known keeps the names that the engine takes.
func known(list string) string {
	var out []string
	for _, n := range strings.Fields(list) {
		if knownWord(n) && n != keyAdd && n != keyDrop && n != keyPrivileged && n != "true" &&
			n != "false" {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}
