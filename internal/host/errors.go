package host

import (
	"errors"
	"os"
	"os/exec"

	"dropcap"
)

// Cause strips the operation and the path from a file error, for sentences that name them already.
func Cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	var x *exec.Error
	if errors.As(err, &x) {
		return x.Err
	}
	return err
}

// CodeOf returns the kind of an error; CodeError if it is not one of dropcap's own.
func CodeOf(err error) dropcap.Code {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return dropcap.CodeError
}

// sentence returns an error's text for people: "cannot …", and the remedy.
func sentence(err error) (message, hint string) {
	e := dropcap.AsError(err)
	return e.Message, e.Hint
}
