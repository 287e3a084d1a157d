package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/wire"
)

// host is a node that keeps receipts as the real one does, and says what a test wants.
type host struct {
	receipts map[string]dropcap.Receipt
	order    []string // names of the requests that were done
	done     map[string]int
	says     map[string]dropcap.Receipt // by verb
	running  bool                       // nothing comes to its end
	command  string
	state    dropcap.ChangeState // of the changes
}

func newHost() *host {
	return &host{receipts: map[string]dropcap.Receipt{}, done: map[string]int{},
		says: map[string]dropcap.Receipt{}, state: dropcap.Applied}
}

func (h *host) Applied(context.Context) (list []string, _ error) {
	for _, name := range slices.Backward(h.order) {
		if h.receipts[name].Verb == "apply" {
			list = append(list, name)
		}
	}
	return list, nil
}

func (h *host) Answer(_ context.Context, q wire.Request) (dropcap.Receipt, error) {
	if q.Verb.Asks {
		if r, ok := h.receipts[q.Of[0]]; ok {
			return r, nil
		}
		return dropcap.Receipt{State: dropcap.ReceiptAbsent}, nil
	}
	r, known := h.receipts[q.ID]
	if !known {
		h.done[q.Verb.Name]++
		h.order = append(h.order, q.ID)
		r = h.do(q)
		r.Schema, r.Request, r.Verb, r.Args = dropcap.SchemaReceipt, q.ID, q.Verb.Name, q.Recorded()
		r.Command, r.State, r.Started = h.command, dropcap.ReceiptDone, "2026-01-02T03:04:05Z"
		r.Host = dropcap.ReceiptHost{Name: "vm", Node: "i-1", Docker: "20.10", Dropcap: "1.0"}
		if h.running {
			r.State, r.Document, r.Error = dropcap.ReceiptRunning, nil, nil
		}
		h.receipts[q.ID] = r
	}
	if !q.Same(r.Args) {
		return r, fmt.Errorf("cannot do request %s: it was another", q.ID)
	}
	return r, nil
}

func (h *host) do(q wire.Request) dropcap.Receipt {
	if r, ok := h.says[q.Verb.Name]; ok {
		return r
	}
	switch q.Verb.Name {
	case "audit":
		return audited(finding("web", dropcap.RuleNetRaw))
	case "plan":
		return planned(dropcap.ExitFindings, step("web", ""))
	case "backout":
		if h.state == dropcap.BackedOut {
			return document(0, dropcap.Changes{Schema: dropcap.SchemaChange,
				Changes: []dropcap.Change{}})
		}
		h.state = dropcap.BackedOut
	}
	return document(0, dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{
		{ID: "0123456789ab", Name: "web", State: h.state}}})
}

func document(status int, v any) dropcap.Receipt {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return dropcap.Receipt{Status: status, Document: text}
}

func finding(name string, rule dropcap.Rule) dropcap.Judged {
	c := dropcap.Judged{Verdict: dropcap.Fail}
	c.ID, c.Name, c.State = strings.Repeat("a", 64), name, "running"
	c.Findings = []dropcap.Finding{{Rule: rule, Severity: "high", Caps: caps.Of(caps.NetRaw),
		Because: "it can forge packets"}}
	return c
}

func audited(list ...dropcap.Judged) dropcap.Receipt {
	a := dropcap.Audit{Schema: dropcap.SchemaAudit, Containers: list, Summary: dropcap.Count(list)}
	a.Policy.Level = dropcap.LevelCIS
	status := dropcap.ExitOK
	if a.Summary.Fail > 0 {
		status = dropcap.ExitFindings
	} else if a.Summary.Unknown > 0 {
		status = dropcap.ExitIncomplete
	}
	return document(status, a)
}

func step(name, refused string) dropcap.Step {
	return dropcap.Step{Container: dropcap.Target{Name: name}, Refused: refused,
		Drop:   caps.Of(caps.NetRaw),
		Before: dropcap.Grant{Holds: caps.Of(caps.NetRaw)}, After: dropcap.Grant{CapDrop: []string{
			"CAP_NET_RAW"}}}
}

func planned(status int, steps ...dropcap.Step) dropcap.Receipt {
	return document(status, dropcap.Plan{Schema: dropcap.SchemaPlan, ID: "abcdefabcdef",
		Steps: steps})
}

// command numbers SSM commands.
func command(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }

// send sends a form as a command.
func (h *host) send(t *testing.T, n int, line string) Page {
	t.Helper()
	q, err := Parse(strings.Split(line, "|"))
	if err != nil {
		t.Fatal(err)
	}
	h.command = command(n)
	p, err := (&Console{Node: h, ID: "i-1", Command: command(n)}).Do(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p Page) is(t *testing.T, status int, says ...string) {
	t.Helper()
	text := p.Verdict + "\n" + strings.Join(slices.Concat(p.Facts, p.Next, p.Notes), "\n")
	if p.Status != status {
		t.Errorf("status %d, and not %d: %s", p.Status, status, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q: %s", s, text)
		}
	}
}

func TestFindingsFailTheStepOfAnAuditOnlyIfTheyAreToDo(t *testing.T) {
	h := newHost()
	h.send(t, 1, "audit").is(t, 0, "FAIL: 1 of 1 container", "host: vm, i-1", "run:  "+command(1))
	h.send(t, 2, "audit|--findings=fail").is(t, dropcap.ExitFindings, "FAIL: 1 of 1 container")
	unseen := dropcap.Judged{Verdict: dropcap.Unknown}
	h.says["audit"] = audited(unseen)
	h.send(t, 3, "audit").is(t, 0, "UNKNOWN: 1 of 1")
	h.send(t, 4, "audit|--findings=fail").is(t, dropcap.ExitIncomplete, "UNKNOWN: 1 of 1")
	h.says["audit"] = audited()
	h.send(t, 5, "audit|--findings=fail").is(t, 0, "NOTHING TO JUDGE")
	h.says["audit"] = dropcap.Receipt{Status: dropcap.ExitHost, Error: &dropcap.Failing{
		Message: "cannot reach the engine", Hint: "start Docker"}}
	h.send(t, 6, "audit").is(t, dropcap.ExitHost, "NOT HERE: cannot reach the engine",
		"to do: start Docker")
	// a host without an engine also sends an audit of no containers
	r := audited()
	r.Status, r.Error = dropcap.ExitHost, h.says["audit"].Error
	h.says["audit"], h.says["plan"] = r, dropcap.Receipt{Status: r.Status, Error: r.Error,
		Document: planned(0).Document}
	for k, line := range []string{"audit", "audit|--findings=fail",
		"audit|--findings=new|--run=" + command(5), "plan", "apply|--dry-run=no"} {
		h.send(t, 7+k, line).is(t, dropcap.ExitHost, "NOT HERE: cannot reach the engine")
	}
}

func TestALaterAuditOfARunFailsOnlyIfSomethingIsWorse(t *testing.T) {
	h := newHost()
	of := "|--run=" + aRun
	h.send(t, 1, "audit|--findings=new"+of).is(t, 0, "nothing can be compared")
	h.send(t, 2, "audit"+of)
	h.send(t, 3, "audit|--findings=new"+of).is(t, 0, "NOT WORSE", "FAIL: 1 of 1")
	h.says["audit"] = audited(finding("web", dropcap.RuleNetRaw),
		finding("db", dropcap.RulePrivileged))
	h.send(t, 4, "audit|--findings=new"+of).is(t, dropcap.ExitFindings, "WORSE", "db: privileged",
		"dropcap-backout")
	stopped := finding("web", dropcap.RuleNetRaw)
	stopped.State = "exited"
	h.says["audit"] = audited(stopped)
	h.send(t, 5, "audit|--findings=new"+of).is(t, dropcap.ExitFindings, "web does not run any more")
}

func TestAnApplyDoesNothingUnlessItIsTold(t *testing.T) {
	h := newHost()
	p := h.send(t, 1, "apply")
	p.is(t, 0, "DRY RUN, nothing was changed. TO CHANGE: 1 of 1", "with run "+command(1))
	if p.Plan == nil || h.done["apply"] != 0 {
		t.Errorf("%+v, %v", p, h.done)
	}
	h.send(t, 2, "apply|--dry-run=no|--run="+command(1)).is(t, 0, "DONE: 1 applied",
		"dropcap-backout with run "+command(1))
	if h.done["plan"] != 1 || h.done["apply"] != 1 {
		t.Errorf("not exactly what was shown is applied: %v", h.done)
	}
}

// However often a form comes, it is done once: the same command delivered twice, and another
// command of the same run.
func TestAFormThatComesTwiceIsDoneOnce(t *testing.T) {
	h := newHost()
	first := h.send(t, 1, "apply|--dry-run=no")
	first.is(t, 0, "DONE: 1 applied")
	again := h.send(t, 1, "apply|--dry-run=no")
	again.is(t, 0, "DONE: 1 applied")
	h.send(t, 2, "apply|--dry-run=no|--run="+command(1)).is(t, 0, "DONE: 1 applied",
		"was applied by command "+command(1), "nothing was done again")
	if h.done["apply"] != 1 || h.done["plan"] != 1 {
		t.Errorf("%v", h.done)
	}
	h.send(t, 3, "backout|--run="+command(1)).is(t, 0, "DONE: 1 backed-out")
	h.send(t, 4, "backout|--run="+command(1)).is(t, 0, "NOTHING TO DO")
	h.send(t, 5, "apply|--dry-run=no|--run="+command(1)).is(t, 0, "DONE: 1 backed-out",
		"nothing was done again")
	h.send(t, 6, "status|--run="+command(1)).is(t, 0, "DONE: 1 backed-out")
	if h.done["apply"] != 1 {
		t.Errorf("%v", h.done)
	}
}

// A host that was not planned for is left alone, and so is what its plan refuses. Both are told,
// and neither fails the step.
func TestWhatIsLeftAsItIsIsTold(t *testing.T) {
	h := newHost()
	h.send(t, 1, "apply|--dry-run=no|--run="+aRun).is(t, 0, "LEFT AS IT IS: this host has no plan",
		"dropcap-plan")
	h.says["plan"] = planned(dropcap.ExitIncomplete, step("web", "compose-file"))
	h.send(t, 2, "plan").is(t, 0, "LEFT AS THEY ARE: the plan refuses 1 of 1")
	h.send(t, 3, "apply|--dry-run=no").is(t, 0, "LEFT AS THEY ARE")
	h.says["plan"] = planned(dropcap.ExitIncomplete, step("web", "x"), step("db", ""))
	h.says["apply"] = document(dropcap.ExitIncomplete, dropcap.Changes{Schema: dropcap.SchemaChange,
		Changes: []dropcap.Change{{ID: "0123456789ab", Name: "db", State: dropcap.Applied}}})
	h.send(t, 4, "apply|--dry-run=no").is(t, 0, "DONE, in part: 1 applied")
	h.says["plan"] = planned(0)
	h.send(t, 5, "apply|--dry-run=no").is(t, 0, "NOTHING TO DO")
	if h.done["apply"] != 1 {
		t.Errorf("%v", h.done)
	}
}

func TestAFailedChangeFailsTheStepByItsOwnStatus(t *testing.T) {
	for status, head := range map[int]string{dropcap.ExitRolledBack: "ROLLED BACK: cannot",
		dropcap.ExitPerson: "A PERSON IS NEEDED: cannot", dropcap.ExitError: "FAILED: cannot"} {
		h := newHost()
		r := document(status, dropcap.Changes{Schema: dropcap.SchemaChange,
			Changes: []dropcap.Change{{ID: "0123456789ab", State: dropcap.RolledBack}}})
		r.Error = &dropcap.Failing{Message: "cannot change web", Hint: "look at its log"}
		r.Warnings = []string{"db: not tried"}
		h.says["apply"] = r
		p := h.send(t, 1, "apply|--dry-run=no")
		p.is(t, status, head, "to do: look at its log", "warning: db: not tried")
		if p.Changes == nil {
			t.Errorf("the changes of %d are not shown", status)
		}
		h.send(t, 2, "status|--run="+command(1)).is(t, 0, head)
		h.says["backout"] = r
		h.send(t, 3, "backout").is(t, status, head)
	}
}

func TestABackoutIsOfWhatIsMeant(t *testing.T) {
	h := newHost()
	h.send(t, 1, "backout").is(t, 0, "NOTHING TO DO: nothing was applied")
	h.send(t, 2, "apply|--dry-run=no")
	h.send(t, 3, "apply|--dry-run=no")
	of := func() []string {
		last := h.receipts[h.order[len(h.order)-1]]
		args, err := wire.ParseArgs("backout", last.Args)
		if err != nil {
			t.Fatal(err)
		}
		return args.Of
	}
	c := Console{ID: "i-1"}
	older, newer := c.name(command(2), "apply"), c.name(command(3), "apply")
	h.send(t, 4, "backout").is(t, 0, "what was applied last")
	if got := of(); !slices.Equal(got, []string{newer}) {
		t.Errorf("last: %q", got)
	}
	h.send(t, 5, "backout|--run=all")
	if got := of(); !slices.Equal(got, []string{newer, older}) {
		t.Errorf("all: %q", got)
	}
	h.send(t, 6, "backout|--run="+command(2))
	if got := of(); !slices.Equal(got, []string{older}) {
		t.Errorf("a run: %q", got)
	}
	other := Console{ID: "i-2"}
	if other.name(command(2), "apply") == older {
		t.Error("two nodes have one request")
	}
}

func TestWhatGoesOnAfterTheStepIsSaid(t *testing.T) {
	h := newHost()
	h.running = true
	h.send(t, 1, "plan").is(t, dropcap.ExitIncomplete, "STILL AT WORK", "dropcap-status with run "+
		command(1))
	h.send(t, 2, "status|--run="+command(1)).is(t, dropcap.ExitIncomplete, "STILL AT WORK")
	r := h.receipts[h.order[0]]
	r.Recovery = true
	h.receipts[h.order[0]] = r
	h.send(t, 1, "plan").is(t, dropcap.ExitIncomplete, "INTERRUPTED", "`dropcap recover`")
}

func TestStatusTellsOfRunsAndHosts(t *testing.T) {
	h := newHost()
	h.send(t, 1, "status|--run="+aRun).is(t, 0, "UNKNOWN RUN")
	h.send(t, 2, "plan")
	h.send(t, 3, "status|--run="+command(2)).is(t, 0, "PLANNED, and not applied. TO CHANGE")
	h.send(t, 4, "audit")
	h.send(t, 5, "status|--run="+command(4)).is(t, 0, "FAIL: 1 of 1")
	h.send(t, 6, "apply|--dry-run=no")
	h.send(t, 7, "backout|--run="+command(6))
	h.send(t, 8, "status|--run="+command(7)).is(t, 0, "DONE: 1 backed-out")
	h.send(t, 9, "status").is(t, 0, "1 CHANGE on this host: 1 backed-out")
	h.says["history"] = document(0, dropcap.Changes{Schema: dropcap.SchemaChange,
		Changes: []dropcap.Change{}})
	h.send(t, 10, "status").is(t, 0, "NOTHING was changed")
}

// By hand there is no command, and each form is one of its own.
func TestByHandEachFormIsItsOwn(t *testing.T) {
	h := newHost()
	for range 2 {
		q := Request{Verb: "plan", Wait: time.Minute}
		p, err := (&Console{Node: h}).Do(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		p.is(t, 0, "TO CHANGE")
		if run := strings.TrimPrefix(p.Facts[1], "run:  "); !which.form.MatchString(run) {
			t.Errorf("run %q", run)
		}
	}
	if h.done["plan"] != 2 {
		t.Errorf("%v", h.done)
	}
}
