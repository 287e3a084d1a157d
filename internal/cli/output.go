package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dropcap/internal/cli/file"
	"dropcap/internal/render"
)

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

// quietly gives the format of standard output: with --quiet one that can be ids alone.
func (f *outputFlags) quietly(format string) string {
	if f.quiet && format != "wide" && slices.Contains(f.known, format) ||
		f.quiet && strings.Contains(format, "{{") {
		return f.usual
	}
	return format
}

// sameFile tells whether the last of the files is one of those before it.
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
