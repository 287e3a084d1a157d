package file

import (
	"context"
	"io"
	"os"

	"dropcap"
	"dropcap/internal/host"
)

// MostDocument is the largest document that is read: about 20,000 containers.
const MostDocument = 256 << 20

// Read reads a file, or standard input if there is one and the path is "-", up to a size. An
// interrupt ends the wait for a pipe that nobody writes; the read itself is left behind, since it
// cannot be ended.
func Read(ctx context.Context, stdin io.Reader, path string, most int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := read(stdin, path, most)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func read(stdin io.Reader, path string, most int64) ([]byte, error) {
	r, name := stdin, Name(stdin, path)
	if stdin == nil || path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", name,
				host.Cause(err))
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", name,
			host.Cause(err))
	}
	if int64(len(b)) > most {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot read %s: it is larger than %d MiB", name,
			most>>20)
	}
	return b, nil
}

// Name returns what a person calls what [Read] reads.
func Name(stdin io.Reader, path string) string {
	if stdin != nil && path == "-" {
		return "standard input"
	}
	return path
}
