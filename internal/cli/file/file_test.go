package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadIsBoundedAndCanBeInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(t.Context(), nil, path, 5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Read(t.Context(), nil, path, 4); err == nil ||
		!strings.Contains(err.Error(), "larger") {
		t.Errorf("too large: %v", err)
	}
	if b, err := Read(t.Context(), strings.NewReader("in"), "-", 5); err != nil ||
		string(b) != "in" {
		t.Errorf("standard input: %q, %v", b, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, in := io.Pipe()
	defer in.Close()
	if _, err := Read(ctx, silent, "-", 5); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe that nobody writes: %v", err)
	}
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	half := func(w io.Writer) error {
		_, _ = io.WriteString(w, "ha")
		return errors.New("broken")
	}
	if err := Write(path, half); err == nil {
		t.Error("no error")
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("half is written: %q", b)
	}
	whole := func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }
	if err := Write(path, whole); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if i, err := os.Stat(path); err != nil || string(b) != "new" || i.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", b, i.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAPipeIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if !IsStream(path) || IsStream(filepath.Dir(path)) || IsStream(path+"2") {
		t.Error("taken for another kind")
	}
	if !IsStream("/dev/null") {
		t.Error("a device is taken for a file")
	}
	read := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(path)
		read <- string(b)
	}()
	text := func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err }
	if err := Write(path, text); err != nil || <-read != "text" || !IsStream(path) {
		t.Errorf("%v", err)
	}
}
