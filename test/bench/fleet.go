package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/audit"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/frame"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

// controlFlag makes this program a fleet's controller, to measure the memory of a process without
// the double of AWS.
const controlFlag = "fleet-control"

const (
	fleetRegion     = "us-east-1"
	containersThere = 20 // on each node
)

// atOnce is a clock whose waits end at once. The double has the same time: it is updated before a
// wait ends. Each of several waiting goroutines waits until its own moment, so that time never
// passes the latest of them.
type atOnce struct {
	now  atomic.Int64
	mu   sync.Mutex
	tell func(time.Time) error
}

func (c *atOnce) Now() time.Time { return time.Unix(0, c.now.Load()).UTC() }

func (c *atOnce) Sleep(ctx context.Context, d time.Duration) error {
	until := c.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.Now()) {
		if err := c.tell(until); err != nil {
			return err
		}
		c.now.Store(until.UnixNano())
	}
	return ctx.Err()
}

// controlled is what a controller reports about itself.
type controlled struct {
	Run         string
	PeakKiB     int64         // VmHWM: its peak resident memory, by the kernel's account
	Fetched     int64         // the same before anything was printed
	Took        time.Duration // by the fleet's clock
	Documents   int
	Failures    int
	Bytes, Rows int // of the table
}

// controller returns what `dropcap fleet` uses, except for the clock.
func controller(ctx context.Context,
	folder string) (*fleet.Engine, []dropcap.Place, *store.Store, error) {
	clock := &atOnce{tell: func(to time.Time) error {
		resp, err := http.Get(os.Getenv("AWS_ENDPOINT_URL") + "/clock?to=" +
			strconv.FormatInt(to.UnixNano(), 10))
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}}
	clock.now.Store(cloud.NewFakeClock().Now().UnixNano())
	client, err := aws.Open(ctx, aws.Options{Clock: clock})
	if err != nil {
		return nil, nil, nil, err
	}
	places, err := client.Places(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := store.Open(folder)
	return &fleet.Engine{Carrier: client, Clock: clock, Ledger: s}, places, s, err
}

// audits is `dropcap fleet audit --targets all`, made of the same parts.
func audits(folder string) error {
	ctx := context.Background()
	e, places, s, err := controller(ctx, folder)
	if err != nil {
		return err
	}
	defer s.Close()
	began := e.Clock.Now()
	nodes, _, err := e.Carrier.Find(ctx, dropcap.Targets{All: true})
	if err != nil {
		return err
	}
	run, hosts, err := e.Start(ctx, dropcap.FleetRun{Verb: "audit", Targets: []string{"all"}},
		nodes, nil)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(fleet.MemoryFor(len(hosts)))
	if run, hosts, err = e.Go(ctx, run, hosts, places); err != nil {
		return err
	}
	told := controlled{Run: run.ID, Took: e.Clock.Now().Sub(began), Fetched: peak()}
	doc := fleet.ResultOf(run, hosts)
	if status := fleet.StatusCode(doc); status != dropcap.ExitFindings {
		return fmt.Errorf("the fleet's exit status is %d; %d failed: %+v", status,
			len(doc.Failures), doc.Failures[:min(3, len(doc.Failures))])
	}
	out := &counter{}
	if err := render.Fleet(out, "table", doc,
		render.Options{Width: 120, Now: e.Clock.Now()}); err != nil {
		return err
	}
	told.Documents, told.Failures, told.Bytes, told.Rows, told.PeakKiB = len(doc.Documents),
		len(doc.Failures), out.bytes, out.rows, peak()
	return json.NewEncoder(os.Stdout).Encode(told)
}

type counter struct{ bytes, rows int }

func (c *counter) Write(b []byte) (int, error) {
	c.bytes += len(b)
	c.rows += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// peak returns VmHWM. wait4's value would include the parent's memory: it is that of the address
// space before exec, too.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	n, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return n
}

// nodeID returns the id of the nth node.
func nodeID(n int) string { return fmt.Sprintf("i-%017x", n) }

var request = regexp.MustCompile(`dropcap node '?([a-z]+)'? --request='?([0-9a-f]{32})`)

// auditing is a node that answers as `dropcap node audit` does, with its own document.
func auditing(n int) cloud.Simulator {
	var done string // the latest request; the double asks a node once at a time
	return func(s cloud.Script) (string, string, int) {
		m := request.FindStringSubmatch(strings.Join(s.Lines, "\n"))
		if m == nil {
			return "", "dropcap: error: cannot do this", 1
		}
		if m[1] == "audit" {
			done = m[2]
		}
		own := dropcap.RequestOf(m[2], s.Node)
		document, err := json.Marshal(auditOf(n))
		if err != nil {
			panic(err)
		}
		r := dropcap.Receipt{
			Schema: dropcap.SchemaReceipt, Request: own, Command: s.Command, Verb: "audit",
			Args: []string{}, State: dropcap.ReceiptDone,
			Host: dropcap.ReceiptHost{ID: fmt.Sprintf("%032x", n), Node: s.Node, Name: s.Node,
				Dropcap: "1.0.0", Docker: "20.10.24", Kernel: "6.1.0"},
			Started: "2026-01-02T03:04:05Z", Ended: "2026-01-02T03:04:06Z",
			Status: dropcap.ExitFindings, Summary: "20 containers: 5 pass, 15 fail",
			Messages: []string{}, Document: document,
		}
		if done != m[2] {
			r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: own,
				State: dropcap.ReceiptAbsent, Host: r.Host}
		}
		text, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		part, err := frame.Encode(text)
		if err != nil {
			panic(err)
		}
		return "dropcap " + r.Request + " done 3 " + r.Summary + "\n" + part.Cut(0, frame.Fits).
			String(), "", 0
	}
}

// auditOf judges twenty containers of a node, as an engine and a kernel would describe them.
func auditOf(node int) dropcap.Audit {
	all, defaults := caps.UpTo(caps.Last), caps.DockerDefaults
	s := dropcap.Snapshot{Schema: dropcap.SchemaSnapshot, Created: "2026-01-02T03:04:05Z",
		Host: dropcap.Host{
			ID: fmt.Sprintf("%032x", node), Name: fmt.Sprintf("ip-10-0-%d-%d", node/250, node%250),
			Kernel: "6.1.0-18-cloud-amd64", LSM: []string{"apparmor"},
			Engine: dropcap.Engine{Name: "docker", Version: "20.10.24"}, Grantable: &all,
			GrantableFrom: "kernel", Defaults: &defaults,
		}}
	lists := []caps.Declared{{}, {Drop: []string{"NET_RAW"}},
		{Drop: []string{"ALL"}, Add: []string{"NET_BIND_SERVICE"}}, {Add: []string{"NET_ADMIN"}}}
	for i := range containersThere {
		name := fmt.Sprintf("shop-%s-%d", []string{"web", "cart", "search", "worker", "cache"}[i%5],
			i/5+1)
		c := dropcap.Container{
			ID: hexOf(node, i), Name: name, Image: "registry.example.com/shop/" + name + ":2026.1",
			ImageID: "sha256:" + hexOf(0, i), State: "running", PID: 1000 + 17*i + node%99,
			Workload: "compose:shop/" + name, Owner: dropcap.Owner{Kind: "compose", Project: "shop",
				Service: name}, Declared: lists[i%len(lists)],
			Labels:  []string{"com.docker.compose.project", "com.docker.compose.service"},
			Runtime: "runc", Network: "shop_default", Created: "2026-01-01T00:00:00Z",
			Execs: []dropcap.Exec{},
		}
		set, err := caps.Grants{Defaults: defaults, All: all}.Predict(c.Declared)
		if err != nil {
			panic(err)
		}
		none := caps.Set(0)
		c.Predicted = &set
		c.Kernel = dropcap.Kernel{Visible: true, Bounding: &set, Effective: &set, Permitted: &set,
			Inheritable: &none, Ambient: &none, UserNS: "host"}
		for k := range 3 {
			c.Kernel.Processes = append(c.Kernel.Processes, dropcap.Process{PIDs: []int{c.PID + k},
				Count: 1, Comm: "server", Origin: dropcap.OriginInit, Bounding: set.Mask(),
				Effective: set.Mask(),
				Permitted: set.Mask(), Inheritable: none.Mask(), Ambient: none.Mask(),
				UserNS: "host"})
		}
		s.Containers = append(s.Containers, c)
	}
	return audit.Judge(s, audit.Options{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
}

// fleetRow holds the measurements of one size of fleet.
type fleetRow struct {
	controlled
	nodes   int
	cpu     time.Duration
	status  time.Duration // of `dropcap fleet status`
	busiest int
	calls   map[string]int
}

func (r fleetRow) perNode() float64 { return ms(r.cpu) / float64(r.nodes) }

func (r fleetRow) gets() float64 {
	return float64(r.calls["ssm:GetCommandInvocation"]) / float64(r.nodes)
}

func (b *bench) controls(nodes int) (row fleetRow, err error) {
	d, err := newDouble(nodes)
	if err != nil {
		return row, err
	}
	defer d.close()
	folder := filepath.Join(b.dir, fmt.Sprintf("fleet-%d", nodes))
	out, err := b.control(controlFlag, folder, d)
	if err != nil {
		return row, fmt.Errorf("the controller of %d nodes: %w", nodes, err)
	}
	row = fleetRow{nodes: nodes, cpu: out.state.UserTime() + out.state.SystemTime(),
		calls: d.Calls()}
	if err := json.Unmarshal(out.text, &row.controlled); err != nil {
		return row, err
	}
	if row.Documents != nodes || row.Failures != 0 {
		return row, fmt.Errorf("of %d nodes %d answered, and %d failed", nodes, row.Documents,
			row.Failures)
	}
	row.busiest, _ = d.busiest()
	var took []time.Duration
	for range 5 {
		status := exec.Command(b.dropcap, "fleet", "status", row.Run, "--store", folder)
		start := time.Now()
		text, err := status.CombinedOutput()
		if status.ProcessState.ExitCode() != dropcap.ExitFindings {
			return row, fmt.Errorf("dropcap fleet status: %w: %s", err, text)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	row.status = took[len(took)/2]
	return row, nil
}

// fleets measures the controller of a fleet of simulated nodes, behind the double of AWS. Waits end
// at once: the fleet's clock leaps.
func fleets() (broken int, err error) {
	dir, err := os.MkdirTemp("", "dropcap-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, dropcap: filepath.Join(dir, "dropcap")}
	if b.self, err = os.Executable(); err != nil {
		return 0, err
	}
	if err := b.build(); err != nil {
		return 0, err
	}
	fmt.Println("Fleet (dropcap fleet audit; simulated nodes with 20 containers each, one region)")
	fmt.Printf("  %8s  %12s  %12s  %10s  %10s  %10s  %10s  %12s  %10s\n", "nodes", "clock",
		"CPU ms/node", "fetch MiB", "peak MiB", "gets/node", "calls/node", "most in 1 s",
		"status ms")
	var rows []fleetRow
	for _, n := range []int{100, 1000, 10000} {
		r, err := b.controls(n)
		if err != nil {
			return b.broken, err
		}
		calls := 0
		for _, k := range r.calls {
			calls += k
		}
		fmt.Printf("  %8d  %12s  %12.2f  %10.1f  %10.1f  %10.2f  %10.2f  %12d  %10.0f\n", n,
			r.Took.Round(time.Second), r.perNode(), float64(r.Fetched)/1024,
			float64(r.PeakKiB)/1024, r.gets(),
			float64(calls)/float64(n), r.busiest, ms(r.status))
		rows = append(rows, r)
	}
	last, middle, first := rows[2], rows[1], rows[0]
	b.promise("peak memory of the controller, 10,000 nodes", float64(last.PeakKiB)/1024, 512,
		" MiB")
	b.promise("GetCommandInvocation calls per node, 10,000 nodes", last.gets(), 1.1, "")
	b.promise("requests of any API in any second",
		float64(max(first.busiest, middle.busiest, last.busiest)), aws.DefaultRate, "")
	b.promise("processor time per node, 10,000 / 1,000 nodes", last.perNode()/middle.perNode(),
		1.25, "")
	b.promise("memory per node, 1,000 to 10,000 / 100 to 1,000 nodes",
		slope(middle, last)/slope(first, middle), 1.25, "")
	b.promise("dropcap fleet status, 10,000 nodes", ms(last.status)/1000, 1, " s")
	if err := b.worsts(); err != nil {
		return b.broken, err
	}
	fmt.Println()
	return b.broken, nil
}

func slope(a, b fleetRow) float64 { return float64(b.PeakKiB-a.PeakKiB) / float64(b.nodes-a.nodes) }

// hexOf returns 64 hexadecimal digits that do not compress.
func hexOf(node, n int) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, node, "/", n)))
}
