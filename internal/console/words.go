// Package console does what a form of AWS's console asks of a host: the SSM documents for people
// run it, each with words of its own. It asks the host's own node, so that everything is done once
// and outlives the command that asked, and it composes what a person reads. It decides nothing
// about containers.
package console

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"dropcap"
)

// Request is what a person's form asks.
type Request struct {
	Verb       string
	Containers []string      // names; none means all
	Level      dropcap.Level // empty: the host's policy decides
	Findings   string        // whether findings of an audit fail the step: "report", "fail", "new"
	AcceptLow  bool          // accept evidence of low confidence, or none
	DryRun     bool          // of an apply: only show
	// Run is the id of the command or automation that began a plan or an apply; empty: this one. Of
	// a backout also "last" and "all".
	Run  string
	Wait time.Duration // the step's time
}

// Word is a word of a form, --NAME=VALUE.
type Word struct {
	Name string
	// Pattern is the form of its value, the same as in the documents: nothing that a shell takes
	// for its own.
	Pattern string
	form    *regexp.Regexp
	read    func(*Request, string)
}

func word(name, pattern string, read func(*Request, string)) Word {
	return Word{name, pattern, regexp.MustCompile(pattern), read}
}

// maxValue is the longest value, as in the documents.
const maxValue = 2000

// The forms of values.
const (
	nameForm = `[A-Za-z0-9][A-Za-z0-9_.-]*`
	idForm   = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
)

var (
	containers = word("containers", `^(`+nameForm+`([ ,]{1,3}`+nameForm+`)*)?$`,
		func(q *Request, s string) {
			q.Containers = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
		})
	level = word("level", `^(policy|cis|least)$`, func(q *Request, s string) {
		if s != "policy" {
			q.Level = dropcap.Level(s)
		}
	})
	findings = word("findings", `^(report|fail|new)$`, func(q *Request, s string) {
		q.Findings = s
	})
	acceptLow = word("accept-low", `^(no|yes)$`, func(q *Request, s string) {
		q.AcceptLow = s == "yes"
	})
	dryRun = word("dry-run", `^(no|yes)$`, func(q *Request, s string) { q.DryRun = s == "yes" })
	run    = word("run", `^(`+idForm+`)?$`, func(q *Request, s string) { q.Run = s })
	which  = word("run", `^(last|all|`+idForm+`)$`, func(q *Request, s string) { q.Run = s })
	wait   = word("wait", `^([5-9]|[1-9][0-9]{1,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|`+
		`172[0-7][0-9]{2}|172800)$`,
		func(q *Request, s string) {
			q.Wait, _ = time.ParseDuration(s + "s") // of that form
		})
)

// Form is a form, and the words that it takes.
type Form struct {
	Name  string
	Words []Word
}

// Forms are all forms.
var Forms = []Form{
	{"audit", []Word{containers, level, findings, run, wait}},
	{"plan", []Word{containers, level, acceptLow, run, wait}},
	{"apply", []Word{containers, level, acceptLow, dryRun, run, wait}},
	{"backout", []Word{which, wait}},
	{"status", []Word{run, wait}},
}

// Parse reads the words of a form: the verb, then words of its own, each at most once. It refuses
// any other.
func Parse(words []string) (Request, error) {
	q := Request{Findings: "report", Wait: 10 * time.Minute}
	if len(words) == 0 {
		return q, usage("cannot do a form without a verb")
	}
	var known []Word
	for _, v := range Forms {
		if v.Name == words[0] {
			q.Verb, known = v.Name, v.Words
		}
	}
	if q.Verb == "" {
		return q, usage("cannot do %.40q: there is no such form", words[0])
	}
	q.DryRun = q.Verb == "apply"
	if q.Verb == "backout" {
		q.Run = "last"
	}
	given := map[string]bool{}
	for _, one := range words[1:] {
		name, value, ok := strings.Cut(one, "=")
		at := slices.IndexFunc(known, func(w Word) bool { return "--"+w.Name == name })
		switch {
		case !ok || at < 0:
			return q, usage("cannot take %.40q: %s has no such word", one, q.Verb)
		case given[name]:
			return q, usage("cannot take %s twice", name)
		case len(value) > maxValue || !known[at].form.MatchString(value):
			return q, usage("cannot take %s: its value is not of the form %s", name,
				known[at].Pattern)
		}
		given[name] = true
		known[at].read(&q, value)
	}
	chosen := len(q.Containers) > 0 || q.Level != "" || q.AcceptLow
	if q.Verb == "apply" && q.Run != "" && chosen {
		return q, dropcap.Errorf(dropcap.CodeUsage,
			"leave containers, level and acceptLow as they are: the plan of that run has them",
			"cannot choose containers or a level for a plan that is made")
	}
	return q, nil
}

func usage(format string, args ...any) error {
	return dropcap.Errorf(dropcap.CodeUsage, "`dropcap console --help` tells what it takes", format,
		args...)
}

// Complete returns the possible next words of a form.
func Complete(words []string) (list []string) {
	for _, v := range Forms {
		switch {
		case len(words) == 0:
			list = append(list, v.Name)
		case v.Name == words[0]:
			for _, w := range v.Words {
				list = append(list, "--"+w.Name+"=")
			}
		}
	}
	return list
}
