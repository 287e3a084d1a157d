package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"dropcap"
)

// maxProblems limits what one run reports: a file with more than ten is of another kind than its
// user thinks.
const maxProblems = 10

// Problem is one place of a policy file that cannot be read as meant.
type Problem struct {
	Line, Column int // from 1; columns in characters
	Message      string
	Hint         string // what to write instead
}

// Problems are the problems of one file, in its order.
type Problems struct {
	List []Problem
	More bool // there are others, not listed
}

// Error returns one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List))
	for _, q := range p.List {
		lines = append(lines, fmt.Sprintf("%d:%d: %s", q.Line, q.Column, q.Message))
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(line, column int, hint, format string, args ...any) {
	if len(p.List) == maxProblems {
		p.More = true
		return
	}
	// A parser that reports no position means the whole file.
	p.List = append(p.List, Problem{Line: max(line, 1), Column: max(column, 1),
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

// err returns nil without problems. One problem has its hint apart; several are on a line each,
// with theirs.
func (p *Problems) err(name string) error {
	if len(p.List) == 0 {
		return nil
	}
	first := p.List[0]
	e := &dropcap.Error{Code: dropcap.CodeError, Hint: first.Hint, Err: p}
	e.Message = fmt.Sprintf("cannot read policy %s:%d:%d: %s", name, first.Line, first.Column,
		first.Message)
	if len(p.List) == 1 {
		return e
	}
	e.Message += withHint(first.Hint)
	for _, q := range p.List[1:] {
		e.Message += fmt.Sprintf("\n  %s:%d:%d: %s%s", name, q.Line, q.Column, q.Message,
			withHint(q.Hint))
	}
	e.Hint = fmt.Sprintf("mend these %d places of the policy", len(p.List))
	if p.More {
		e.Hint = fmt.Sprintf("these are the first %d places; there are more", len(p.List))
	}
	return e
}

func withHint(hint string) string {
	if hint == "" {
		return ""
	}
	return "; " + hint
}

// reader collects the problems of one file.
type reader struct{ problems Problems }

func (r *reader) bad(n *yaml.Node, hint, format string, args ...any) {
	r.problems.add(n.Line, n.Column, hint, format, args...)
}
