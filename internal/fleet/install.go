package fleet

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed documents/install.sh
var install string

//go:embed documents/uninstall.sh
var uninstall string

// Binary is where a host of one architecture downloads dropcap, and how to verify it. The zero
// value is none.
type Binary struct {
	URL    string // presigned
	SHA256 string // 64 hexadecimal digits
	Size   int64  // bytes
}

var (
	urlForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^https?://[A-Za-z0-9.:_-]+/[A-Za-z0-9._~:/?&=%+,@!-]*$`)
	})
	sumForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-f]{64}$`)
	})
	versionForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,99}$`)
	})
)

// maxBinary is the size of the largest program to install.
const maxBinary = 512 << 20

// InstallLines returns a script for /bin/sh that installs a version of dropcap unless it is there:
// the host chooses by its architecture, and verifies before anything can run. It prints what it
// did, or why it failed.
func InstallLines(version string, amd64, arm64 Binary) ([]string, error) {
	if !versionForm().MatchString(version) {
		return nil, fmt.Errorf("cannot install version %q: that is no name of one", version)
	}
	lines := []string{"version='" + version + "' package="}
	given := false
	for _, one := range []struct {
		arch string
		Binary
	}{{"amd64", amd64}, {"arm64", arm64}} {
		if one.Binary != (Binary{}) {
			given = true
			if err := one.check(); err != nil {
				return nil, err
			}
		}
		lines = append(lines, one.words(one.arch))
	}
	if !given {
		return nil, fmt.Errorf("cannot install version %s: no address is given", version)
	}
	return append(lines, script(install)...), nil
}

// words sets the script's variables for an architecture.
func (b Binary) words(arch string) string {
	return fmt.Sprintf("url_%[1]s='%[2]s' sum_%[1]s='%[3]s' size_%[1]s=%[4]d", arch, b.URL,
		b.SHA256, b.Size)
}

func (b Binary) check() error {
	switch {
	case !urlForm().MatchString(b.URL):
		return fmt.Errorf("cannot install from that address: it is not of the form " +
			"https://HOST/PATH?QUERY, or has characters that a shell could take for its own")
	case !sumForm().MatchString(b.SHA256):
		return fmt.Errorf("cannot install what is not known: %q is no SHA-256 of 64 hexadecimal "+
			"digits", b.SHA256)
	case b.Size <= 0 || b.Size > maxBinary:
		return fmt.Errorf("cannot install a program of %d bytes: at most %d MiB are taken", b.Size,
			maxBinary>>20)
	}
	return nil
}

// UninstallLines returns a script that removes dropcap from a host. Without purge the store stays.
// Without force nothing is removed while changes retain containers, or are applied: they could no
// longer be backed out.
func UninstallLines(purge, force bool) []string {
	yes := map[bool]string{true: "yes", false: "no"}
	return append([]string{"purge=" + yes[purge] + " force=" + yes[force]}, script(uninstall)...)
}

func script(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
