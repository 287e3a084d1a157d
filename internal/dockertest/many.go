package dockertest

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// parallel is how many calls the bulk helpers make at once; dockerd gains little past it.
const parallel = 8

// CreateMany creates n containers named prefix-0 … from one body of POST
// /containers/create, and removes them at the test's end. The ids are in the order of the names.
func (e *Engine) CreateMany(tb testing.TB, prefix string, n int, body string) (ids []string) {
	tb.Helper()
	ids = make([]string, n)
	tb.Cleanup(func() { e.RemoveAll(tb, ids) })
	each(tb, n, func(i int) (err error) {
		ids[i], err = e.create(fmt.Sprintf("%s-%d", prefix, i), body)
		return err
	})
	return ids
}

// StartAll starts the given containers.
func (e *Engine) StartAll(tb testing.TB, ids []string) {
	tb.Helper()
	each(tb, len(ids), func(i int) error {
		ctx, cancel := callContext()
		defer cancel()
		return e.call(ctx, http.MethodPost, "/containers/"+ids[i]+"/start", "", nil)
	})
}

// RemoveAll removes the given containers; it ignores "" and those already gone.
func (e *Engine) RemoveAll(tb testing.TB, ids []string) {
	tb.Helper()
	each(tb, len(ids), func(i int) error {
		if ids[i] == "" {
			return nil
		}
		return e.remove(ids[i])
	})
}

// each calls do(0) … do(n-1), several at a time, and fails the test with the first error.
func each(tb testing.TB, n int, do func(i int) error) {
	tb.Helper()
	next := make(chan int)
	errs := make(chan error, n)
	var workers sync.WaitGroup
	for range min(n, parallel) {
		workers.Go(func() {
			for i := range next {
				errs <- do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
}
