// Package cli is the shell around the verbs: flags, wiring, printing and exit statuses, one file
// per command. It decides nothing about containers.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/render"
)

// app is one run of the program: its streams and what the global flags say.
type app struct {
	in       io.Reader
	out, err io.Writer
	engine   engineFlags
	// what the command wants to exit with, if it ends without an error
	status     int
	yes        bool                  // no question needs an answer
	showPlan   bool                  // show a plan before the question whether to apply it
	lastEffect string                // what of a change was shown last
	looked     func(done, total int) // shows how many containers were looked at; nil: nothing does
	policySaid bool                  // it was said which policy is taken
	finished   bool                  // the command did what it should although it was interrupted
	held       bool                  // whoever does a fleet's request runs this, and waits for it
}

// Main runs one command line and gives its exit status. Nothing else in the program prints errors
// or decides the status.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	// A reader that has had enough (| head) is no error: without this the first write after it
	// would kill the process.
	signal.Ignore(syscall.SIGPIPE)
	held := keepHeld()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: &pipe{w: out}, err: &pipe{w: errw}}
	a.held, a.looked = held, a.progress("looked at")
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if ctx.Err() != nil && !a.finished && (err == nil || errors.Is(err, context.Canceled)) {
		err = dropcap.Errorf(dropcap.CodeInterrupt, "",
			"cannot finish: interrupted; nothing was changed")
	}
	if err != nil {
		a.report(err, wantsJSON(cmd))
		return dropcap.ExitOf(err)
	}
	return a.status
}

// report prints an error: a sentence and its remedy on stderr, and as a document on stdout when
// JSON was asked for.
func (a *app) report(err error, asJSON bool) {
	e := asError(err)
	fmt.Fprintf(a.err, "dropcap: error: %s\n", lines(e.Message))
	if e.Hint != "" {
		fmt.Fprintf(a.err, "dropcap: hint: %s\n", oneLine(e.Hint))
	}
	if asJSON {
		writeErrorJSON(a.out, e)
	}
}

// wantsJSON tells whether standard output was to be JSON, as far as the command line was
// understood.
func wantsJSON(cmd *cobra.Command) bool {
	f := cmd.Flag("format")
	if f == nil {
		return false
	}
	if several, ok := f.Value.(pflag.SliceValue); ok {
		return slices.Contains(several.GetSlice(), "json")
	}
	return f.Value.String() == "json"
}

func writeErrorJSON(w io.Writer, e *dropcap.Error) {
	type body struct {
		Code    dropcap.Code `json:"code"`
		Message string       `json:"message"`
		Hint    string       `json:"hint"`
	}
	// A failed write of an error has nobody left to be told.
	_ = render.JSONLine(w, map[string]body{"error": {e.Code, e.Message, e.Hint}})
}

// asError gives any error the form that people are told: "cannot …".
func asError(err error) *dropcap.Error {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &dropcap.Error{Code: dropcap.CodeError, Message: "cannot finish: " + err.Error(),
			Hint: "a longer --timeout may help", Err: err}
	}
	msg := err.Error()
	if !strings.HasPrefix(msg, "cannot ") {
		msg = "cannot go on: " + msg
	}
	return &dropcap.Error{Code: dropcap.CodeError, Message: msg, Err: err}
}

// usage turns what the flag parser says into an error of ours.
func usage(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("`%s --help` tells what it takes", cmd.CommandPath())
	return &dropcap.Error{Code: dropcap.CodeUsage, Message: "cannot read the command line: " +
		err.Error(), Hint: hint, Err: err}
}

// pipe is a stream whose reader may go away: then the rest is dropped and it is no error.
type pipe struct {
	w    io.Writer
	gone bool
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.gone {
		return len(b), nil
	}
	n, err := p.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.gone = true
		return len(b), nil
	}
	return n, err
}

func writeJSON(w io.Writer, v any) error {
	if err := render.JSON(w, v); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// writeFile is for requests of a fleet.
func writeFile(path string, write func(io.Writer) error) error { return file.Write(path, write) }
