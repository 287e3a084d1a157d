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
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/cli/flag"
	"dropcap/internal/cli/terminal"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// app is one run of the program: its streams and global flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	engine   flag.Engine
	// what the command wants to exit with, if it ends without an error
	status     int
	yes        bool                  // no question needs an answer
	details    bool                  // of such a plan: tell all about each container
	showPlan   bool                  // show a plan before the question whether to apply it
	lines      host.Lines            // of what goes on
	looked     func(done, total int) // shows how many containers were looked at; nil: nothing does
	policySaid bool                  // it was said which policy is taken
	finished   bool                  // the command did what it should although it was interrupted
}

// Main runs one command line and returns its exit status. Nothing else in the program prints errors
// or decides the status.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	// A reader that has had enough (| head) is no error: without this the first write after it
	// would kill the process.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: &pipe{w: out}, err: &pipe{w: errw}}
	a.looked = terminal.Counter(a.err, "looked at")
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
	e := dropcap.AsError(err)
	fmt.Fprintf(a.err, "dropcap: error: %s\n", lines(e.Message))
	if e.Hint != "" {
		fmt.Fprintf(a.err, "dropcap: hint: %s\n", oneLine(e.Hint))
	}
	if asJSON {
		writeErrorJSON(a.out, e)
	}
}

// wantsJSON reports whether standard output was to be JSON, as far as the command line could be
// parsed.
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

// usage turns the flag parser's error into one of dropcap's.
func usage(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("`%s --help` tells what it takes", cmd.CommandPath())
	var own *dropcap.Error // of a flag's value
	if errors.As(err, &own) && own.Hint != "" {
		hint = own.Hint
	}
	return &dropcap.Error{Code: dropcap.CodeUsage, Message: "cannot read the command line: " +
		err.Error(), Hint: hint, Err: err}
}

// pipe is a stream whose reader may go away: then the rest is dropped and it is no error.
type pipe struct {
	w    io.Writer
	gone atomic.Bool
	// whenGone is called at the first write that finds the reader gone; nil: the rest is dropped
	whenGone func()
}

// Unwrap returns the stream itself.
func (p *pipe) Unwrap() io.Writer { return p.w }

func (p *pipe) Write(b []byte) (int, error) {
	if p.gone.Load() {
		return len(b), nil
	}
	n, err := p.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.gone.Store(true)
		if p.whenGone != nil {
			p.whenGone()
		}
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

func isTerminal(w io.Writer) bool { return terminal.Is(w) }

func (a *app) warn(err error) { terminal.Warn(a.err, err) }

func (a *app) clearLine() { terminal.ClearLine(a.err) }

func (a *app) say(format string, args ...any) { terminal.Say(a.err, fmt.Sprintf(format, args...)) }

func (a *app) confirm(ctx context.Context, question string) error {
	return terminal.Confirm(ctx, a.in, a.err, question)
}

// outputFlags are the flags of every command that prints a document.
type outputFlags struct {
	formats        []string
	noTrunc, quiet bool
	known          []string
	usual          string
}

// target is one output: a format, and the file it goes to; empty is standard output.
type target struct{ format, file string }

func (f *outputFlags) register(cmd *cobra.Command, known []string, usual string) {
	f.known, f.usual = known, usual
	fl := cmd.Flags()
	fl.StringArrayVar(&f.formats, "format", nil, "output: "+strings.Join(known, ", ")+
		", or a Go template; FORMAT=FILE writes to a file; may be repeated")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "do not shorten what is shown")
	fl.BoolVarP(&f.quiet, "quiet", "q", false,
		"show container ids only; wins over --format, as in docker")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp)))
}

// targets reads the formats before any work is done; taken are files that something else is written
// to. Standard output gets the usual format when every one given goes to a file, and with --quiet,
// as docker has it.
func (f *outputFlags) targets(check func(string) error, taken ...string) ([]target, error) {
	var list []target
	stdout := 0
	for _, s := range f.formats {
		t, err := f.target(s)
		if err != nil {
			return nil, err
		}
		if err := check(t.format); err != nil {
			return nil, err
		}
		if t.file == "" {
			stdout++
		} else if taken = append(taken, t.file); sameFile(taken) {
			return nil, usageError("give each a file of its own",
				"cannot write two documents to one file: %s", t.file)
		}
		list = append(list, t)
	}
	if stdout > 1 {
		return nil, usageError("give the others a file: FORMAT=FILE",
			"cannot write %d formats to standard output", stdout)
	}
	if stdout == 0 {
		list = append(list, target{format: f.usual})
	}
	return list, nil
}

// target reads one --format. The names of standard output mean it, since it may be a file that must
// not be replaced.
func (f *outputFlags) target(s string) (target, error) {
	name, file, found := strings.Cut(s, "=")
	switch {
	case !found || !slices.Contains(f.known, name):
		return target{format: f.quietly(s)}, nil
	case file == "":
		return target{}, usageError("for example --format "+name+"=audit."+name,
			"cannot write format %s to a file without a name", name)
	case slices.Contains([]string{"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}, file):
		return target{format: f.quietly(name)}, nil
	}
	return target{name, file}, nil
}

// quietly returns the format of standard output: with --quiet one that can be ids alone.
func (f *outputFlags) quietly(format string) string {
	if f.quiet && format != "wide" && slices.Contains(f.known, format) ||
		f.quiet && strings.Contains(format, "{{") {
		return f.usual
	}
	return format
}

// sameFile reports whether the last of the files is one of those before it.
func sameFile(files []string) bool {
	last, err := filepath.Abs(files[len(files)-1])
	return slices.ContainsFunc(files[:len(files)-1], func(f string) bool {
		abs, other := filepath.Abs(f)
		return f != "" && err == nil && other == nil && abs == last
	})
}

// warnQuiet says that a format is not used, as docker does.
func (a *app) warnQuiet(f outputFlags) {
	for _, s := range f.formats {
		if t, err := f.target(s); err == nil && t.file == "" && t.format != s && f.quiet {
			fmt.Fprintf(a.err, "dropcap: warning: --quiet prints ids only, so --format %s is not "+
				"used\n", oneLine(s))
		}
	}
}

// print renders to each target.
func (a *app) print(list []target, render func(io.Writer, string, render.Options) error,
	f outputFlags) error {
	for _, t := range list {
		o := a.options(f)
		if t.file == "" {
			if err := render(a.out, t.format, o); err != nil {
				return fmt.Errorf("cannot write the result: %w", err)
			}
			continue
		}
		o.Width, o.Color, o.Quiet = 0, false, false
		if err := file.Write(t.file, func(w io.Writer) error {
			return render(w, t.format, o)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) options(f outputFlags) render.Options {
	o := render.Options{NoTrunc: f.noTrunc, Quiet: f.quiet, Version: version(), Now: time.Now()}
	p, _ := a.out.(*pipe)
	file, ok := p.w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return o
	}
	if w, _, err := term.GetSize(int(file.Fd())); err == nil {
		o.Width = w
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return o
}
