package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"dropcap/test/vm/wire"
)

// run ends with the command itself, though children of it may live on: its output goes to memory
// files and not to pipes, which a daemon started by the command would hold open.
func run(ctx context.Context, req wire.Request, stdin []byte) (wire.Reply, []byte, error) {
	stdout, err := memory("stdout")
	if err != nil {
		return wire.Reply{}, nil, err
	}
	defer stdout.Close()
	stderr, err := memory("stderr")
	if err != nil {
		return wire.Reply{}, nil, err
	}
	defer stderr.Close()
	cmd := command(ctx, req, stdin)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	exit, err := status(cmd.Run())
	if err != nil {
		return wire.Reply{}, nil, err
	}
	return collect(exit, stdout, stderr)
}

func command(ctx context.Context, req wire.Request, stdin []byte) *exec.Cmd {
	cmd := exec.CommandContext(ctx, req.Argv[0], req.Argv[1:]...)
	cmd.Env = append(os.Environ(), req.Env...)
	cmd.Dir = req.Dir
	if len(stdin) > 0 {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// status returns the exit status as a shell reports it. An error means that the command did not
// start.
func status(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return exit.ExitCode(), nil
}

func collect(exit int, stdout, stderr *os.File) (wire.Reply, []byte, error) {
	out, err := contents(stdout)
	if err != nil {
		return wire.Reply{}, nil, err
	}
	text, err := contents(stderr)
	return wire.Reply{Exit: exit, Stdout: len(out)}, append(out, text...), err
}

func memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	// Appending, so that a child that reopens /dev/stdout does not overwrite earlier output.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_APPEND); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func contents(f *os.File) ([]byte, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	_, err = f.ReadAt(out, 0)
	if err == io.EOF {
		err = nil
	}
	return out, err
}
