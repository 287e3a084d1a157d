package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/host"
	"dropcap/internal/policy"
	"dropcap/internal/render"
)

// mostDocument is the largest document that is read: about 20,000 containers.
const mostDocument = 256 << 20

// readAll reads a file, or standard input if there is one and the path is "-", up to a size. An
// interrupt ends the wait for a pipe that nobody writes; the read itself is left behind, since it
// cannot be ended.
func readAll(ctx context.Context, stdin io.Reader, path string, most int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := readFile(stdin, path, most)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func readFile(stdin io.Reader, path string, most int64) ([]byte, error) {
	r, name := stdin, called(stdin, path)
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
			"cannot read %s: it is larger than %d MiB", name, most>>20)
	}
	return b, nil
}

// called is how a person calls what is read.
func called(stdin io.Reader, path string) string {
	if stdin != nil && path == "-" {
		return "standard input"
	}
	return path
}

// readSnapshot reads a saved snapshot, or an audit whose judgement is then made anew.
func readSnapshot(ctx context.Context, stdin io.Reader, path string,
	names []string) (dropcap.Snapshot, error) {
	var s dropcap.Snapshot
	b, err := readAll(ctx, stdin, path, mostDocument)
	if err != nil {
		return s, err
	}
	path = called(stdin, path)
	if err := json.Unmarshal(b, &s); err != nil {
		return s, dropcap.Errorf(dropcap.CodeError, "save one with `dropcap audit --snapshot FILE`",
			"cannot read %s: %w", path, err)
	}
	if s.Schema != dropcap.SchemaSnapshot && s.Schema != dropcap.SchemaAudit {
		return s, dropcap.Errorf(dropcap.CodeError, "save one with `dropcap audit --snapshot FILE`",
			"cannot read %s: its schema is %q, not %s", path, s.Schema, dropcap.SchemaSnapshot)
	}
	s.Schema = dropcap.SchemaSnapshot
	if len(names) == 0 {
		return s, nil
	}
	return pick(s, names)
}

// pick keeps the named containers, by name or by the beginning of the id.
func pick(s dropcap.Snapshot, names []string) (dropcap.Snapshot, error) {
	var list []dropcap.Container
	for _, n := range names {
		found := false
		for _, c := range s.Containers {
			if c.Name == n || len(n) >= 4 && strings.HasPrefix(c.ID, n) {
				list, found = append(list, c), true
				break
			}
		}
		if !found {
			return s, notInSnapshot(s, n)
		}
	}
	s.Containers = list
	return s, nil
}

// notInSnapshot makes the error for a name that no container of the snapshot has, with the nearest
// one that there is.
func notInSnapshot(s dropcap.Snapshot, name string) error {
	var names []string
	for _, c := range s.Containers {
		names = append(names, c.Name)
	}
	hint := "`dropcap audit --from FILE` without a name lists them"
	if near, ok := caps.NearestWord(name, names); ok {
		hint = "did you mean " + near + "?"
	}
	return &dropcap.Error{Code: dropcap.CodeError, Hint: hint, Err: dropcap.ErrNotFound,
		Message: fmt.Sprintf("cannot find a container named %q in the snapshot", name)}
}

// loadBaseline reads an earlier audit; nil without one.
func loadBaseline(ctx context.Context, path string) (func(string, dropcap.Finding) bool, error) {
	if path == "" {
		return nil, nil
	}
	b, err := readAll(ctx, nil, path, mostDocument)
	if err != nil {
		return nil, err
	}
	var a dropcap.Audit
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError,
			"make one with `dropcap audit --format json=FILE`", "cannot read %s: %w", path, err)
	}
	if a.Schema != dropcap.SchemaAudit {
		return nil, dropcap.Errorf(dropcap.CodeError,
			"make one with `dropcap audit --format json=FILE`",
			"cannot read %s: its schema is %q, not %s", path, a.Schema, dropcap.SchemaAudit)
	}
	return policy.Known(a), nil
}

func saveJSON(path string, v any) error {
	return writeFile(path, func(w io.Writer) error { return writeJSON(w, v) })
}

func writeJSON(w io.Writer, v any) error {
	if err := render.JSON(w, v); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}
