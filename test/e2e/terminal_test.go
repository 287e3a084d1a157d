package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

var pseudoTerminals = testenv.Requirement{Name: "pseudo-terminals",
	Remedy: "mount devpts at /dev/pts", Missing: func() string {
		if _, err := os.Stat("/dev/pts/ptmx"); err != nil {
			return err.Error()
		}
		return ""
	}}

// openTerminal returns both ends of a pseudo-terminal of a width.
func openTerminal(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	testenv.Need(t, pseudoTerminals)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal runs the program with its output on a terminal.
func (p program) onTerminal(t *testing.T, columns int, args ...string) string {
	t.Helper()
	master, slave := openTerminal(t, uint16(columns))
	cmd := p.command(t, args...)
	cmd.Stdout, cmd.Stderr = slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var out bytes.Buffer
	io.Copy(&out, master) // ends with EIO when nobody holds the other end
	if err := cmd.Wait(); err != nil {
		if _, failed := err.(*exec.ExitError); !failed {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestTerminal: rows fit whatever the width, are coloured unless asked not to be, and contain
// nothing else that controls a terminal.
func TestTerminal(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "a-name-that-is-much-longer-than-most-names-of-containers-are",
		Image: "registry.example.org:5000/a/long/path/to/an/image:1.2.3-alpine"})
	e.Add(fake.Container{Name: "漢字漢字漢字漢字漢字漢字漢字漢字", Image: "🐳🐳🐳🐳🐳🐳🐳🐳🐳🐳🐳🐳🐳",
		HostConfig: fake.HostConfig{CapAdd: []string{"NET_ADMIN", "SYS_TIME"}}})
	e.Add(fake.Container{Name: evil, Image: evil, HostConfig: fake.HostConfig{Privileged: true}})
	e.Add(fake.Container{Name: "ok", HostConfig: fake.HostConfig{CapDrop: []string{"ALL"}}})
	p := on(e).with("TERM=xterm")
	for _, columns := range []int{60, 80, 200} {
		for _, format := range []string{"table", "wide"} {
			out := p.onTerminal(t, columns, "audit", "--format", format)
			if !colours.MatchString(out) {
				t.Errorf("%d %s: no colour", columns, format)
			}
			plain := colours.ReplaceAllString(out, "")
			wantHarmless(t, fmt.Sprintf("%s at %d", format, columns), plain)
			rows := strings.Split(strings.Split(plain, "\n\n")[0], "\n")
			if len(rows) != 5 {
				t.Errorf("%d %s: %d rows", columns, format, len(rows))
			}
			for _, row := range rows {
				if w := runewidth.StringWidth(row); format == "table" && w > columns {
					t.Errorf("%d %s: a row of %d: %s", columns, format, w, row)
				}
			}
		}
	}
	for _, quiet := range []program{p.with("NO_COLOR=1"), p.with("TERM=dumb")} {
		if out := quiet.onTerminal(t, 80, "audit"); strings.Contains(out, "\x1b") {
			t.Errorf("%v: %.200q", quiet.env, out)
		}
	}
	if out := p.onTerminal(t, 60, "audit", "--no-trunc"); !strings.Contains(out,
		"registry.example.org:5000/a/long/path/to/an/image:1.2.3-alpine") {
		t.Errorf("--no-trunc shortens: %s", out)
	}
}

// interruptsTheQuestion checks that Ctrl-C at a question ends the command at once, and that nothing
// was done.
func interruptsTheQuestion(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	master, slave := openTerminal(t, 80)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var out bytes.Buffer
	for b := make([]byte, 4096); !strings.Contains(out.String(), "[y/N] "); {
		n, err := master.Read(b)
		out.Write(b[:n])
		if err != nil {
			t.Fatalf("it asks nothing: %v\n%s", err, out.String())
		}
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	end := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer end.Stop()
	io.Copy(&out, master)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != dropcap.ExitInterrupt ||
		!strings.Contains(out.String(), "interrupted; nothing was done") {
		t.Errorf("%v, status %d\n%s", err, cmd.ProcessState.ExitCode(), out.String())
	}
}
