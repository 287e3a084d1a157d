package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/host"
	"dropcap/internal/wire"
)

// The tests' own program is the process that does a request: "work", the engine, the store, the
// words.
func TestMain(m *testing.M) {
	if len(os.Args) < 5 || os.Args[1] != "work" {
		os.Exit(m.Run())
	}
	q, err := wire.Parse(os.Args[4:])
	if err == nil {
		err = here(os.Args[2], os.Args[3]).Work(context.Background(), q, func(word string) {
			fmt.Println(word)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// here is a node on an engine, with a store in that folder.
func here(engine, folder string) *Node {
	return New(Config{
		Store: folder, Version: "1.2.3", Process: []string{os.Args[0], "work", engine, folder},
		Log: io.Discard,
		Host: func(o host.Observer) *host.Host {
			return host.New(host.Config{Store: folder, Observer: o, Engine: docker.Options{
				Host: engine, Timeout: 30 * time.Second,
			}})
		},
	})
}

func start(t *testing.T, names ...string) (*Node, *fake.Engine) {
	t.Helper()
	e := fake.Start(t, fake.Options{})
	for _, name := range names {
		e.Add(fake.Container{Name: name})
	}
	return here(e.Host, filepath.Join(t.TempDir(), "store")), e
}

func id(n int) string { return fmt.Sprintf("%032x", n) }

// ask sends a request, which must be answered.
func ask(t *testing.T, n *Node, words ...string) dropcap.Receipt {
	t.Helper()
	q, err := wire.Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	r, err := n.Answer(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARequestIsDoneOnce(t *testing.T) {
	n, e := start(t, "web")
	e.Requests()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { ask(t, n, "audit", "--request="+id(1), "--deadline=60") })
	}
	wait.Wait()
	r := ask(t, n, "audit", "--request="+id(1))
	var a dropcap.Audit
	if err := json.Unmarshal(r.Document, &a); err != nil || r.State != dropcap.ReceiptDone ||
		r.Status != dropcap.ExitFindings || r.Summary != "1 container: 1 fail" ||
		len(a.Containers) != 1 {
		t.Fatalf("%v: %+v", err, r)
	}
	if r.Warnings == nil || r.Host.Dropcap != "1.2.3" {
		t.Errorf("%+v", r)
	}
	lists := 0
	for _, line := range e.Requests() {
		if strings.HasSuffix(line, "/containers/json") {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("the engine was asked for its containers %d times", lists)
	}
	q, _ := wire.Parse([]string{"plan", "--request=" + id(1)})
	if _, err := n.Answer(t.Context(), q); err == nil ||
		!strings.Contains(err.Error(), "it was to audit") {
		t.Errorf("the request for something else: %v", err)
	}
}

// Lists that are empty stand in the document as such, so that a script may walk them.
func TestDocumentsHaveNoListThatIsNull(t *testing.T) {
	n, _ := start(t)
	for i, verb := range []string{"audit", "plan", "history", "evidence"} {
		r := ask(t, n, verb, "--request="+id(i))
		for _, list := range []string{`"containers":null`, `"steps":null`, `"changes":null`,
			`"findings":null`, `"workloads":null`, `"lsm":null`} {
			if strings.Contains(string(r.Document), list) {
				t.Errorf("%s: %s", verb, r.Document)
			}
		}
		if r.Error != nil || r.Document == nil {
			t.Errorf("%s: %+v %+v", verb, r, r.Error)
		}
	}
}

// What a host warns of is told as such, and stands among the messages too, where older controllers
// look.
func TestWarningsAreToldApart(t *testing.T) {
	o := &observer{log: io.Discard}
	o.Warn(errors.New("web is left\x1b as it is"))
	o.Progress(host.Note{Text: "nothing to change"})
	for range 2 * mostMessages {
		o.Progress(host.Looked{})
	}
	if want := []string{"web is left? as it is"}; !slices.Equal(o.warnings, want) {
		t.Errorf("%q", o.warnings)
	}
	if want := []string{wire.WarningPrefix + "web is left? as it is",
		"nothing to change"}; !slices.Equal(o.messages, want) {
		t.Errorf("%q", o.messages)
	}
	for range 2 * mostMessages {
		o.Warn(errors.New(strings.Repeat("x", 2*mostMessage)))
	}
	if len(o.warnings) != mostMessages || len(o.messages) != mostMessages ||
		len(o.messages[0]) > mostMessage+3 {
		t.Errorf("%d warnings, %d messages of %d bytes", len(o.warnings), len(o.messages),
			len(o.messages[0]))
	}
}

// A request whose process died is ended: at once by whoever asks, if it only looked; else by
// recover alone.
func TestADeadRequestIsEndedByWhoMay(t *testing.T) {
	n, _ := start(t, "web")
	s, err := n.open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plans := "--plans=0123456789ab:" + strings.Repeat("a", 64)
	for i, words := range [][]string{{"audit"}, {"apply", plans}} {
		q, err := wire.Parse(append(words, "--request="+id(i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.BeginReceipt(t.Context(), n.newReceipt(q)); err != nil {
			t.Fatal(err)
		}
	}
	if r := ask(t, n, "receipt", "--of="+id(0),
		"--deadline=60"); r.State != dropcap.ReceiptInterrupted ||
		r.Status != dropcap.ExitInterrupt {
		t.Errorf("a look: %+v", r)
	}
	if r := ask(t, n, "receipt", "--of="+id(1)); r.State != dropcap.ReceiptRunning || !r.Recovery {
		t.Errorf("a change that is only looked at: %+v", r)
	}
	r := ask(t, n, "receipt", "--of="+id(2))
	if r.State != dropcap.ReceiptAbsent || r.Request != id(2) {
		t.Errorf("one that never came: %+v", r)
	}
}

// A request to apply that is taken back before it comes is not done when it comes.
func TestABackoutKeepsWhatHasNotArrivedFromBeingDone(t *testing.T) {
	n, _ := start(t)
	if r := ask(t, n, "backout", "--request="+id(1), "--of="+id(2)); r.Status != 0 ||
		r.Summary != "nothing to back out" {
		t.Errorf("%+v %+v", r, r.Error)
	}
	r := ask(t, n, "apply", "--request="+id(2), "--plans=0123456789ab:"+strings.Repeat("a", 64))
	if r.Status != dropcap.ExitError || r.Error == nil || !strings.Contains(r.Error.Message,
		"taken back before it arrived") {
		t.Errorf("%+v %+v", r, r.Error)
	}
}

// The changes of a request whose document was lost are those of its plan that began while it went
// on.
func TestChangesAreFoundWithoutADocument(t *testing.T) {
	plan := wire.Plan{ID: "0123456789ab", Digest: strings.Repeat("a", 64)}
	all := []dropcap.Change{
		{ID: "before", Plan: plan.ID, Started: "2026-01-01T09:59:59Z"},
		{ID: "within", Plan: plan.ID, Started: "2026-01-01T10:00:00Z"},
		{ID: "of another", Plan: "ba9876543210", Started: "2026-01-01T10:00:00Z"},
		{ID: "after", Plan: plan.ID, Started: "2026-01-01T10:00:02Z"},
		{ID: "named", Started: "2026-01-01T08:00:00Z"},
	}
	r := dropcap.Receipt{
		Verb: "apply", Args: wire.Words("apply", wire.Args{Plans: []wire.Plan{plan}}),
		Started: "2026-01-01T10:00:00Z", Ended: "2026-01-01T10:00:01Z",
	}
	names := func(list []dropcap.Change) (ids []string) {
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		return ids
	}
	if got := names(changesFor(r, all)); !slices.Equal(got, []string{"within"}) {
		t.Errorf("by what it was told: %q", got)
	}
	r.Plan, r.Document = "ba9876543210:"+plan.Digest, []byte(`{"changes":[{"id":"named"}]}`)
	if got := names(changesFor(r, all)); !slices.Equal(got, []string{"of another", "named"}) {
		t.Errorf("by what it applied: %q", got)
	}
}
