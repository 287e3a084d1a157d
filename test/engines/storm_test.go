package engines_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// storms tests one engine; the whole matrix tests every engine, since runtimes differ: runc 1.1 and
// 1.3 have threads, crun has none.
func storms(t *testing.T, b *bench) {
	storm(t, b)
	for _, kind := range dockertest.Kinds {
		if full() && kind != b.Kind {
			t.Run(string(kind), func(t *testing.T) { storm(t, start(t, kind)) })
		}
	}
}

// storm starts, execs into and removes containers while audits run. None of them ever holds more
// than its declaration grants, so no audit may report that, although until the program starts
// runc's own threads are in their cgroups with all capabilities.
func storm(t *testing.T, b *bench) {
	each := 6
	if full() {
		each = 30
	}
	stay := b.RunContainer(t, "stay", dropAll)
	var running atomic.Int32
	var audits, seen, execs atomic.Int64
	var wg, watch sync.WaitGroup
	running.Store(4)
	for w := range 4 {
		wg.Go(func() {
			defer running.Add(-1)
			for i := range each {
				b.live(t, fmt.Sprintf("storm-%d-%d", w, i), stay)
			}
		})
	}
	for range 2 {
		watch.Go(func() {
			for running.Load() > 0 && !t.Failed() {
				a, err := b.audit(context.Background())
				if err != nil {
					t.Errorf("an audit amid the storm: %v", err)
					return
				}
				audits.Add(1)
				for _, c := range a.Containers {
					if ours := c.Name == "stay" ||
						strings.HasPrefix(c.Name, "storm-"); ours && c.Kernel.Visible {
						seen.Add(1)
						execs.Add(int64(len(c.Execs)))
					}
					calm(t, c)
				}
			}
		})
	}
	wg.Wait()
	watch.Wait()
	t.Logf("%d audits amid %d starts and execs; %d looks at running ones, %d live execs seen",
		audits.Load(), 4*each, seen.Load(), execs.Load())
	if audits.Load() < 5 || seen.Load() < 10 {
		t.Errorf("%d audits and %d looks are no storm", audits.Load(), seen.Load())
	}
}

// live is the short life of one container, with an exec in it and one in another.
func (b *bench) live(t *testing.T, name, other string) {
	call := func(method, path, body string) string {
		status, answer, err := b.Raw(context.Background(), method, path, body)
		if err != nil || status >= 400 {
			t.Errorf("%s %s: %d %s, %v", method, path, status, answer, err)
		}
		_, rest, _ := strings.Cut(string(answer), `"Id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	d := declaration{Drop: []string{"ALL"}}
	if rand.IntN(2) == 0 {
		d = declaration{Drop: []string{"NET_RAW"}, User: "1000"}
	}
	id := call(http.MethodPost, "/containers/create?name="+name, body(d))
	call(http.MethodPost, "/containers/"+id+"/start", "")
	for _, in := range []string{id, other} {
		exec := call(http.MethodPost, "/containers/"+in+"/exec",
			`{"Cmd":["sh","-c","sleep 0.1; true"],"AttachStdout":true}`)
		call(http.MethodPost, "/exec/"+exec+"/start", `{"Tty":true}`)
	}
	call(http.MethodDelete, "/containers/"+id+"?force=1", "")
}

// calm fails the test for what cannot be true of a container of the storm.
func calm(t *testing.T, c dropcap.Judged) {
	if c.Name != "stay" && !strings.HasPrefix(c.Name, "storm-") {
		return
	}
	if c.Verdict != dropcap.Pass || len(c.Findings) > 0 {
		t.Errorf("%s (%s, granted %s): %s with %+v\nkernel %+v", c.Name, c.State, c.Predicted,
			c.Verdict, c.Findings, c.Kernel)
	}
	if c.Kernel.Bounding != nil && !c.Kernel.Bounding.Minus(caps.DockerDefaults).Empty() {
		t.Errorf("%s was seen with %s", c.Name, c.Kernel.Bounding)
	}
}
