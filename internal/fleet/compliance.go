package fleet

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/foreign"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
)

// ComplianceType is the type of the items in Systems Manager.
const ComplianceType = "Custom:dropcap"

// NodeCompliance is a PutComplianceItems request for one node, which replaces all earlier items.
// The fields are the request's.
type NodeCompliance struct {
	Host             string `json:"-"` // "account/region/node"
	ResourceId       string
	ResourceType     string
	ComplianceType   string
	ExecutionSummary ComplianceExecution
	Items            []ComplianceItem
	ItemContentHash  string // equal for equal items: the service then keeps what it has
}

// ComplianceExecution says when the node was audited, and by which run.
type ComplianceExecution struct {
	ExecutionTime int64 // seconds since 1970
	ExecutionId   string
	ExecutionType string
}

// ComplianceItem is one container.
type ComplianceItem struct {
	Id       string
	Title    string
	Severity string // CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNSPECIFIED
	Status   string // COMPLIANT or NON_COMPLIANT
	Details  map[string]string
}

// Compliance returns the items of each node. A container that passes or is waived is compliant; an
// unknown one is not, nor is a node that could not be audited, which has one item with the reason.
// A node without an engine has no containers and no items.
func Compliance(f dropcap.Fleet, now time.Time) []NodeCompliance {
	var out []NodeCompliance
	told := map[string]bool{}
	for _, x := range foreign.Failed(f, foreign.Audit) {
		if strings.Count(x.Host, "/") == 2 && x.Cause != "no-engine" && !told[x.Host] {
			told[x.Host] = true
			out = append(out, nodeCompliance(f, x.Host, []ComplianceItem{failedItem(x)}, now))
		}
	}
	for d, a := range foreign.Audits(f) {
		if !told[d.Host] {
			told[d.Host] = true
			out = append(out, nodeCompliance(f, d.Host, items(a), now))
		}
	}
	slices.SortFunc(out, func(a, b NodeCompliance) int { return cmp.Compare(a.Host, b.Host) })
	return out
}

func nodeCompliance(f dropcap.Fleet, host string, list []ComplianceItem,
	now time.Time) NodeCompliance {
	text, _ := json.Marshal(list) // of plain values, so it cannot fail
	sum := sha256.Sum256(text)
	return NodeCompliance{
		Host: host, ResourceId: dropcap.NodeOf(host), ResourceType: "ManagedInstance",
		ComplianceType: ComplianceType, Items: list,
		ItemContentHash: hex.EncodeToString(sum[:]),
		ExecutionSummary: ComplianceExecution{ExecutionTime: now.Unix(),
			ExecutionId: filled(printable.Units(f.Run.ID, 100)), ExecutionType: "dropcap"},
	}
}

func failedItem(f dropcap.HostFailure) ComplianceItem {
	return ComplianceItem{
		Id: "host", Title: printable.Units("The host could not be audited: "+f.Cause, 500),
		Severity: "UNSPECIFIED", Status: "NON_COMPLIANT",
		Details: map[string]string{"because": printable.Units(f.Message, maxDetail),
			"fix": printable.Units(f.Hint, maxDetail)},
	}
}

// maxDetail is the longest detail; the service takes 4,096 bytes, and a character may have
// four.
const maxDetail = 500

// items returns one item per container, in a stable order; replicas are counted.
func items(a dropcap.Audit) []ComplianceItem {
	list := slices.Clone(a.Containers)
	slices.SortStableFunc(list, func(x, y dropcap.Judged) int {
		return cmp.Or(cmp.Compare(policy.Identity(x.Container), policy.Identity(y.Container)),
			cmp.Compare(x.Name, y.Name))
	})
	out, seen := []ComplianceItem{}, map[string]int{}
	for _, c := range list {
		id := digestOf(policy.Identity(c.Container))
		if seen[id]++; seen[id] > 1 {
			id += fmt.Sprintf("-%d", seen[id])
		}
		out = append(out, item(id, c))
	}
	return fitting(out)
}

// maxItemBytes is the maximum size of a node's items. The service limits the total
// (TotalSizeLimitExceededException) without documenting the value; for a node's inventory it is 1
// MB. The 10,000 items that PutComplianceItems accepts are larger.
const maxItemBytes = 1_000_000

// fitting omits details if the items are too large, and then items. What is omitted is not
// compliant.
func fitting(list []ComplianceItem) []ComplianceItem {
	whole := 0
	for _, x := range list {
		whole += x.bytes()
	}
	room, fits := maxItemBytes, 0
	for i := range list {
		if whole > maxItemBytes {
			list[i].Details = map[string]string{"verdict": list[i].Details["verdict"]}
		}
		if room -= list[i].bytes(); room > 0 {
			fits++
		}
	}
	if fits == len(list) {
		return list
	}
	return append(list[:fits-1], ComplianceItem{
		Id: "more", Title: printable.Count(len(list)-fits+1, "more container") +
			", for which there is no room", Severity: "UNSPECIFIED", Status: "NON_COMPLIANT",
		Details: map[string]string{},
	})
}

func (x ComplianceItem) bytes() int {
	text, _ := json.Marshal(x) // of plain values, so it cannot fail
	return len(text) + 1
}

func item(id string, c dropcap.Judged) ComplianceItem {
	x := ComplianceItem{Id: id, Status: "NON_COMPLIANT", Severity: "UNSPECIFIED",
		Details: map[string]string{"verdict": printable.Units(string(c.Verdict), 20)}}
	if c.Verdict == dropcap.Pass || c.Verdict == dropcap.Waived {
		x.Status, x.Severity = "COMPLIANT", "INFORMATIONAL"
	}
	var rules []string
	var worst, counts caps.Severity
	for _, f := range c.Findings {
		if rules = append(rules, string(f.Rule)); len(rules) == 1 ||
			f.Severity.Rank() > worst.Rank() {
			x.Details["because"], x.Details["fix"] = printable.Units(f.Because, maxDetail),
				printable.Units(f.Fix, maxDetail)
			worst = f.Severity
		}
		if f.Counts() {
			counts = counts.Worse(f.Severity)
			x.Severity = severityLabel(counts)
		}
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	title := filled(printable.Units(c.Name, 200)) + ": " + orWords(strings.Join(rules, ", "),
		"nothing found")
	x.Title = printable.Units(title, 500)
	for k, v := range map[string]string{"image": c.Image, "workload": c.Workload,
		"holds": heldNames(c.Container)} {
		if v = printable.Units(v, maxDetail); v != "" {
			x.Details[k] = v
		}
	}
	return x
}

// heldNames returns what a container holds, and what else it has.
func heldNames(c dropcap.Container) string {
	held := c.Holds()
	if held == nil {
		return "unknown"
	}
	s := held.Short()
	if gone := c.GaveUp(); !gone.Empty() {
		s += "; given up, and granted again: " + gone.Short()
	}
	if n := c.Kernel.Nested; n != nil {
		s += "; in nested user namespaces: " + n.Short()
	}
	return s
}

func orWords(s, words string) string {
	if s == "" {
		return words
	}
	return s
}
