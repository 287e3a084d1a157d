package kernel

import (
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"dropcap"
)

// Fifty containers of one small process each, one after the other and, as the audit does it,
// several at a time.
func BenchmarkLook50(b *testing.B) {
	r := local(b)
	var list []dropcap.Container
	for range 50 {
		s := newSandbox(b)
		cmd := exec.Command("cat") // ends with its input
		if _, err := cmd.StdinPipe(); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		s.enter(cmd.Process.Pid)
		list = append(list, dropcap.Container{ID: s.id, State: "running", PID: cmd.Process.Pid})
	}
	for _, workers := range []int{1, 2, 16} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lookAll(b, r, list, workers)
			}
		})
	}
}

func lookAll(b *testing.B, r *Reader, list []dropcap.Container, workers int) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(list); i += workers {
				if k, err := r.Look(b.Context(), list[i]); err != nil || !k.Visible {
					b.Error(k, err)
				}
			}
		})
	}
	wg.Wait()
}
