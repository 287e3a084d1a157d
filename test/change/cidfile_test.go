package change_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// If somebody has replaced the file of --cidfile, it is neither followed nor waited for, and the
// successful change stands.
func TestAnIDFileThatIsNoFileIsAWarning(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for name, c := range map[string]struct{ put, says string }{
		"a pipe": {"rm $DIR/cid; mkfifo $DIR/cid", "it is no regular file but a pipe"},
		"a link": {"mv $DIR/cid $DIR/other; ln -s other $DIR/cid",
			"it is no regular file but a link"},
		"a device":   {"rm $DIR/cid; mknod $DIR/cid c 1 5", "it is no regular file but a device"},
		"a folder":   {"rm $DIR/cid; mkdir $DIR/cid", "it is no regular file but a folder"},
		"it is huge": {"truncate -s 100G $DIR/cid", "somebody has changed it"},
	} {
		t.Run(name, func(t *testing.T) {
			defer s.sweep(t)
			dir := t.TempDir()
			own := *s
			own.env = append(own.env[:len(own.env):len(own.env)], "DIR="+dir)
			own.shell(t, "docker run -d --name web --cidfile $DIR/cid app:1; "+c.put)
			id := own.shell(t, "docker inspect --format '{{.Id}}' web")
			r := own.dropcap(t, "apply", "web", "--yes", "--soak", "0s", "--no-watch")
			if r.status != dropcap.ExitOK || !strings.Contains(r.err, "cannot replace") ||
				!strings.Contains(r.err, c.says) {
				t.Fatalf("%v", r)
			}
			if got := own.shell(t,
				"docker inspect --format '{{.HostConfig.CapDrop}} {{.State.Running}}' web"); got != "[CAP_NET_RAW] true" {
				t.Errorf("web is %s", got)
			}
			if other, err := os.ReadFile(filepath.Join(dir, "other")); err == nil &&
				string(other) != id {
				t.Errorf("what the link leads to is %q", other)
			}
			if r := own.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
				t.Errorf("%v", r)
			}
		})
	}
}
