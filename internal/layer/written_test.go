package layer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a container writes into a layer after it was carried is told, whatever the clock says, and
// nothing else is.
func TestWhatWasWrittenSinceIsToldWhateverTheClockSays(t *testing.T) {
	at := func(d, name string) string { return filepath.Join(d, name) }
	for _, c := range []struct {
		name, path string
		write      func(d string) error
	}{
		{"nothing", "", func(string) error { return nil }},
		{"a new file", "var/new", func(d string) error {
			return os.WriteFile(at(d, "var/new"), nil, 0o600)
		}},
		{"an attribute alone", "empty", func(d string) error {
			return unix.Lsetxattr(at(d, "empty"), "user.since", []byte("1"), 0)
		}},
		{"a file capability alone", "empty", func(d string) error {
			return unix.Lremovexattr(at(d, "empty"), "security.capability")
		}},
		{"an attribute of a folder", "opaque", func(d string) error {
			return unix.Lsetxattr(at(d, "opaque"), "trusted.since", []byte("1"), 0)
		}},
		{"a folder's mode", "var/cache", func(d string) error {
			return unix.Chmod(at(d, "var/cache"), 0o700)
		}},
		{"flags alone", "setuid", func(d string) error {
			chattr(t, at(d, "setuid"), 0x40)
			return nil
		}},
		{"contents, and the time as before", "setuid", func(d string) error {
			var st unix.Stat_t
			if err := unix.Lstat(at(d, "setuid"), &st); err != nil {
				return err
			}
			return errors.Join(os.WriteFile(at(d, "setuid"), []byte("!#"), 0),
				unix.Chmod(at(d, "setuid"), 0o6755),
				unix.UtimesNanoAt(unix.AT_FDCWD, at(d, "setuid"),
					[]unix.Timespec{st.Atim, st.Mtim}, 0))
		}},
		{"something that hides the image's", "etc-gone", func(d string) error {
			return unix.Mknod(at(d, "etc-gone"), unix.S_IFCHR, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, new := oldLayer(t), filepath.Join(t.TempDir(), "diff")
			must(t, os.Mkdir(new, 0o755))
			carrier := opened(t, old, new)
			carry(t, carrier)
			verified(t, carrier)
			must(t, carrier.Carried().Keep(new), c.write(new))
			// as if the clock had been set back by an hour since
			list, err := Since(t.Context(), new, old, time.Now().Add(time.Hour), 10)
			must(t, err)
			var paths []string
			for _, w := range list {
				paths = append(paths, w.Path)
			}
			want := []string{c.path}
			if c.path == "" {
				want = nil
			}
			if !slices.Equal(paths, want) {
				t.Errorf("told: %q, want %q", paths, want)
			}
		})
	}
}

// What nobody may change could not be brought up to date by a second pass: it is refused, by name.
func TestWhatMayNotBeChangedIsRefused(t *testing.T) {
	from := oldLayer(t)
	chattr(t, filepath.Join(from, "big"), flagImmutable)
	t.Cleanup(func() { chattr(t, filepath.Join(from, "big"), 0) })
	_, err := opened(t, from, t.TempDir()).Pass(t.Context())
	if !errors.Is(err, ErrFlags) || err.Error() != `look at "big": `+ErrFlags.Error() {
		t.Errorf("it says: %v", err)
	}
}
