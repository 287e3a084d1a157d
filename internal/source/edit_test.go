package source

import (
	"errors"
	"strings"
	"testing"

	"dropcap"
)

func want(service, wasAdd, wasDrop, isAdd, isDrop string) Wanted {
	return Wanted{service, Declaration{grant(wasAdd, wasDrop), grant(isAdd, isDrop)}}
}

// Several services of one file are edited at once, also where they share what an anchor names.
func TestEditOfSeveralServices(t *testing.T) {
	raw := []Wanted{want("web", "", "", "", "NET_RAW"), want("db", "", "", "", "NET_RAW")}
	for _, c := range []struct {
		name, text, want string
		wanted           []Wanted
	}{
		{"two lists", "services:\n  web:\n    image: x\n  db:\n    image: y\n",
			"services:\n  web:\n    image: x\n    cap_drop:\n      - NET_RAW\n  db:\n    image: " +
				"y\n    cap_drop:\n      - NET_RAW\n", raw},
		{"one line", "services: {web: {image: x}, db: {image: y}}",
			"services: {web: {cap_drop: [NET_RAW], image: x}, db: {cap_drop: [NET_RAW], image: y}}",
			raw},
		{"one made from the other",
			"services:\n  web: &w\n    image: x\n  db:\n    <<: *w\n    image: y\n",
			"services:\n  web: &w\n    image: x\n    cap_drop:\n      - NET_RAW\n  db:\n    <<: " +
				"*w\n    image: y\n    cap_drop:\n      - NET_RAW\n", raw},
		{"one made from the other keeps what it needs",
			"services:\n  web: &w\n    image: x\n    cap_add: [CHOWN, KILL]\n  db:\n    <<: *w\n " +
				"   image: y\n",
			"services:\n  web: &w\n    image: x\n    cap_add: [CHOWN]\n  db:\n    <<: *w\n    " +
				"image: y\n    cap_drop:\n      - NET_RAW\n    cap_add:\n      - CHOWN\n      - " +
				"KILL\n",
			[]Wanted{want("web", "CHOWN KILL", "", "CHOWN", ""),
				want("db", "CHOWN KILL", "", "CHOWN KILL", "NET_RAW")}},
		{"a list that both use",
			"services:\n  web:\n    image: x\n    cap_add: &c [NET_RAW, CHOWN]\n  db: {image: x, " +
				"cap_add: *c}\n",
			"services:\n  web:\n    image: x\n    cap_add: &c [CHOWN]\n  db: {image: x, cap_add: " +
				"[CHOWN]}\n",
			[]Wanted{want("web", "NET_RAW CHOWN", "", "CHOWN", ""), want("db", "NET_RAW CHOWN", "",
				"CHOWN", "")}},
		{"a list that both use and one keeps",
			"services:\n  web:\n    image: x\n    cap_add: &c [NET_RAW, CHOWN]\n  db: {image: x, " +
				"cap_add: *c}\n",
			"services:\n  web:\n    image: x\n    cap_add: &c [CHOWN]\n  db: {cap_drop: [MKNOD], " +
				"image: x, cap_add: [NET_RAW, CHOWN]}\n",
			[]Wanted{want("web", "NET_RAW CHOWN", "", "CHOWN", ""), want("db", "NET_RAW CHOWN", "",
				"NET_RAW CHOWN", "MKNOD")}},
		{"what three share by a merge key, and one is not among them",
			"x-b: &b\n  cap_drop: [MKNOD]\nservices:\n  web:\n    <<: *b\n    image: x\n  db:\n  " +
				"  <<: *b\n    image: y\n  log:\n    <<: *b\n    image: z\n",
			"x-b: &b\n  cap_drop: [MKNOD]\nservices:\n  web:\n    <<: *b\n    image: x\n    " +
				"cap_drop:\n      - MKNOD\n      - NET_RAW\n  db:\n    <<: *b\n    image: y\n    " +
				"cap_drop:\n      - MKNOD\n      - NET_RAW\n  log:\n    <<: *b\n    image: z\n",
			[]Wanted{want("web", "", "MKNOD", "", "MKNOD NET_RAW"),
				want("db", "", "MKNOD", "", "MKNOD NET_RAW")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Edit([]File{{"/c.yml", []byte(c.text)}}, c.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) != 1 || string(out[0].Is) != c.want {
				t.Fatalf("it is\n%q, want\n%q", out[0].Is, c.want)
			}
		})
	}
}

// Whoever is to blame is named, so that the others can go on without it.
func TestEditNamesWhoIsToBlame(t *testing.T) {
	for _, c := range []struct{ name, text, service, slug string }{
		{"a variable", "services:\n  web: {image: x}\n  db: {image: y, cap_add: ['${CAP}']}\n",
			"db", "elsewhere"},
		{"it is not there", "services:\n  web: {image: x}\n", "db", "missing"},
		{"a third is made from it",
			"services:\n  web: {image: x}\n  db: &d {image: y, cap_add: [KILL]}\n  log: {<<: *d}\n",
			"db", "alias"},
		{"a third uses its list",
			"services:\n  web: {image: x}\n  db: {image: y, cap_add: &c [KILL]}\n  log: {image: " +
				"z, cap_add: *c}\n", "db", "alias"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Edit([]File{{"/c.yml", []byte(c.text)}},
				[]Wanted{want("web", "", "", "", "NET_RAW"), want("db", "KILL", "", "", "")})
			var no *Cannot
			if !errors.As(err, &no) || no.Service != c.service || no.Slug != c.slug {
				t.Errorf("%v (%+v)", err, no)
			}
		})
	}
	text := "services:\n  web: &w {privileged: true, image: x}\n  db: {<<: *w, cap_drop: [KILL]}\n"
	_, err := Edit([]File{{"/c.yml", []byte(text)}}, []Wanted{
		{"web", Declaration{dropcap.Grant{Privileged: true}, grant("", "ALL")}},
		{"db", Declaration{dropcap.Grant{Privileged: true, CapDrop: []string{"KILL"}},
			dropcap.Grant{Privileged: true}}},
	})
	var no *Cannot
	if !errors.As(err, &no) {
		t.Errorf("a service stops being privileged because another does: %v", err)
	}
}

// An edit is taken back in the file as it is now: to the byte where nothing else was changed, and
// else with what others have written left alone.
func TestReversed(t *testing.T) {
	was := "# shop\nservices:\n  web:\n    image: x\n    cap_add: [KILL] # why\n  db:\n    " +
		"image: y\n"
	web, db := []Wanted{want("web", "KILL", "", "", "NET_RAW")},
		[]Wanted{want("db", "", "", "", "NET_RAW")}
	edit := func(text string, w []Wanted) Edited {
		t.Helper()
		out, err := Edit([]File{{"/c.yml", []byte(text)}}, w)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	a := edit(was, web)
	b := edit(string(a.Is), db)
	flow := "services: {web: {image: x, cap_add: [KILL]}, db: {image: y}}\n"
	fa := edit(flow, web)
	fb := edit(string(fa.Is), db)
	by := func(text, from, to string) string {
		t.Helper()
		if !strings.Contains(text, from) {
			t.Fatalf("%q is not in %q", from, text)
		}
		return strings.Replace(text, from, to, 1)
	}
	for _, c := range []struct {
		name      string
		e         Edited
		w         []Wanted
		now, want string // empty: refused
	}{
		{"nothing else", a, web, string(a.Is), was},
		{"it is back already", a, web, was, was},
		{"a later edit stays", a, web, string(b.Is), string(edit(was, db).Is)},
		{"the later edit goes first", b, db, string(b.Is), string(a.Is)},
		{"the later edit goes last", b, db, string(edit(was, db).Is), was},
		{"a later edit of the same line", fa, web, string(fb.Is), string(edit(flow, db).Is)},
		{"an earlier edit of the same line is gone", fb, db, string(edit(flow, db).Is), flow},
		{"somebody's own words stay", a, web, by(string(a.Is), "# shop\n", "# our shop\nx-a: 1\n"),
			by(was, "# shop\n", "# our shop\nx-a: 1\n")},
		{"a service came", a, web, string(a.Is) +
			"  log:\n    image: z\n    cap_drop:\n      - NET_RAW\n",
			was + "  log:\n    image: z\n    cap_drop:\n      - NET_RAW\n"},
		{"somebody has changed its list", a, web, by(string(a.Is), "- NET_RAW", "- ALL"), ""},
		{"somebody has taken it back and given it to the next", a, web,
			by(by(string(a.Is), "    cap_drop:\n      - NET_RAW\n", ""), "    image: y\n",
				"    image: y\n    cap_drop:\n      - NET_RAW\n"), ""},
		{"the service is gone", a, web, "services:\n  db:\n    image: y\n", ""},
		{"it is no YAML now", a, web, "services: [", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Reversed(c.e, []byte(c.now), c.w)
			var no *Cannot
			switch {
			case c.want == "" && !errors.As(err, &no):
				t.Errorf("it is not refused: %v, %q", err, got)
			case c.want != "" && (err != nil || string(got) != c.want):
				t.Errorf("%v: it is\n%q, want\n%q", err, got, c.want)
			}
		})
	}
}

// Whatever has become of a file: an edit taken back leaves the services as they were and changes
// nothing else.
func FuzzReversed(f *testing.F) {
	was := "services:\n  web:\n    image: x\n    cap_add: [KILL]\n  db:\n    image: y\n"
	web := []Wanted{want("web", "KILL", "", "", "NET_RAW")}
	out, err := Edit([]File{{"/c.yml", []byte(was)}}, web)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(out[0].Is) + "  log: {image: z}\n")
	f.Add(strings.Replace(string(out[0].Is), "image: y", "image: z\n    cap_drop:\n      - NET_RAW",
		1))
	f.Fuzz(func(t *testing.T, now string) {
		got, err := Reversed(out[0], []byte(now), web)
		if err != nil || string(got) == now || now == string(out[0].Is) {
			return
		}
		d, err := parse("", []byte(now))
		if err != nil {
			t.Fatalf("%q became %q", now, got)
		}
		if err := d.same(string(got), "web"); err != nil {
			t.Errorf("%q became %q: %v", now, got, err)
		}
	})
}

// A rehearsal that compose breaks off itself, since it cannot pretend to write into a container,
// says enough; one that would do something else does not.
func TestReplacesWhereTheRehearsalBreaksOff(t *testing.T) {
	out := " DRY-RUN MODE -  Container shop-web-1  Recreate\n" +
		" DRY-RUN MODE - Could not find the file / in container 0123456789ab_shop-web-1\n"
	names := []string{"shop-web-1", "shop-web-2"}
	if err := Replaces(out, names, nil); err != nil || !BrokeOff(out) {
		t.Error(err)
	}
	if Replaces("DRY-RUN MODE -  Network shop  Created\n"+out, names, nil) == nil {
		t.Error("a network would be made")
	}
	if BrokeOff("Could not find the file / in container x\n") {
		t.Error("that is no rehearsal's")
	}
	beside := "Container shop-db-1  Running\nContainer shop-web-1  Recreate\n" +
		"Container shop-web-2  Recreate\n"
	if err := Replaces(beside, names, []string{"shop-db-1"}); err != nil {
		t.Error(err)
	}
	if Replaces(beside, names, nil) == nil {
		t.Error("a service that nobody named would be looked at")
	}
}
