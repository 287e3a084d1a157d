// Supervisor starts a private container engine, runs a command against it and takes
// everything down again:
//
//	go run ./internal/dockertest/supervisor --kind docker20 --image busybox:latest -- CMD [ARG…]
//
// CMD sees DOCKER_HOST and DOCKER_CONFIG. Its exit code is passed on (though `go run`
// makes 1 of every failure: build it where the code matters); 125 means that the engine
// could not be started or taken down.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"dropcap/internal/dockertest"
)

const engineTrouble = 125

func main() {
	// The command's parent-death signal is bound to the thread that started it.
	runtime.LockOSThread()
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "supervisor: error: %v\n", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	flags := flag.NewFlagSet("supervisor", flag.ContinueOnError)
	kindName := flags.String("kind", string(dockertest.Docker20), fmt.Sprintf("engine, one of %v",
		dockertest.Kinds))
	image := flags.String("image", "", "name of a busybox image to make before CMD runs")
	if err := flags.Parse(args); err != nil {
		return engineTrouble, nil // Parse has already printed it
	}
	if flags.NArg() == 0 {
		return engineTrouble, errors.New("cannot run: no command given; add -- CMD [ARG…]")
	}
	kind, err := dockertest.ParseKind(*kindName)
	if err != nil {
		return engineTrouble, err
	}
	// Ctrl-C reaches the command directly, and we end with it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	parent := os.Getppid()

	e, stop, err := dockertest.StartMain(kind)
	if err != nil {
		return engineTrouble, err
	}
	defer func() {
		if stopErr := stop(); stopErr != nil {
			code, err = engineTrouble, errors.Join(err, stopErr)
		}
	}()
	if *image != "" {
		if _, err := e.Import(*image, `CMD ["sh"]`); err != nil {
			return engineTrouble, err
		}
	}
	return runCommand(e, flags.Args(), signals, parent)
}

func runCommand(e *dockertest.Engine, args []string, signals <-chan os.Signal,
	parent int) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), e.Env()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return engineTrouble, err
	}
	return wait(cmd, signals, parent)
}

// wait waits for the command, and ends it early after SIGTERM or SIGHUP, or when our parent is gone
// (`go run` does not pass its own death on).
func wait(cmd *exec.Cmd, signals <-chan os.Signal, parent int) (int, error) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if status, ok := errors.AsType[*exec.ExitError](err); ok {
				return exitCode(status.Sys().(syscall.WaitStatus)), nil
			}
			return cmd.ProcessState.ExitCode(), err
		case sig := <-signals:
			if sig != syscall.SIGINT {
				cmd.Process.Signal(sig)
			}
		case <-time.After(500 * time.Millisecond):
			if os.Getppid() != parent {
				cmd.Process.Kill()
			}
		}
	}
}

// exitCode returns a shell's exit code: 128 and the signal's number for a killed command.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
