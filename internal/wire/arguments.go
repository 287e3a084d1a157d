package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropcap"
)

// Args are the arguments of a verb. Each verb takes those that its row in the table names.
type Args struct {
	Level      dropcap.Level // empty: the host's policy decides
	Containers []string      // names; none means all
	AcceptLow  bool          // accept evidence of low confidence, or none
	Strategy   dropcap.Strategy
	Plans      []Plan         // a host applies the one that it has made
	Soak       *time.Duration // nil: the default
	Timeout    time.Duration  // 0: the default
	All        bool           // continue with the others after a rollback
	Of         []string       // names of earlier requests
	For        time.Duration
	Workloads  []string // none means all
	Part       Part
}

// Plan names a plan that a host has stored.
type Plan struct {
	ID     string // 12 hexadecimal digits
	Digest string // SHA-256 of its document, 64 hexadecimal digits
}

// PlanOf names the plan in a document.
func PlanOf(id string, document []byte) Plan {
	return Plan{id, fmt.Sprintf("%x", sha256.Sum256(document))}
}

func (p Plan) String() string {
	if p == (Plan{}) {
		return ""
	}
	return p.ID + ":" + p.Digest
}

// ParsePlan reads "ID:DIGEST".
func ParsePlan(s string) (Plan, bool) {
	if !planForm.MatchString(s) {
		return Plan{}, false
	}
	id, digest, _ := strings.Cut(s, ":")
	return Plan{id, digest}, true
}

// Part is a piece of a document that comes in several requests.
type Part struct {
	Number, Count int    // from 1 on
	Sum           string // SHA-256 of the whole document, 64 hexadecimal digits
	Data          []byte
}

// partSize is the size of a part in bytes: as text it keeps a command below Run Command's limit of
// 64 KB for document and parameters.
const partSize = 15000

// Parts splits a document into parts.
func Parts(document []byte) []Part {
	sum := fmt.Sprintf("%x", sha256.Sum256(document))
	var list []Part
	for piece := range slices.Chunk(document, partSize) {
		list = append(list, Part{Number: len(list) + 1, Sum: sum, Data: piece})
	}
	for i := range list {
		list[i].Count = len(list)
	}
	return list
}

// Argument is one argument of a request: --NAME=VALUE, or --NAME alone.
type Argument struct {
	Name    string
	Value   string // the value's name in the help; empty: no value
	Many    bool   // may be given several times
	Digest  bool   // a receipt keeps the SHA-256 of its value
	Choices []string
	form    *regexp.Regexp
	read    func(*Request, string) error
	values  func(Request) []string
}

// Check returns an error if a value does not have the argument's form.
func (a *Argument) Check(value string) error {
	if !word.MatchString(value) || !a.form.MatchString(value) {
		return dropcap.Errorf(dropcap.CodeUsage, helpHint,
			"cannot take --%s: its value is not of the form %s", a.Name, a.form)
	}
	return nil
}

// words returns the argument as words of a request; none if it is not given.
func (a *Argument) words(q Request) []string {
	var list []string
	for _, v := range a.values(q) {
		if v == "" {
			list = append(list, "--"+a.Name)
		} else {
			list = append(list, "--"+a.Name+"="+v)
		}
	}
	return list
}

// The forms of values. None begins with a dash, so that no value becomes a flag, and none has
// characters that a shell interprets.
var (
	word     = regexp.MustCompile(`^[A-Za-z0-9_.,:/@=+%-]*$`)
	planForm = regexp.MustCompile(`^[0-9a-f]{12}:[0-9a-f]{64}$`)
)

const (
	requestForm = `[0-9a-f]{32}`
	spanForm    = `^([0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h))+$`
)

// The arguments of verbs.
var (
	levelArg = text("level", "L", `^(cis|least)$`, func(q *Request) *dropcap.Level {
		return &q.Level
	}).
		choose("cis", "least")
	acceptArg = &Argument{
		Name: "accept", Value: "low", Choices: []string{"low"}, form: regexp.MustCompile(`^low$`),
		read:   func(q *Request, _ string) error { q.AcceptLow = true; return nil },
		values: func(q Request) []string { return given(q.AcceptLow, "low") },
	}
	strategyArg = text("strategy", "S", `^(recreate|in-place|source|manual)$`,
		func(q *Request) *dropcap.Strategy {
			return &q.Strategy
		}).
		choose("recreate", "in-place", "source", "manual")
	// Container is a container's name.
	Container = list("container", "NAME", `^[A-Za-z0-9][A-Za-z0-9_.-]*$`,
		func(q *Request) *[]string {
			return &q.Containers
		})
	// Workload is a workload's name.
	Workload = list("workload", "W", `^[A-Za-z0-9][A-Za-z0-9_.,:/@=+%-]*$`,
		func(q *Request) *[]string {
			return &q.Workloads
		})
	plansArg = &Argument{
		Name: "plans", Value: "ID:SHA256[,...]",
		form: regexp.MustCompile(`^[0-9a-f]{12}:[0-9a-f]{64}(,[0-9a-f]{12}:[0-9a-f]{64})*$`),
		read: readPlans, values: writePlans,
	}
	soakArg = &Argument{Name: "soak", Value: "D", form: regexp.MustCompile(spanForm),
		read: readSoak, values: writeSoak}
	timeArg = span("timeout", "D", func(q *Request) *time.Duration { return &q.Timeout })
	allArg  = flag("all", func(q *Request) *bool { return &q.All })
	ofOne   = requests("of", "REQUEST", `^`+requestForm+`$`)
	ofSome  = requests("of", "REQUEST[,...]", `^`+requestForm+`(,`+requestForm+`)*$`)
	forArg  = positive(span("for", "D", func(q *Request) *time.Duration { return &q.For }))
	partArg = &Argument{Name: "part", Value: "K/N",
		form: regexp.MustCompile(`^[1-9][0-9]{0,2}/[1-9][0-9]{0,2}$`), read: readPart,
		values: writePart}
	sumArg = text("sum", "SHA256", `^[0-9a-f]{64}$`, func(q *Request) *string {
		return &q.Part.Sum
	})
	dataArg = &Argument{
		Name: "data", Value: "BASE64URL", Digest: true,
		form: regexp.MustCompile(`^[A-Za-z0-9_=-]+$`), read: readData, values: writeData,
	}
)

// The arguments about the answer, not about what is done.
var (
	requestArg = text("request", "ID", `^`+requestForm+`$`, func(q *Request) *string {
		return &q.ID
	})
	offsetArg = number("offset", "N", `^[0-9]{1,9}$`, func(q *Request) *int { return &q.Offset })
	eachArg   = flag("each", func(q *Request) *bool { return &q.Each })
	wholeArg  = flag("whole", func(q *Request) *bool { return &q.Whole })
	waitArg   = &Argument{Name: "deadline", Value: "SECONDS",
		form: regexp.MustCompile(`^[0-9]{1,6}$`), read: readWait, values: writeWait}
	transport = []*Argument{requestArg, offsetArg, eachArg, wholeArg, waitArg}
)

// choose sets the possible values, for completion.
func (a *Argument) choose(values ...string) *Argument { a.Choices = values; return a }

// given returns a value if it is set, or none.
func given(is bool, value string) []string {
	if !is {
		return nil
	}
	return []string{value}
}

func text[T ~string](name, value, form string, at func(*Request) *T) *Argument {
	return &Argument{
		Name: name, Value: value, form: regexp.MustCompile(form),
		read:   func(q *Request, s string) error { *at(q) = T(s); return nil },
		values: func(q Request) []string { return given(*at(&q) != "", string(*at(&q))) },
	}
}

func list(name, value, form string, at func(*Request) *[]string) *Argument {
	return &Argument{
		Name: name, Value: value, Many: true, form: regexp.MustCompile(form),
		read:   func(q *Request, s string) error { *at(q) = append(*at(q), s); return nil },
		values: func(q Request) []string { return *at(&q) },
	}
}

func flag(name string, at func(*Request) *bool) *Argument {
	return &Argument{
		Name: name, form: regexp.MustCompile(`^$`),
		read:   func(q *Request, _ string) error { *at(q) = true; return nil },
		values: func(q Request) []string { return given(*at(&q), "") },
	}
}

func number(name, value, form string, at func(*Request) *int) *Argument {
	return &Argument{
		Name: name, Value: value, form: regexp.MustCompile(form),
		read: func(q *Request, s string) (err error) {
			*at(q), err = strconv.Atoi(s)
			return err
		},
		values: func(q Request) []string { return given(*at(&q) != 0, strconv.Itoa(*at(&q))) },
	}
}

func span(name, value string, at func(*Request) *time.Duration) *Argument {
	return &Argument{
		Name: name, Value: value, form: regexp.MustCompile(spanForm),
		read: func(q *Request, s string) (err error) {
			*at(q), err = time.ParseDuration(s)
			return err
		},
		values: func(q Request) []string { return given(*at(&q) != 0, at(&q).String()) },
	}
}

// positive refuses an infinite time.
func positive(a *Argument) *Argument {
	read := a.read
	a.read = func(q *Request, s string) error {
		if strings.Trim(s, "0.msh") == "" {
			return fmt.Errorf("%s is no time", s)
		}
		return read(q, s)
	}
	return a
}

func requests(name, value, form string) *Argument {
	return &Argument{
		Name: name, Value: value, form: regexp.MustCompile(form),
		read:   func(q *Request, s string) error { q.Of = strings.Split(s, ","); return nil },
		values: func(q Request) []string { return given(len(q.Of) > 0, strings.Join(q.Of, ",")) },
	}
}

func readPlans(q *Request, s string) error {
	for _, one := range strings.Split(s, ",") {
		p, _ := ParsePlan(one)
		q.Plans = append(q.Plans, p)
	}
	return nil
}

func writePlans(q Request) []string {
	var all []string
	for _, p := range q.Plans {
		if s := p.String(); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return given(len(all) > 0, strings.Join(all, ","))
}

func readSoak(q *Request, s string) error {
	d, err := time.ParseDuration(s)
	q.Soak = &d
	return err
}

func writeSoak(q Request) []string {
	if q.Soak == nil {
		return nil
	}
	return []string{q.Soak.String()}
}

func readPart(q *Request, s string) error {
	number, count, _ := strings.Cut(s, "/")
	q.Part.Number, _ = strconv.Atoi(number) // at most three digits
	q.Part.Count, _ = strconv.Atoi(count)
	if q.Part.Number > q.Part.Count {
		return fmt.Errorf("there is no part %d of %d", q.Part.Number, q.Part.Count)
	}
	return nil
}

func writePart(q Request) []string {
	return given(q.Part.Count > 0, fmt.Sprintf("%d/%d", q.Part.Number, q.Part.Count))
}

func readData(q *Request, s string) (err error) {
	q.Part.Data, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	return err
}

func writeData(q Request) []string {
	return given(len(q.Part.Data) > 0, base64.RawURLEncoding.EncodeToString(q.Part.Data))
}

func readWait(q *Request, s string) error {
	seconds, err := strconv.Atoi(s)
	q.Wait = time.Duration(seconds) * time.Second
	return err
}

func writeWait(q Request) []string {
	return given(q.Wait != q.Verb.Wait, strconv.Itoa(int(q.Wait/time.Second)))
}
