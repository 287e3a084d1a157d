package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
)

// FleetStatus writes the state of a run, as table or json: each wave, its speed, the hosts that are
// under way or failed (all with NoTrunc), and the errors by cause.
func FleetStatus(w io.Writer, format string, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	o Options) error {
	if err := CheckFleetFormat("status", format); err != nil {
		return err
	}
	if format == "json" {
		return statusJSON(w, run, hosts)
	}
	var b strings.Builder
	writeRun(&b, run, hosts, o)
	writeWaves(&b, run, hosts, o)
	writeHosts(&b, hosts, o)
	writeFailures(&b, hostFailures(hosts), o)
	_, err := io.WriteString(w, b.String())
	return err
}

func statusJSON(w io.Writer, run dropcap.FleetRun, hosts []dropcap.FleetHost) error {
	list := make([]dropcap.FleetHost, len(hosts))
	for i, h := range hosts {
		h = foreign.Unpacked(h)
		h.Commands = listed(h.Commands)
		if h.Receipt != nil && h.Receipt.Document != nil && !json.Valid(h.Receipt.Document) {
			r := *h.Receipt
			r.Document = nil
			h.Receipt = &r
		}
		list[i] = h
	}
	return JSON(w, struct {
		Schema string              `json:"schema"`
		Run    dropcap.FleetRun    `json:"run"`
		Hosts  []dropcap.FleetHost `json:"hosts"`
	}{"dropcap.run/v1", normalRun(run), list})
}

// progress is the state of a host.
type progress string

const (
	waiting progress = "waiting"
	going   progress = "going"
	done    progress = "done"
	failed  progress = "failed"
)

func progressOf(h dropcap.FleetHost) progress {
	switch {
	case h.Failure != nil, h.Receipt != nil && h.Receipt.State.Over() &&
		receiptFailure(*h.Receipt) != nil:
		return failed
	case h.Over():
		return done
	case h.Sent > 0:
		return going
	}
	return waiting
}

// receiptFailure returns the failure in a receipt, for a host without a failure in the run.
func receiptFailure(r dropcap.Receipt) *dropcap.HostFailure {
	switch {
	case r.State == dropcap.ReceiptInterrupted:
		return &dropcap.HostFailure{Cause: string(dropcap.ReceiptInterrupted),
			Message: "the process or the host ended amid it"}
	case r.Error != nil:
		return &dropcap.HostFailure{Cause: string(r.Error.Code), Message: r.Error.Message,
			Hint: r.Error.Hint}
	}
	switch r.Status {
	case dropcap.ExitOK, dropcap.ExitFindings, dropcap.ExitIncomplete:
		return nil
	}
	return &dropcap.HostFailure{Cause: fmt.Sprintf("exit-%d", r.Status), Message: r.Summary}
}

func hostFailures(hosts []dropcap.FleetHost) []dropcap.HostFailure {
	var list []dropcap.HostFailure
	for _, h := range hosts {
		f := h.Failure
		if f == nil && h.Receipt != nil && h.Receipt.State.Over() {
			f = receiptFailure(*h.Receipt)
		}
		if f != nil {
			one := *f
			one.Host = h.Host
			list = append(list, one)
		}
	}
	return list
}

func writeRun(b *strings.Builder, run dropcap.FleetRun, hosts []dropcap.FleetHost, o Options) {
	n := map[progress]int{}
	for _, h := range hosts {
		n[progressOf(h)]++
	}
	all := max(run.Hosts, len(hosts))
	look := map[dropcap.RunState]style{dropcap.RunDone: green, dropcap.RunStopped: strong,
		dropcap.RunBackedOut: dim}[run.State]
	b.WriteString(bold.paint("run "+visible(run.ID), o.Color) + ": " + visible(run.Verb) + " on " +
		printable.Count(all, "host") + ": " +
		look.paint(visible(string(run.State)), o.Color) + "\n")
	over := n[done] + n[failed]
	line := func(head, text string) { writeLine(b, head, text, plain, o) }
	line("because", run.Because)
	text := fmt.Sprintf("%d of %d over", over, all)
	if n[failed] > 0 {
		text += fmt.Sprintf(", %d failed", n[failed])
	}
	if n[going] > 0 {
		text += fmt.Sprintf(", %d going", n[going])
	}
	line("hosts", text)
	line("started", ago(run.Started, o))
	line("ended", ago(run.Ended, o))
	line("rate", rate(run, over, o))
	if run.Of != "" {
		line("of", "run "+run.Of)
	}
	if run.Backout != "" {
		line("backed out", "by run "+run.Backout)
	}
}

// rate returns how many hosts finish in a minute, and when the rest will.
func rate(run dropcap.FleetRun, over int, o Options) string {
	start, err := time.Parse(time.RFC3339, run.Started)
	end, err2 := time.Parse(time.RFC3339, run.Ended)
	if err2 != nil {
		end = o.Now
	}
	if err != nil || over == 0 || !end.After(start) {
		return ""
	}
	return fmt.Sprintf("%.1f hosts a minute", float64(over)/end.Sub(start).Minutes())
}

func writeWaves(b *strings.Builder, run dropcap.FleetRun, hosts []dropcap.FleetHost, o Options) {
	if len(run.Waves) == 0 {
		return
	}
	n := make([]map[progress]int, len(run.Waves))
	for i := range n {
		n[i] = map[progress]int{}
	}
	for _, h := range hosts {
		if h.Wave >= 0 && h.Wave < len(n) {
			n[h.Wave][progressOf(h)]++
		}
	}
	g := grid{columns: []column{{"WAVE", 0}, {"HOSTS", 0}, {"STATE", 0}, {"DONE", 0}, {"GOING", 0},
		{"FAILED", 0}, {"GATE", 20}}}
	for i, x := range run.Waves {
		bad := cell{fmt.Sprint(n[i][failed]), plain}
		if n[i][failed] > 0 {
			bad.style = strong
		}
		g.add(cell{fmt.Sprint(i + 1), plain}, cell{fmt.Sprint(len(x.Hosts)), plain},
			cell{string(x.State), waveStyle(x.State)},
			cell{fmt.Sprint(n[i][done]), plain}, cell{fmt.Sprint(n[i][going]), plain}, bad,
			cell{orDash(x.Gate), plain})
	}
	b.WriteByte('\n')
	g.write(b, g.fit(o).Width, o.Color)
}

func waveStyle(s dropcap.WaveState) style {
	switch s {
	case dropcap.WavePassed:
		return green
	case dropcap.WaveFailed:
		return strong
	case dropcap.WaveWaiting:
		return dim
	}
	return yellow
}

// mostHosts is how many running and failed hosts are listed one by one.
const mostHosts = 20

// writeHosts lists the hosts that need attention.
func writeHosts(b *strings.Builder, hosts []dropcap.FleetHost, o Options) {
	g := grid{columns: []column{nodeColumn, {"NAME", 12}, {"WAVE", 0}, {"STATE", 0}, {"SENT", 0},
		{"CHANGES", 0}, {"DOWNTIME", 0}, {"SAYS", 12}}}
	left := 0
	for _, pick := range []progress{failed, going, waiting, done} {
		for _, h := range hosts {
			s := progressOf(h)
			switch {
			case s != pick:
			case !o.NoTrunc && (s == waiting || s == done):
			case !o.NoTrunc && len(g.rows) >= mostHosts:
				left++
			default:
				g.add(hostRow(h, s, o)...)
			}
		}
	}
	if len(g.rows) == 0 {
		return
	}
	b.WriteByte('\n')
	g.write(b, g.fit(o).Width, o.Color)
	if left > 0 {
		fmt.Fprintf(b, "and %s that failed or are asked right now\n",
			printable.Count(left, "more host"))
	}
}

func hostRow(h dropcap.FleetHost, s progress, o Options) []cell {
	changes, down := changed(h)
	says := ""
	if h.Receipt != nil {
		says = h.Receipt.Summary
	}
	if l := hostFailures([]dropcap.FleetHost{h}); len(l) > 0 {
		says = l[0].Cause
	}
	look := map[progress]style{done: green, failed: strong, going: yellow, waiting: dim}[s]
	return []cell{
		nodeCell(h.Host, o), {orDash(h.Name), plain}, {fmt.Sprint(h.Wave + 1), plain},
		{string(s), look}, {fmt.Sprint(h.Sent), plain},
		{changes, plain}, {down, plain}, {says, plain},
	}
}

// changed returns the number of changes in a host's receipt, and the longest downtime among them.
func changed(h dropcap.FleetHost) (changes, down string) {
	document := foreign.Document(h)
	if len(document) == 0 {
		return "-", "-"
	}
	c, err := foreign.Changes(dropcap.HostDocument{Document: document})
	if err != nil {
		return "-", "-"
	}
	var longest dropcap.Change
	for _, x := range c.Changes {
		if x.DowntimeMS > longest.DowntimeMS {
			longest = x
		}
	}
	return fmt.Sprint(len(c.Changes)), downtime(longest)
}
