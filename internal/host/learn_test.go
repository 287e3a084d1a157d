package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// kernelRelease is what an engine of this machine calls its kernel.
func kernelRelease(t *testing.T) string {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(u.Release[:])
}

// learningHost is a host whose engine is a fake, and whoever listens to it.
func learningHost(t *testing.T, e *fake.Engine) (*Host, *listener) {
	t.Helper()
	heard := &listener{}
	return New(Config{
		Engine: docker.Options{Host: e.Host, Timeout: 30 * time.Second},
		Store:  filepath.Join(t.TempDir(), "store"), Observer: heard,
	}), heard
}

func TestNothingIsLearnedFromAnEngineElsewhere(t *testing.T) {
	h, heard := learningHost(t, fake.Start(t, fake.Options{Kernel: "1.0-elsewhere"}))
	r, err := h.Learn(t.Context(), LearnRequest{})
	if CodeOf(err) != dropcap.CodeHost || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("error %v", err)
	}
	if r.Began || r.Evidence.Schema != "" || len(heard.progress) > 0 {
		t.Errorf("it began: %+v, %v", r, heard.progress)
	}
	if _, err := os.Stat(h.config.Store); !os.IsNotExist(err) {
		t.Errorf("there is a store: %v", err)
	}
}

func TestNothingIsRestartedWithoutAYes(t *testing.T) {
	e := fake.Start(t, fake.Options{Kernel: kernelRelease(t)})
	e.Add(fake.Container{Name: "web"})
	e.Add(fake.Container{Name: "db", State: "running", PID: os.Getpid()})
	h, heard := learningHost(t, e)
	heard.answer = errors.New("no")
	q := LearnRequest{Names: []string{"web", "db"}, Restart: true}
	if r, err := h.Learn(t.Context(), q); !errors.Is(err, heard.answer) || r.Began {
		t.Errorf("%+v, error %v", r, err)
	}
	if !slices.Equal(heard.asked, []string{"Restart web, db?"}) {
		t.Errorf("it asked %q", heard.asked)
	}
	want := []Progress{
		Note{"  db is stopped, in at most 10s, and is down until it has started again"},
		Note{"  web does not run, and is started"},
	}
	if !slices.Equal(heard.progress, want) {
		t.Errorf("it told %q, want %q", heard.progress, want)
	}
	for _, r := range e.Requests() {
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
			t.Errorf("it did %s", r)
		}
	}
}

// The command begins only once everything is being watched, and its end is the recording's.
func TestACommandIsRunOnceEverythingIsWatched(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	for name, c := range map[string]struct {
		line    []string
		message string
	}{
		"succeeds": {[]string{"sh", "-c", "cat >&2"}, ""},
		"fails": {[]string{"sh", "-c", "cat >&2; exit 3"},
			"cannot run sh to its end: exit status 3"},
		"is not there": {[]string{"/none"}, "cannot run /none to its end"},
	} {
		t.Run(name, func(t *testing.T) {
			h, heard := learningHost(t, fake.Start(t, fake.Options{Kernel: kernelRelease(t)}))
			begun := &beginning{listener: heard}
			h.observer = begun
			var out strings.Builder
			r, err := h.Learn(t.Context(), LearnRequest{
				Command: Command{Args: c.line, Stdin: strings.NewReader("watched"), Output: &out},
			})
			if !r.Began || (err == nil) != (c.message == "") ||
				err != nil && !strings.Contains(err.Error(), c.message) {
				t.Errorf("began: %v, error %v", r.Began, err)
			}
			if r.Evidence.Schema != dropcap.SchemaEvidence { // also beside the error
				t.Errorf("evidence %+v", r.Evidence)
			}
			if name != "is not there" && out.String() != "watched" {
				t.Errorf("the command printed %q", out.String())
			}
			if begun.folder != h.config.Store || begun.hook == "" || !begun.begun {
				t.Errorf("reported: %+v", heard.progress)
			}
		})
	}
}

// beginning listens to how a recording begins.
type beginning struct {
	*listener
	hook, folder string
	begun        bool
}

func (b *beginning) Progress(p Progress) {
	switch p := p.(type) {
	case TracerOpened:
		b.hook, b.folder = p.Hook, p.Store
	case LearnBegun:
		b.begun = b.hook != ""
	}
	b.listener.Progress(p)
}

// Whoever ends the context ends the recording, and the command with it; that is no error.
func TestTheContextEndsARecording(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	h, _ := learningHost(t, fake.Start(t, fake.Options{Kernel: kernelRelease(t)}))
	ctx, cancel := context.WithCancel(t.Context())
	h.observer = onBegin{Silent{}, cancel}
	r, err := h.Learn(ctx, LearnRequest{Command: Command{Args: []string{"sleep", "1000"}}})
	if err != nil || !r.Began || r.Evidence.Schema == "" {
		t.Errorf("%+v, error %v", r, err)
	}
}

// onBegin does something once everything is being watched.
type onBegin struct {
	Silent
	do func()
}

func (b onBegin) Progress(p Progress) {
	if _, ok := p.(LearnBegun); ok {
		b.do()
	}
}
