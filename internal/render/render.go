// Package render writes documents in the formats in which a person or a tool wants them, one file
// per format. It writes to the writer it is given and to nothing else, and decides nothing about
// verdicts: what the document says, in the order in which it says it.
package render

import (
	"io"
	"strings"
	"time"

	"dropcap"
)

// Options say how to write. The zero value is for a pipe: no colour, no limit of width, identifiers
// shortened.
type Options struct {
	Width    int // columns of the terminal; 0 is no terminal, and no limit
	Color    bool
	NoTrunc  bool      // nothing is shortened
	Quiet    bool      // table and wide print container ids only, as docker ps does
	Details  bool      // a plan's text tells everything about each step
	Applying bool      // a plan that is about to be applied
	Next     []Advice  // what to do next; table and wide end with it
	Version  string    // of dropcap
	Now      time.Time // when this is written
}

type writer func(io.Writer, audits, Options) error

type format struct {
	name  string
	write writer
}

// formats in the order in which help lists them.
func formats() []format {
	return []format{
		{"table", auditTable}, {"wide", auditWide}, {"json", auditJSON}, {"cis", auditCIS},
		{"csv", auditCSV},
		{"markdown", auditMarkdown}, {"junit", auditJUnit}, {"sarif", auditSARIF},
		{"html", auditHTML},
	}
}

// Formats lists the names that --format takes besides templates.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Audit writes a in the given format: one of [Formats] or a Go template as [Container] describes.
// The error is a *dropcap.Error of kind usage for a bad format, and otherwise the writer's.
func Audit(w io.Writer, format string, a dropcap.Audit, o Options) error {
	if isTemplate(format) {
		return auditTemplate(w, format, one(a), o)
	}
	f, err := find(format)
	if err != nil {
		return err
	}
	return f(w, one(a), o)
}

// CheckFormat finds a bad format before any work is done: an unknown name, a template that does not
// parse or asks for an unknown field.
func CheckFormat(format string) error {
	if isTemplate(format) {
		return checkTemplate(format)
	}
	_, err := find(format)
	return err
}

func find(name string) (writer, error) {
	for _, f := range formats() {
		if f.name == name {
			return f.write, nil
		}
	}
	return nil, dropcap.Errorf(dropcap.CodeUsage, "use one of "+strings.Join(Formats(), ", ")+
		`, or a template such as '{{.Name}} {{.Verdict}}'`,
		"cannot use %q as a format", visible(name))
}
