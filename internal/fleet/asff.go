package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/foreign"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
)

// The limits of the AWS Security Finding Format, in characters (user guide of Security Hub,
// "Required top-level attributes" and "Optional …").
const (
	mostTitle       = 256
	mostDescription = 1024
	mostRemedy      = 512
	mostField       = 2048
	mostName        = 128
	mostResources   = 32
	mostRequirement = 64
	// of the 512 of a resource's id: with everything else at its maximum, and escaped, a finding is
	// below 240 KB
	mostContainer = 200
)

const (
	generator = "dropcap/CIS-Docker-5.4/"
	fieldHost = "dropcap/host"
	fieldOf   = "dropcap/container" // a digest of the container's identity
)

// asff is a finding in the AWS Security Finding Format, as BatchImportFindings takes it.
type asff struct {
	SchemaVersion, Id, ProductArn, GeneratorId, AwsAccountId string

	Types                []string
	CreatedAt, UpdatedAt string
	Severity             asffSeverity
	// On a repeated import, Severity and Types come from here, not from above
	// (user guide, "FindingProviderFields").
	FindingProviderFields *asffProvider `json:",omitempty"`
	Title, Description    string
	Remediation           *asffRemediation `json:",omitempty"`
	ProductFields         map[string]string
	Resources             []asffResource
	Compliance            asffCompliance
	Workflow              *asffWorkflow `json:",omitempty"`
	RecordState           string
}

type (
	asffSeverity struct {
		Label    string
		Original string `json:",omitempty"`
	}
	asffProvider struct {
		Severity asffSeverity
		Types    []string
	}
	asffRemediation struct{ Recommendation asffRecommendation }

	asffRecommendation struct{ Text string }

	asffResource struct {
		Type, Id  string
		Partition string                    `json:",omitempty"`
		Region    string                    `json:",omitempty"`
		Details   map[string]map[string]any `json:",omitempty"`
	}
	asffCompliance struct {
		Status              string
		RelatedRequirements []string `json:",omitempty"`
	}
	asffWorkflow struct{ Status string }
)

// ASFF returns Security Hub findings for the audits of one place: BatchImportFindings takes only
// findings of its own account and region. Ids are stable, so that a repeated import changes only
// UpdatedAt. An empty product is the account's own.
func ASFF(f dropcap.Fleet, place dropcap.Place, product string,
	now time.Time) ([]json.RawMessage, error) {
	if product == "" {
		product = "arn:" + place.Partition() + ":securityhub:" + place.Region + ":" +
			place.Account + ":product/" + place.Account + "/default"
	}
	var out []json.RawMessage
	for d, a := range foreign.Audits(f) {
		if dropcap.PlaceOf(d.Host) != place.String() {
			continue
		}
		for _, x := range hostFindings(d, a, place) {
			x.ProductArn, x.CreatedAt, x.UpdatedAt = product, asffTime(now), asffTime(now)
			b, err := json.Marshal(x)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
	}
	return out, nil
}

// hostFindings merges findings with the same id: replicas of a workload are resources of one
// finding.
func hostFindings(d dropcap.HostDocument, a dropcap.Audit, place dropcap.Place) []*asff {
	var out []*asff
	at := map[string]*asff{}
	add := func(identity string, c *dropcap.Judged, list []dropcap.Finding) {
		for _, f := range list {
			id := asffID(d.Host, identity, f)
			x := at[id]
			if x == nil {
				x = newASFF(d, a, place, identity, c, f)
				x.Id, at[id] = id, x
				out = append(out, x)
			}
			if c != nil && len(x.Resources) < mostResources {
				x.Resources = append(x.Resources, containerResource(d.Host, c.Container, place))
			}
		}
	}
	for i := range a.Containers {
		c := &a.Containers[i]
		add(policy.Identity(c.Container), c, c.Findings)
	}
	add("", nil, a.Findings)
	return out
}

func newASFF(d dropcap.HostDocument, a dropcap.Audit, place dropcap.Place, identity string,
	c *dropcap.Judged, f dropcap.Finding) *asff {
	name := "the policy"
	if c != nil {
		name = c.Name
	}
	rule := printable.Units(string(f.Rule), 64)
	types := []string{"Software and Configuration Checks/Industry and Regulatory Standards/CIS " +
		"Docker Benchmark"}
	severity := asffSeverity{severityLabel(f.Severity), printable.Units(string(f.Severity), 64)}
	x := &asff{
		SchemaVersion: "2018-10-08", GeneratorId: generator + rule, AwsAccountId: place.Account,
		Types: types, Severity: severity, FindingProviderFields: &asffProvider{severity, types},
		Title: filled(printable.Units("Container capabilities: "+rule+" of "+name+" on "+
			d.Node(), mostTitle)),
		Description: filled(printable.Units(f.Because, mostDescription)),
		Resources:   []asffResource{nodeResource(d, place)}, RecordState: "ACTIVE",
		Compliance: asffCompliance{Status: complianceOf(f),
			RelatedRequirements: requirements(a.Control)},
		ProductFields: map[string]string{
			fieldHost: printable.Units(d.Host, mostField), fieldOf: digestOf(identity),
			"dropcap/rule": filled(rule), "dropcap/capabilities": filled(f.Caps.Short()),
		},
	}
	if fix := printable.Units(f.Fix, mostRemedy); fix != "" {
		x.Remediation = &asffRemediation{asffRecommendation{fix}}
	}
	if why := accepted(f); why != "" {
		x.Workflow = &asffWorkflow{"SUPPRESSED"}
		x.ProductFields["dropcap/accepted"] = printable.Units(why, mostField)
	}
	return x
}

// asAccepted is the suffix of an accepted finding's id. It needs its own id: an existing finding
// keeps its workflow on import (BatchImportFindings), so a suppressed one would stay suppressed
// after its waiver has expired.
const asAccepted = "/accepted"

// otherID returns the id of the same finding with the opposite acceptance.
func otherID(id string) string {
	if rest, ok := strings.CutSuffix(id, asAccepted); ok {
		return rest
	}
	return id + asAccepted
}

// asffID returns an id that stays the same for the same finding, across new containers and changed
// texts.
func asffID(host, identity string, f dropcap.Finding) string {
	held := f.Caps.Mask()
	if f.Rule == dropcap.RulePrivileged { // a newer kernel has more of them
		held = ""
	}
	parts := []string{host, identity, string(f.Rule), held}
	if identity == "" { // of the policy: only the sentence distinguishes them
		parts = append(parts, f.Because)
	}
	id := "dropcap/" + printable.Units(host, 200) + "/" + digestOf(parts...)
	if accepted(f) != "" {
		return otherID(id)
	}
	return id
}

func digestOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// accepted says why a finding does not count.
func accepted(f dropcap.Finding) string {
	switch {
	case f.Waiver != nil:
		return "waived by " + f.Waiver.Owner + " until " + f.Waiver.LastDay() + ": " +
			f.Waiver.Reason
	case f.Known:
		return "it stands in the baseline"
	case f.Retained != "":
		return "retained by change " + f.Retained + ", stopped"
	}
	return ""
}

// complianceOf never returns PASSED: what passed has no finding. What was not observed has no
// status.
func complianceOf(f dropcap.Finding) string {
	switch {
	case f.Rule == dropcap.RuleUnseen:
		return "NOT_AVAILABLE"
	case accepted(f) != "":
		return "WARNING"
	}
	return "FAILED"
}

func severityLabel(s caps.Severity) string {
	switch s {
	case caps.Critical, caps.High, caps.Medium, caps.Low:
		return strings.ToUpper(string(s))
	}
	return "INFORMATIONAL"
}

func requirements(c dropcap.Control) []string {
	var out []string
	for _, id := range c.IDs[:min(len(c.IDs), 8)] {
		out = append(out, filled(printable.Units(c.Benchmark+" "+id.Version+"/"+id.ID,
			mostRequirement)))
	}
	return out
}

// nodeResource returns the host: an instance of EC2, or another machine that the service manages
// (mi-…).
func nodeResource(d dropcap.HostDocument, p dropcap.Place) asffResource {
	kind, arn := "Other", "arn:"+p.Partition()+":ssm:"+p.Region+":"+p.Account+":managed-instance/"+
		d.Node()
	if strings.HasPrefix(d.Node(), "i-") {
		kind, arn = "AwsEc2Instance", "arn:"+p.Partition()+":ec2:"+p.Region+":"+p.Account+
			":instance/"+d.Node()
	}
	return asffResource{Type: kind, Id: printable.Units(arn, 512), Partition: partitionIn(p),
		Region: p.Region}
}

func containerResource(host string, c dropcap.Container, p dropcap.Place) asffResource {
	details := map[string]any{"Privileged": c.Declared.Privileged}
	for k, v := range map[string]string{"Name": c.Name, "ImageId": c.ImageID, "ImageName": c.Image,
		"ContainerRuntime": c.Runtime} {
		if v = printable.Units(v, mostName); v != "" {
			details[k] = v
		}
	}
	if t, err := time.Parse(time.RFC3339, c.Created); err == nil {
		details["LaunchedAt"] = asffTime(t)
	}
	return asffResource{
		Type: "Container", Id: filled(printable.Units(host+"/"+c.ID, mostContainer)),
		Partition: partitionIn(p), Region: p.Region,
		Details: map[string]map[string]any{"Container": details},
	}
}

// partitionIn returns the partition, empty if the format has no name for it (the API model's
// enumeration).
func partitionIn(p dropcap.Place) string {
	switch name := p.Partition(); name {
	case "aws", "aws-cn", "aws-us-gov":
		return name
	}
	return ""
}

// filled returns a placeholder for an empty string, which the service would refuse.
func filled(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}

func asffTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
