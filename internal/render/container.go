package render

import (
	"fmt"

	"dropcap"
	"dropcap/internal/owner"
)

// Container is what a template sees, once per container. `{{json .}}` is the container as in the
// json format, on one line; `{{json .X}}` is a field's raw value. Everything else is printed with
// control characters made visible.
//
//	.Host        its name; of a fleet's, the node's id
//	.ID          12 digits, all 64 with --no-trunc
//	.Name .Image .ImageID .State .User .Workload .Runtime .Network .Created
//	.PID         of the first process; 0 if not running
//	.Owner       "docker", "compose shop/web" …
//	.Labels      names
//	.Privileged  whether it is declared
//	.CapAdd .CapDrop  as declared
//	.Holds       at a glance: "14 default +NET_ADMIN"
//	.Verdict     pass, fail, mitigated, waived or unknown
//	.Why         the first finding's reason
//	.Fix         the first finding's remedy
//	.Severity    the worst of the findings that count
//	.Rules       slugs, without repetition
//	.Findings    each with .Rule .Severity .Caps .Because .Fix .Known .Retained .Waiver (nil, or .Owner .Reason .Expires)
//	.Held        what any of its sets has; .GaveUp what is predicted and not held; .Nested what is held in user namespaces within its own
//	.Predicted .Bounding .Effective .Permitted .Inheritable .Ambient  names of capabilities; nil if not known
//	.NoNewPrivs .UserNS .Visible .WhyNot
type Container struct {
	Host, ID, Name, Image, ImageID, State, User, Workload, Runtime, Network, Created Text

	PID    int
	Owner  Text
	Labels []Text

	Privileged      bool
	CapAdd, CapDrop []Text

	Holds, Verdict, Why, Fix, Severity Text

	Rules    []Text
	Findings []Finding

	Predicted, Held, GaveUp, Nested, Bounding, Effective, Permitted, Inheritable, Ambient []Text

	NoNewPrivs bool
	UserNS     Text
	Visible    bool
	WhyNot     Text

	// A function, since fmt prints only its address: {{.}} and {{printf "%s" .}} must not show the
	// values of labels.
	document func() dropcap.Judged
}

// Finding is a finding, for a template.
type Finding struct {
	Rule, Severity, Because, Fix Text

	Caps     []Text
	Known    bool
	Retained Text // the change that left the container behind
	Waiver   *Waiver
}

// Waiver is a waiver, for a template; Expires is its last day, 2006-01-02, or empty.
type Waiver struct{ Owner, Reason, Expires Text }

// Text is a string that every verb prints in visible form.
type Text string

// Format prints the visible form.
func (t Text) Format(s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(s, verb), visible(string(t)))
}

// MarshalJSON returns the document's own form.
func (c Container) MarshalJSON() ([]byte, error) {
	s, err := encode(c.document().Listed(), "")
	return []byte(s), err
}

func newContainer(c dropcap.Judged, h dropcap.Host, full bool) Container {
	t := Container{
		Host: Text(h.Name),
		ID:   Text(shortID(c.ID, full)), Name: Text(c.Name), Image: Text(c.Image),
		ImageID: Text(c.ImageID), State: Text(c.State),
		User: Text(c.User), Workload: Text(c.Workload), Runtime: Text(c.Runtime),
		Network: Text(c.Network), Created: Text(c.Created),
		PID: c.PID, Owner: Text(owner.Title(c.Owner)), Labels: texts(c.Labels),
		Privileged: c.Declared.Privileged, CapAdd: texts(c.Declared.Add),
		CapDrop: texts(c.Declared.Drop),
		Holds:   Text(holds(c.Container, h, full)), Verdict: Text(c.Verdict), Why: Text(why(c)),
		Rules:     texts(rules(c)),
		Severity:  Text(worst(c.Findings)),
		Predicted: texts(names(c.Predicted)), Bounding: texts(names(c.Kernel.Bounding)),
		Effective:   texts(names(c.Kernel.Effective)),
		Permitted:   texts(names(c.Kernel.Permitted)),
		Inheritable: texts(names(c.Kernel.Inheritable)), Ambient: texts(names(c.Kernel.Ambient)),
		NoNewPrivs: c.Kernel.NoNewPrivs, UserNS: Text(c.Kernel.UserNS), Visible: c.Kernel.Visible,
		WhyNot:   Text(c.Kernel.WhyNot),
		document: func() dropcap.Judged { return c },
	}
	t.Held, t.Nested = texts(names(c.Kernel.Holds())), texts(names(c.Kernel.Nested))
	if gone := c.GaveUp(); c.Kernel.Visible {
		t.GaveUp = texts(names(&gone))
	}
	if f, ok := first(c.Findings); ok {
		t.Fix = Text(f.Fix)
	}
	for _, f := range c.Findings {
		t.Findings = append(t.Findings, newFinding(f))
	}
	return t
}

func newFinding(f dropcap.Finding) Finding {
	t := Finding{
		Rule: Text(f.Rule), Severity: Text(f.Severity), Because: Text(f.Because), Fix: Text(f.Fix),
		Caps: texts(names(&f.Caps)), Known: f.Known,
		Retained: Text(f.Retained),
	}
	if w := f.Waiver; w != nil {
		t.Waiver = &Waiver{Owner: Text(w.Owner), Reason: Text(w.Reason), Expires: Text(w.LastDay())}
	}
	return t
}

func texts(l []string) []Text {
	if l == nil {
		return nil
	}
	t := make([]Text, len(l))
	for i, s := range l {
		t[i] = Text(s)
	}
	return t
}
