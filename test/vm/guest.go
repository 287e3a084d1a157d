package vm

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"dropcap/test/vm/wire"
)

// guestTimeout limits the convenience methods without a context.
const guestTimeout = 5 * time.Minute

// Command is a command to run in a machine, as root.
type Command struct {
	Argv  []string
	Env   []string // added to the agent's own, NAME=value
	Dir   string
	Stdin []byte
}

// Run runs a command and waits for it. The error means that it did not run, or that ctx ended (then
// it is killed, with what it started). An exit status other than 0 is not an error; it is 128 plus
// the signal's number if a signal ended it. Processes that it leaves in the background live on.
func (m *Machine) Run(ctx context.Context,
	argv ...string) (stdout, stderr []byte, exit int, err error) {
	return m.Exec(ctx, Command{Argv: argv})
}

// Exec is like Run with all options of a command.
func (m *Machine) Exec(ctx context.Context,
	cmd Command) (stdout, stderr []byte, exit int, err error) {
	if len(cmd.Argv) == 0 {
		return nil, nil, 0, fmt.Errorf("run in %s: no command", m.kind)
	}
	req := wire.Request{Op: wire.Run, Argv: cmd.Argv, Env: cmd.Env, Dir: cmd.Dir}
	reply, out, err := m.channel.call(ctx, req, cmd.Stdin)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("run %s in %s: %w", cmd.Argv[0], m.kind, err)
	}
	return out[:reply.Stdout], out[reply.Stdout:], reply.Exit, nil
}

// Shell runs a script with sh -e and returns what it wrote to standard output. The test fails if
// the script does.
func (m *Machine) Shell(tb testing.TB, script string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guestTimeout)
	defer cancel()
	stdout, stderr, exit, err := m.Run(ctx, "sh", "-ec", script)
	if err != nil {
		tb.Fatal(err)
	}
	if exit != 0 {
		tb.Fatalf("exit %d of %s in %s:\n%s%s", exit, script, m.kind, stdout, stderr)
	}
	return string(stdout)
}

// Put writes a file and creates the folders above it. It does not sync: a power cut right
// afterwards may lose the file.
func (m *Machine) Put(tb testing.TB, path string, data []byte, mode os.FileMode) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guestTimeout)
	defer cancel()
	req := wire.Request{Op: wire.Put, Path: path, Mode: uint32(mode.Perm())}
	if _, _, err := m.channel.call(ctx, req, data); err != nil {
		tb.Fatalf("put %s into %s: %v", path, m.kind, err)
	}
}

// Get reads a file, including those in /proc or /sys.
func (m *Machine) Get(tb testing.TB, path string) []byte {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guestTimeout)
	defer cancel()
	_, data, err := m.channel.call(ctx, wire.Request{Op: wire.Get, Path: path}, nil)
	if err != nil {
		tb.Fatalf("get %s from %s: %v", path, m.kind, err)
	}
	return data
}

// PutBinary builds a program of this repository (static, once per test process), such as
// "./cmd/dropcap", and puts it into the machine, ready to run.
func (m *Machine) PutBinary(tb testing.TB, pkg, path string) {
	tb.Helper()
	program, err := goProgram(pkg, m.kind.goarch())
	if err != nil {
		tb.Fatal(err)
	}
	m.Put(tb, path, program, 0o755)
}
