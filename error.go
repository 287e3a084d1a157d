package dropcap

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code is the kind of an error; each has one exit status.
type Code string

// The kinds of error.
const (
	CodeError Code = "error" // 1
	CodeUsage Code = "usage" // 2
	// 6: this host cannot do it (no engine, no permission, no BTF)
	CodeHost       Code = "host"
	CodeIncomplete Code = "incomplete"  // 7
	CodeRolledBack Code = "rolled-back" // 4: the old container is back in place
	CodePerson     Code = "person"      // 5: the rollback failed
	CodeInterrupt  Code = "interrupted" // 130
	CodeNoPlan     Code = "no-plan"     // 1: the host of a fleet has stored no such plan
)

// Error is an error for people: a sentence that begins with "cannot", and the remedy.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Err     error // the cause, for errors.Is; Message includes its text where that helps
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error; a %w in the format is its cause.
func Errorf(code Code, hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Hint: hint, Err: errors.Unwrap(err)}
}

// AsError converts any error to an Error: "cannot …", and the remedy.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: CodeError, Message: "cannot finish: " + err.Error(),
			Hint: "a longer --timeout may help", Err: err}
	}
	msg := err.Error()
	if !strings.HasPrefix(msg, "cannot ") {
		msg = "cannot go on: " + msg
	}
	return &Error{Code: CodeError, Message: msg, Err: err}
}

// Exit statuses, the same for every command and format.
const (
	ExitOK         = 0
	ExitError      = 1
	ExitUsage      = 2
	ExitFindings   = 3
	ExitRolledBack = 4
	ExitPerson     = 5
	ExitHost       = 6
	ExitIncomplete = 7
	ExitInterrupt  = 130
)

// ExitOf returns the exit status of an error.
func ExitOf(err error) int {
	if err == nil {
		return ExitOK
	}
	var e *Error
	if !errors.As(err, &e) {
		return ExitError
	}
	switch e.Code {
	case CodeUsage:
		return ExitUsage
	case CodeHost:
		return ExitHost
	case CodeIncomplete:
		return ExitIncomplete
	case CodeRolledBack:
		return ExitRolledBack
	case CodePerson:
		return ExitPerson
	case CodeInterrupt:
		return ExitInterrupt
	default:
		return ExitError
	}
}

// Worst returns the exit status that represents several, in the order 5 4 1 6 3 7 0; 2 and 130 end
// a command at once and take precedence.
func Worst(statuses ...int) int {
	order := []int{ExitInterrupt, ExitUsage, ExitPerson, ExitRolledBack, ExitError, ExitHost,
		ExitFindings, ExitIncomplete}
	for _, o := range order {
		for _, s := range statuses {
			if s == o {
				return o
			}
		}
	}
	return ExitOK
}

// ErrNotFound is the cause of an error about a container that does not exist (any more).
var ErrNotFound = errors.New("no such container")

// ErrUnreachable is the cause of an error about an engine that answers no request at all.
var ErrUnreachable = errors.New("the engine cannot be reached")

// ErrGone is the cause of an error about a process that ended while it was read.
var ErrGone = errors.New("the process is gone")
