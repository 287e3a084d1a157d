package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The files that are written to, where the folder has none yet.
const (
	files = 8
	large = 4 << 20
)

// writer goes on writing into the files of a folder.
type writer struct {
	files  []*os.File
	mapped []byte
	log    *os.File
}

// work writes until the function that it returns is called, which returns when the last byte is
// written.
func work(dir string) (over func(), err error) {
	w, err := openAll(dir)
	if err != nil {
		return nil, err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				w.write(n)
				fmt.Fprintln(w.log, "end")
				return
			case <-time.After(time.Millisecond):
				w.write(n)
			}
		}
	}()
	return func() { close(stop); <-done }, nil
}

func openAll(dir string) (*writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &writer{}
	for i := range files {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.Size() == 0 {
			err = f.Truncate(large)
		}
		if err != nil {
			return nil, err
		}
		w.files = append(w.files, f)
	}
	var err error
	if w.log, err = os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY,
		0o644); err != nil {
		return nil, err
	}
	const both = syscall.PROT_READ | syscall.PROT_WRITE
	w.mapped, err = syscall.Mmap(int(w.files[0].Fd()), 0, large, both, syscall.MAP_SHARED)
	return w, err
}

func (w *writer) write(n int) {
	text := fmt.Appendf(nil, "%020d\n", n)
	_, _ = w.files[n%files].WriteAt(text, int64(n*7919%(large/4096))*4096)
	copy(w.mapped[n*104729%(large/4096)*4096:], text)
	if n%10 == 0 {
		_, _ = w.log.Write(text)
	}
}
