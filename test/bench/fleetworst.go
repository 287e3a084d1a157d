package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/internal/fleet"
	"dropcap/internal/foreign"
	"dropcap/internal/frame"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/render"
)

// hostileFlag makes this program the controller of one host that sends the worst possible
// documents.
const hostileFlag = "fleet-hostile"

// worstDocuments are documents by which a host may try to exhaust its controller, by name. Each is
// created only when it is needed.
var worstDocuments = []struct {
	name string
	make func() []byte
}{
	{"64 MiB of real containers", func() []byte {
		return repeated(foreign.MaxDocument-1<<20, containerJSON())
	}},
	{"16 MiB of {}", func() []byte { return repeated(16<<20, "{}") }},
	{"64 MiB of {}", func() []byte { return repeated(foreign.MaxDocument-1<<20, "{}") }},
	{"as many {} as are taken", func() []byte { return repeated(3*58000, "{}") }},
	{"a list that nothing is made of", func() []byte {
		return []byte(`{"schema":"dropcap.audit/v1","x":` + list(32<<20, "[]") + `}`)
	}},
	{"a text of 60 MiB", func() []byte {
		return []byte(`{"schema":"dropcap.audit/v1","x":"` + strings.Repeat("x", 60<<20) + `"}`)
	}},
	{"60 MiB of small texts", func() []byte {
		return []byte(`{"schema":"dropcap.audit/v1","containers":[{"labels":` +
			list(60<<20, `"0123456789abcde"`) + `}]}`)
	}},
}

func list(size int, one string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(one+",", size/(len(one)+1)), ",") + "]"
}

func repeated(size int, container string) []byte {
	return []byte(`{"schema":"dropcap.audit/v1","containers":` + list(size, container) + `}`)
}

func containerJSON() string {
	text, err := json.Marshal(auditOf(1).Containers[0])
	if err != nil {
		panic(err)
	}
	return string(text)
}

var offsetWord = regexp.MustCompile(` --offset=(\d+)`)

// sending is a node whose audit is a document, in parts.
func sending(document []byte) cloud.Simulator {
	var part frame.Part
	return func(s cloud.Script) (string, string, int) {
		text := strings.Join(s.Lines, "\n")
		m := request.FindStringSubmatch(text)
		if m == nil {
			return "", "dropcap: error: cannot do this", 1
		}
		if part.Total == 0 {
			r, err := json.Marshal(dropcap.Receipt{Schema: dropcap.SchemaReceipt,
				Request: dropcap.RequestOf(m[2], s.Node), Verb: "audit", State: dropcap.ReceiptDone,
				Host: dropcap.ReceiptHost{Node: s.Node}, Status: dropcap.ExitFindings,
				Document: document})
			if err != nil {
				panic(err)
			}
			if part, err = frame.Encode(r); err != nil {
				panic(err)
			}
		}
		offset := 0
		if o := offsetWord.FindStringSubmatch(text); o != nil {
			offset, _ = strconv.Atoi(o[1]) // digits
		}
		return part.Cut(offset, frame.Fits).String(), "", 0
	}
}

// hostile is the controller: it audits, and writes what it got as a table and as JSON.
func hostile(folder string) error {
	ctx := context.Background()
	e, places, s, err := controller(ctx, folder)
	if err != nil {
		return err
	}
	defer s.Close()
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
	told := controlled{Run: run.ID, Fetched: peak()}
	doc := fleet.ResultOf(run, hosts)
	_ = fleet.StatusCode(doc)
	for _, format := range []string{"table", "json"} {
		if err := render.Fleet(&counter{}, format, doc,
			render.Options{Width: 120, Now: e.Clock.Now()}); err != nil {
			return err
		}
	}
	told.Failures, told.PeakKiB = len(doc.Failures), peak()
	return json.NewEncoder(os.Stdout).Encode(told)
}

// worsts measures the controller's peak memory for the worst documents of one host.
func (b *bench) worsts() error {
	const most = 4 * foreign.MaxDocument >> 20
	fmt.Printf("\nOne host that sends the worst that it can (%d MiB are permitted; a controller "+
		"of one good host: the first line)\n", foreign.MaxDocument>>20)
	fmt.Printf("  %-34s  %10s  %10s\n", "document", "fetch MiB", "peak MiB")
	worst := 0.0
	for i, w := range append([]struct {
		name string
		make func() []byte
	}{{"20 containers", func() []byte { return repeated(60000, containerJSON()) }}},
		worstDocuments...) {
		d, err := newDouble(0)
		if err != nil {
			return err
		}
		d.Add(cloud.Node{ID: nodeID(1), Region: fleetRegion, Simulated: sending(w.make())})
		out, err := b.control(hostileFlag, filepath.Join(b.dir, "hostile-"+strconv.Itoa(i)), d)
		if err := d.close(); err != nil {
			return err
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		var told controlled
		if err := json.NewDecoder(bytes.NewReader(out.text)).Decode(&told); err != nil {
			return err
		}
		fmt.Printf("  %-34s  %10.1f  %10.1f\n", w.name, float64(told.Fetched)/1024,
			float64(told.PeakKiB)/1024)
		worst = max(worst, float64(told.PeakKiB)/1024)
	}
	b.promise("peak memory of the controller, one host's worst document", worst, most, " MiB")
	return nil
}

// controlledBy is the output of a controller's process, and how it ended.
type controlledBy struct {
	text  []byte
	state *os.ProcessState
}

// control runs a controller against a double of AWS.
func (b *bench) control(flag, folder string, d *double) (controlledBy, error) {
	cmd := exec.Command(b.self, flag, folder)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+d.url, "AWS_ACCESS_KEY_ID="+cloud.AccessKey,
		"AWS_SECRET_ACCESS_KEY="+cloud.SecretKey, "AWS_SESSION_TOKEN=",
		"AWS_REGION="+fleetRegion, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+
			os.DevNull, "AWS_PROFILE=", "AWS_EC2_METADATA_DISABLED=true", "AWS_CA_BUNDLE=",
		"GODEBUG=")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return controlledBy{out, cmd.ProcessState}, err
}
