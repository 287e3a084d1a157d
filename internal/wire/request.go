// Package wire is the protocol between a fleet's controller and its hosts: one table of verbs, and
// requests that are written and read by it, as words of fixed forms. It must stay compatible: a
// host and its controller may have different versions, and installed SSM documents stay.
package wire

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"dropcap"
)

// Request is one request to a host.
type Request struct {
	Verb Verb
	// ID is the request's name, 32 hexadecimal digits: a host does a request once.
	ID string
	Args
	// Each says that ID and Of are sent to many nodes, and each derives its own names from them.
	Each   bool
	Offset int           // print the receipt from this character on
	Whole  bool          // print all of it
	Wait   time.Duration // how long to wait for its end
}

const helpHint = "`dropcap node --help` tells what it takes"

var requestName = regexp.MustCompile(`^` + requestForm + `$`)

// Parse reads the words of a request: the verb, then arguments. It refuses any other form.
func Parse(words []string) (Request, error) {
	var q Request
	if len(words) == 0 {
		return q, usage(helpHint, "cannot do a request without a verb")
	}
	v, ok := Lookup(words[0])
	if !ok {
		return q, usage(helpHint, "cannot do %q: there is no such verb", short(words[0]))
	}
	q.Verb, q.Wait = v, v.Wait
	given, err := q.read(words[1:], q.known())
	if err != nil {
		return q, err
	}
	for _, a := range v.Needs {
		if !given[a.Name] {
			return q, usage(helpHint, "cannot %s without --%s", v.Name, a.Name)
		}
	}
	if q.ID == "" && v.Do != nil {
		return q, usage("32 hexadecimal digits", "cannot %s without --request", v.Name)
	}
	return q, nil
}

// known returns all arguments that a request may have.
func (q Request) known() []*Argument {
	return append(slices.Clone(transport), q.Verb.arguments()...)
}

// ParseArgs reads a verb's arguments as a run or a receipt stores them: required ones may be
// missing.
func ParseArgs(verb string, words []string) (Args, error) {
	q := Request{}
	q.Verb, _ = Lookup(verb)
	_, err := q.read(words, q.Verb.arguments())
	return q.Args, err
}

func (q *Request) read(words []string, known []*Argument) (given map[string]bool, err error) {
	given = map[string]bool{}
	for _, one := range words {
		name, value, _ := strings.Cut(strings.TrimPrefix(one, "--"), "=")
		at := slices.IndexFunc(known, func(a *Argument) bool { return a.Name == name })
		if at < 0 {
			return given, usage(helpHint, "cannot take %q: it is no argument of %s", short(one),
				q.Verb.Name)
		}
		a := known[at]
		if !strings.HasPrefix(one, "--") || a.Check(value) != nil {
			return given, usage(helpHint, "cannot take --%s of %s: its value is not of the form %s",
				name, q.Verb.Name, a.form)
		}
		if given[name] && !a.Many {
			return given, usage("give it once", "cannot take --%s twice", name)
		}
		given[name] = true
		if err := a.read(q, value); err != nil {
			return given, usage(helpHint, "cannot read --%s of %s: %w", name, q.Verb.Name, err)
		}
	}
	return given, nil
}

// Words returns the request as it is sent, without the verb and its name.
func (q Request) Words() []string {
	list := q.Verb.Words(q.Args)
	for _, a := range transport[1:] {
		list = append(list, a.words(q)...)
	}
	return list
}

// Words returns the verb's arguments, in the order of the table.
func (v Verb) Words(args Args) []string {
	list := []string{}
	for _, a := range v.arguments() {
		list = append(list, a.words(Request{Verb: v, Args: args})...)
	}
	return list
}

// Words returns the arguments of a verb.
func Words(verb string, args Args) []string {
	v, _ := Lookup(verb)
	return v.Words(args)
}

// Recorded returns the verb's arguments as a receipt stores them: large ones as digests.
func (q Request) Recorded() []string {
	list := []string{}
	for _, a := range q.Verb.arguments() {
		for _, one := range a.words(q) {
			if name, value, _ := strings.Cut(one, "="); a.Digest {
				one = fmt.Sprintf("%s=sha256:%x", name, sha256.Sum256([]byte(value)))
			}
			list = append(list, one)
		}
	}
	return list
}

// Same reports whether a repeated request equals the recorded one. The plans that it names depend
// on the hosts that it was sent to together; one that was backed out before it arrived has no
// arguments.
func (q Request) Same(recorded []string) bool {
	plans := func(one string) bool { return strings.HasPrefix(one, "--"+plansArg.Name+"=") }
	is := q.Recorded()
	if len(recorded) == 0 && slices.ContainsFunc(is, plans) {
		return true
	}
	return slices.Equal(slices.DeleteFunc(slices.Clone(recorded), plans),
		slices.DeleteFunc(is, plans))
}

// On returns the request of one node: with that node's own names, if it was sent to many.
func (q Request) On(node string) Request {
	if !q.Each {
		return q
	}
	q.Each = false
	if q.ID != "" {
		q.ID = dropcap.RequestOf(q.ID, node)
	}
	q.Of = slices.Clone(q.Of)
	for i, name := range q.Of {
		q.Of[i] = dropcap.RequestOf(name, node)
	}
	return q
}

// Check refuses a command with a word that no host would accept.
func Check(c dropcap.NodeCommand) error {
	v, ok := Lookup(c.Verb)
	switch {
	case !ok:
		return fmt.Errorf("cannot send %q: there is no such verb", c.Verb)
	case !requestName.MatchString(c.Request):
		return fmt.Errorf("cannot send the request %q: it is not 32 hexadecimal digits", c.Request)
	}
	q := Request{Verb: v}
	if _, err := q.read(c.Args, q.known()); err != nil {
		return fmt.Errorf("cannot send the request: %w", err)
	}
	return nil
}

// short keeps a word readable.
func short(word string) string {
	if len(word) > 100 {
		return word[:100] + "…"
	}
	return word
}

func usage(hint, format string, args ...any) error {
	return dropcap.Errorf(dropcap.CodeUsage, hint, format, args...)
}
