// Package terminal writes messages and progress for a person to a stream, and asks there. Whatever
// it shows of a host is one plain line.
package terminal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"dropcap"
	"dropcap/internal/printable"
)

// Is reports whether a stream ends at a terminal. A stream that wraps another has Unwrap.
func Is(w io.Writer) bool {
	if u, ok := w.(interface{ Unwrap() io.Writer }); ok {
		w = u.Unwrap()
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ClearLine takes away an unfinished line, such as a counter.
func ClearLine(w io.Writer) {
	if Is(w) {
		fmt.Fprint(w, "\r\033[K")
	}
}

// Warn prints a warning.
func Warn(w io.Writer, err error) {
	ClearLine(w)
	fmt.Fprintf(w, "dropcap: warning: %s\n", printable.Line(err.Error()))
}

// Say prints a line about the progress.
func Say(w io.Writer, text string) {
	fmt.Fprintf(w, "dropcap: %s\n", printable.Line(text))
}

// Confirm asks a question; without a terminal the answer must have been given by --yes. A nil error
// means yes.
func Confirm(ctx context.Context, in io.Reader, w io.Writer, question string) error {
	if !Is(w) {
		return dropcap.Errorf(dropcap.CodeUsage, "add --yes", "cannot ask without a terminal: %s",
			question)
	}
	fmt.Fprintf(w, "%s [y/N] ", printable.Line(question))
	answers := make(chan string, 1)
	go func() {
		answer, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
		if err != nil {
			answer = "" // half a line is no answer
		}
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case <-ctx.Done(): // a read cannot be interrupted, and the program ends
		fmt.Fprintln(w)
		return dropcap.Errorf(dropcap.CodeInterrupt, "",
			"cannot go on: interrupted; nothing was done")
	case word := <-answers:
		if word != "y" && word != "yes" {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot go on: not confirmed; nothing was done")
		}
		return nil
	}
}

// Counter shows the progress of long work on containers on a terminal; nil without a terminal.
// It stays silent for the first second.
func Counter(w io.Writer, verb string) func(done, total int) {
	if !Is(w) {
		return nil
	}
	start, last := time.Now(), time.Time{}
	return func(done, total int) {
		now := time.Now()
		if done == total && !last.IsZero() {
			ClearLine(w)
			return
		}
		if now.Sub(start) < time.Second || now.Sub(last) < 100*time.Millisecond {
			return
		}
		last = now
		fmt.Fprintf(w, "\r\033[K%s %d of %d containers", verb, done, total)
	}
}
