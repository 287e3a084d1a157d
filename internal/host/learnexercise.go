package host

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Command is a program that is run to be watched.
type Command struct {
	Args   []string // none: no program
	Stdin  io.Reader
	Output io.Writer // its standard output and error
}

// commandTimeout is how long a command may take to end after an interrupt.
const commandTimeout = 10 * time.Second

// exercise does what the recording watches: restarts, or a command. The time of a recording begins
// when the last container is up again.
func (l *learning) exercise(ctx context.Context, end func()) (failed error) {
	switch {
	case len(l.request.Command.Args) > 0:
		defer end()
		return l.request.Command.run(ctx)
	case l.request.Restart:
		failed = l.restarts.run(ctx, l.members)
	}
	if l.request.For > 0 {
		time.AfterFunc(l.request.For, end)
	}
	return failed
}

func (c Command) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = commandTimeout
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Output, c.Output
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return dropcap.Errorf(dropcap.CodeError, "what was recorded is kept all the same",
			"cannot run %s to its end: %w", printable.Line(c.Args[0]), err)
	}
	return nil
}
