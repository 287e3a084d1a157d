package image

import (
	"archive/tar"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestNeeds(t *testing.T) {
	f := scan(t, archive(t,
		tar.Header{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/bin"},
		withXattr("usr/bin/caddy", bind),
		withXattr("usr/bin/quiet", value(0x02000000, 1<<caps.NetRaw, 0, 0, 0)),
		withXattr("usr/bin/foreign", value(0x03000001, 1<<caps.NetRaw, 0, 0, 0, 231072)),
		withXattr("opt/x/server", value(0x02000001, 1<<caps.NetBindService|1<<caps.NetAdmin, 0, 0,
			0)),
		tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/caddy2", Linkname: "usr/bin/caddy"},
		tar.Header{Name: "usr/bin/su", Mode: 0o4755}, tar.Header{Name: "usr/bin/ping",
			Mode: 0o4755},
		tar.Header{Name: "usr/bin/mount", Mode: 0o4755, Uid: 1000}, tar.Header{Name: "usr/bin/own",
			Mode: 0o4755},
	))
	f.Sort(map[string]bool{"/opt/other": true})
	ran := func(list ...string) (out []dropcap.Executable) {
		for _, p := range list {
			out = append(out, dropcap.Executable{Path: p, From: "image"})
		}
		return out
	}
	for _, c := range []struct {
		name string
		run  Run
		want string
	}{
		{"nothing runs", Run{}, ""},
		{"entry by name", Run{Entry: "caddy"}, "NET_BIND_SERVICE /usr/bin/caddy start"},
		{"entry by link", Run{Entry: "/bin/caddy2"}, "NET_BIND_SERVICE /usr/bin/caddy start"},
		{"entry elsewhere", Run{Entry: "/sbin/caddy"}, ""},
		{"entry by own PATH", Run{Entry: "server", Path: []string{"/opt/x"}},
			"NET_BIND_SERVICE /opt/x/server start, NET_ADMIN /opt/x/server start"},
		{"entry not in PATH", Run{Entry: "server"}, ""},
		{"relative entry", Run{Entry: "./server"},
			"NET_BIND_SERVICE /opt/x/server start, NET_ADMIN /opt/x/server start"},
		{"executed", Run{Entry: "sh", Executed: ran("/usr/bin/caddy2")},
			"NET_BIND_SERVICE /usr/bin/caddy2 run"},
		{"two", Run{Entry: "caddy", Executed: ran("/opt/x/server")},
			"NET_BIND_SERVICE /opt/x/server run /usr/bin/caddy start, NET_ADMIN /opt/x/server run"},
		{"not raised at once", Run{Executed: ran("/usr/bin/quiet")}, ""},
		{"another namespace's", Run{Executed: ran("/usr/bin/foreign")}, ""},
		{"its namespace's", Run{Executed: ran("/usr/bin/foreign"), RootID: 231072},
			"NET_RAW /usr/bin/foreign run"},
		{"setuid entry", Run{Entry: "su"}, ""},
		{"setuid", Run{Executed: ran("/usr/bin/su", "/usr/bin/own", "/usr/bin/mount")},
			"SETGID /usr/bin/su run, SETUID /usr/bin/su run"},
		{"setuid in vain", Run{Executed: ran("/usr/bin/su"), NoNewPrivs: true}, ""},
		{"ping", Run{Executed: ran("/usr/bin/ping")}, "NET_RAW /usr/bin/ping run"},
	} {
		var got []string
		for _, n := range Needs(f, c.run) {
			words := n.Cap.Short()
			for _, b := range n.By {
				words += " " + b.Exe + " " + b.Phase
				if b.ExeFrom != dropcap.FromImage || n.Flagged {
					t.Errorf("%s: %+v", c.name, b)
				}
			}
			got = append(got, words)
			if n.Class != dropcap.Static || n.Outcome != dropcap.Granted || n.Because == "" ||
				n.Count != 0 {
				t.Errorf("%s: %+v", c.name, n)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
}

// What a container adds to its own files, or what is mounted into it, is not the image's need,
// whoever executes it.
func TestNeedsOfFilesThatAreNotTheImagesAreFlagged(t *testing.T) {
	f := scan(t, archive(t, withXattr("bin/own", bind), withXattr("bin/other", bind),
		tar.Header{Typeflag: tar.TypeLink, Name: "bin/link", Linkname: "bin/own"}))
	image, entry := dropcap.Executable{Path: "/bin/own", From: dropcap.FromImage},
		Run{Entry: "/bin/own"}
	executed := func(list ...dropcap.Executable) Run { return Run{Executed: list} }
	for _, c := range []struct {
		name    string
		written map[string]bool
		run     Run
		from    string
	}{
		{"the image's entry", map[string]bool{"/bin/other": true}, entry, dropcap.FromImage},
		{"the image's program", map[string]bool{}, executed(image), dropcap.FromImage},
		{"given by the container", map[string]bool{"/bin/own": true}, executed(image),
			dropcap.FromWritten},
		{"given by another name", map[string]bool{"/bin/link": true}, executed(image),
			dropcap.FromWritten},
		{"given to its entry", map[string]bool{"/bin/own": true}, entry, dropcap.FromWritten},
		{"not known", nil, executed(image), dropcap.FromUnknown},
		{"not known of its entry", nil, entry, dropcap.FromUnknown},
		{"executed as written", map[string]bool{},
			executed(dropcap.Executable{Path: "/bin/own", From: dropcap.FromWritten}),
			dropcap.FromWritten},
		{"executed in both ways", map[string]bool{},
			executed(dropcap.Executable{Path: "/bin/own", From: dropcap.FromWritten}, image),
			dropcap.FromImage},
		{"executed where something is mounted", map[string]bool{},
			executed(dropcap.Executable{Path: "/bin/own", From: dropcap.FromVolume}),
			dropcap.FromVolume},
		{"the entry where something is mounted", map[string]bool{},
			Run{Entry: "/bin/own", Volumes: []string{"/bin/"}}, dropcap.FromVolume},
	} {
		f.Sort(c.written)
		n := Needs(f, c.run)
		if len(n) != 1 || len(n[0].By) != 1 || n[0].By[0].ExeFrom != c.from ||
			n[0].Flagged != (c.from != dropcap.FromImage) {
			t.Errorf("%s: %+v, want one from %s", c.name, n, c.from)
		}
	}
}

// A slim tree keeps the links that lead to its entries, and those of its image that lie where
// programs do.
func TestASlimTreeLeadsToPrograms(t *testing.T) {
	link := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	whole := scan(t, archive(t, link("bin", "usr/bin"), link("usr/bin/vi", "/etc/alternatives/vi"),
		link("etc/alternatives/vi", "/usr/bin/vim"),
		link("opt/app", "/usr/lib/app/current"), link("usr/lib/app/current", "v2"),
		link("usr/share/doc", "none"), link("usr/lib/own/start", "real")))
	slim := whole.Slim("/usr/lib/own/start")
	for name, want := range map[string]string{
		"/bin/vi": "/usr/bin/vim", "/opt/app": "/usr/lib/app/v2",
		"/usr/lib/own/start": "/usr/lib/own/real", "vi": "/vi",
		"/usr/lib/app/current": "/usr/lib/app/v2",
	} {
		if got, ok := slim.Resolve(name); got != want || !ok {
			t.Errorf("%s leads to %s, want %s", name, got, want)
		}
	}
	if len(slim.links) != 6 {
		t.Errorf("%d links are left: %v", len(slim.links), slim.links)
	}
	for entry, want := range map[string]bool{"vi": true, "/bin/vi": true, "/opt/other": true,
		"/usr/lib/own/start": true, "/usr/lib/own/other": false} {
		if slim.CanResolve(entry) != want || !whole.CanResolve(entry) {
			t.Errorf("leads to %s: %v", entry, !want)
		}
	}
}
