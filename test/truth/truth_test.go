// Package truth_test holds what learning says against the truth: programs and servers are learned
// from by the real program, and then really run with what it recommends, and with each member of
// that removed in turn.
//
//	go test ./test/truth                            programs that need the engine's defaults or nothing, and one server
//	DROPCAP_TEST_FULL=1 go test ./test/truth        all programs and servers
//	DROPCAP_TRUTH=derive go test ./test/truth       instead, find out what the table should say, without the tool
package truth_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// abreast is how many containers live at the same time.
const abreast = 2

var (
	full   = os.Getenv("DROPCAP_TEST_FULL") == "1"
	derive = os.Getenv("DROPCAP_TRUTH") == "derive"
)

func TestRecommendationsAgainstTheTruth(t *testing.T) {
	testenv.Need(t, testenv.BTF)
	if full {
		testenv.Need(t, testenv.Workloads, testenv.Tool("ssh", "openssh-client"),
			testenv.Tool("nsenter", "util-linux"))
	}
	e := dockertest.Start(t, dockertest.Docker20)
	list := stage(t, e)
	if derive {
		deriveTruth(t, e, list)
		return
	}
	results := learnAll(t, e, list)
	each(results, func(r *result) { r.try(e) })
	t.Log("\n" + table(results))
	for _, r := range results {
		r.judge(t)
	}
	if q := measure(results); q.precision() < 0.9 && len(results) > 1 {
		t.Errorf("precision %.3f, want 0.900 without what is to be tried without", q.precision())
	}
}

// stage imports the images and returns the workloads of this run. DROPCAP_TRUTH_ONLY selects some.
func stage(t *testing.T, e *dockertest.Engine) []workload {
	t.Helper()
	importOne(t, e)
	list := slices.Concat(defaultPrograms(), probes(), ownSets(), buyers(t))
	if full {
		list = append(list, addedPrograms()...)
	}
	if full || testenv.Check(testenv.Workloads) == nil {
		importServers(t, e)
		s := servers(t, e)
		if !full {
			s = slices.DeleteFunc(s, func(w workload) bool { return w.name != "redis" })
		}
		list = append(list, s...)
	}
	if only := os.Getenv("DROPCAP_TRUTH_ONLY"); only != "" {
		list = slices.DeleteFunc(list, func(w workload) bool {
			return !slices.Contains(strings.Split(only, ","), w.name)
		})
	}
	return list
}

// result is the outcome for one workload.
type result struct {
	workload
	evidence dropcap.WorkloadEvidence
	watched  error // how the life went during learning
	// with is how it went with the recommended set; without, with one member of it removed.
	with    error
	without map[caps.Cap]error
}

// learnAll learns from one life of each workload.
func learnAll(t *testing.T, e *dockertest.Engine, list []workload) []*result {
	t.Helper()
	var results []*result
	var names []string
	containers := map[string]*container{}
	for _, w := range list {
		c, err := create(e, w, w.name, grant{add: w.add.Names()})
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		defer c.remove()
		containers[w.name] = c
		names = append(names, w.name)
		results = append(results, &result{workload: w, without: map[caps.Cap]error{}})
	}
	found := learn(t, e, names, func() {
		each(results, func(r *result) { r.watched = r.life(containers[r.name]) })
	})
	for _, r := range results {
		r.evidence = found[r.name]
	}
	return results
}

// each calls do for all results, some at a time.
func each[T any](list []T, do func(T)) {
	next := make(chan T)
	var workers sync.WaitGroup
	for range abreast {
		workers.Go(func() {
			for r := range next {
				do(r)
			}
		})
	}
	for _, r := range list {
		next <- r
	}
	close(next)
	workers.Wait()
}

// try runs the workload with the recommended set, and with each member removed.
func (r *result) try(e *dockertest.Engine) {
	r.with = live(e, r.workload, "with", r.evidence.Required)
	for _, c := range r.evidence.Required.List() {
		r.without[c] = live(e, r.workload, "without-"+c.Short(),
			r.evidence.Required.Minus(caps.Of(c)))
	}
}

// live runs one life of a workload with exactly a set; nil if nothing broke.
func live(e *dockertest.Engine, w workload, name string, set caps.Set) error {
	c, err := create(e, w, w.name+"-"+name, exactly(set))
	if err != nil {
		return err
	}
	defer c.remove()
	return w.life(c)
}

// deriveTruth finds what each workload cannot do without, by removing each capability that it holds
// in turn.
func deriveTruth(t *testing.T, e *dockertest.Engine, list []workload) {
	t.Helper()
	each(list, func(w workload) {
		held := caps.DockerDefaults | w.add
		var text strings.Builder
		fmt.Fprintf(&text, "%s: with all: %v", w.name, live(e, w, "all", held))
		for _, c := range held.List() {
			if err := live(e, w, "lacks-"+c.Short(), held.Minus(caps.Of(c))); err != nil {
				fmt.Fprintf(&text, "\n\t%s: %v", c.Short(), err)
			}
		}
		t.Log(text.String())
	})
}
