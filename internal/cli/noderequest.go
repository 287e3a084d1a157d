package cli

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropcap"
)

// nodeRequest is one request of a fleet, as the command line has it.
type nodeRequest struct {
	verb, id string
	args     []string            // those of the verb, as they came
	values   map[string][]string // by name
	offset   int
	whole    bool
	deadline time.Duration
}

func (q nodeRequest) value(name string) string {
	if v := q.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (q nodeRequest) has(name string) bool { return len(q.values[name]) > 0 }

// What words may be. None begins with a dash, so that no value becomes a flag.
var (
	nodeWord     = regexp.MustCompile(`^[A-Za-z0-9_.,:/@=+%-]*$`)
	requestWord  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	requestWords = regexp.MustCompile(`^[0-9a-f]{32}(,[0-9a-f]{32})*$`)
	planWords    = regexp.MustCompile(`^[0-9a-f]{12}:[0-9a-f]{64}(,[0-9a-f]{12}:[0-9a-f]{64})*$`)
	nameWord     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	workloadWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.,:/@=+%-]*$`)
	levelWord    = regexp.MustCompile(`^(cis|least)$`)
	lowWord      = regexp.MustCompile(`^low$`)
	strategyWord = regexp.MustCompile(`^(recreate|in-place|source|manual)$`)
	spanWord     = regexp.MustCompile(`^([0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h))+$`)
	partWord     = regexp.MustCompile(`^[1-9][0-9]{0,2}/[1-9][0-9]{0,2}$`)
	sumWord      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	dataWord     = regexp.MustCompile(`^[A-Za-z0-9_=-]+$`)
	offsetWord   = regexp.MustCompile(`^[0-9]{1,9}$`)
	secondsWord  = regexp.MustCompile(`^[0-9]{1,6}$`)
	noWord       = regexp.MustCompile(`^$`) // --all stands alone
)

type nodeForm struct {
	args, must map[string]*regexp.Regexp
}

var nodeForms = map[string]nodeForm{
	"hello": {},
	"audit": {args: forms("level", levelWord, "container", nameWord)},
	"plan": {args: forms("level", levelWord, "accept", lowWord, "strategy", strategyWord,
		"container", nameWord)},
	"apply": {args: forms("soak", spanWord, "timeout", spanWord, "all", noWord),
		must: forms("plans", planWords)},
	"backout":  {must: forms("of", requestWords)},
	"learn":    {must: forms("for", spanWord)},
	"evidence": {args: forms("workload", workloadWord)},
	"receive":  {must: forms("part", partWord, "sum", sumWord, "data", dataWord)},
	"history":  {},
	"receipt":  {must: forms("of", requestWord)},
	"recover":  {must: forms("of", requestWord)},
}

// transport are arguments about the answer and not about what is done.
var transport = forms("request", requestWord, "offset", offsetWord, "whole", noWord, "deadline",
	secondsWord,
	"each", noWord)

func forms(pairs ...any) map[string]*regexp.Regexp {
	m := map[string]*regexp.Regexp{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		m[name], _ = pairs[i+1].(*regexp.Regexp)
	}
	return m
}

const hintNode = "`dropcap node --help` tells what it takes"

// readRequest reads the words of a command line. Whatever is not of their form is refused.
func readRequest(args []string) (nodeRequest, error) {
	q := nodeRequest{values: map[string][]string{}, args: []string{}, deadline: 50 * time.Second}
	if len(args) == 0 {
		return q, usageError(hintNode, "cannot do a request without a verb")
	}
	form, ok := nodeForms[args[0]]
	if !ok {
		return q, usageError(hintNode, "cannot do %q: there is no such verb", args[0])
	}
	q.verb = args[0]
	if q.verb == "receipt" {
		q.deadline = 0
	}
	for _, word := range args[1:] {
		if err := q.take(form, word); err != nil {
			return q, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(form.must)) {
		if !q.has(name) {
			return q, usageError(hintNode, "cannot %s without --%s", q.verb, name)
		}
	}
	if err := q.ofThisNode(); err != nil {
		return q, err
	}
	q.id = q.value("request")
	if q.id == "" && q.verb != "hello" && q.verb != "receipt" && q.verb != "recover" {
		return q, usageError("32 hexadecimal digits", "cannot %s without --request", q.verb)
	}
	q.offset, _ = strconv.Atoi(q.value("offset")) // at most nine digits
	q.whole = q.has("whole")
	if q.has("deadline") {
		seconds, _ := strconv.Atoi(q.value("deadline"))
		q.deadline = time.Duration(seconds) * time.Second
	}
	return q, nil
}

// ofThisNode makes the names of requests this node's own, where --each says that they stand for
// those of many nodes.
func (q *nodeRequest) ofThisNode() error {
	if !q.has("each") {
		return nil
	}
	node := fromAgent("AWS_SSM_INSTANCE_ID", managedID)
	if node == "" {
		return dropcap.Errorf(dropcap.CodeHost,
			"amazon-ssm-agent sets it; bring the agent up to date",
			"cannot tell which node this is: AWS_SSM_INSTANCE_ID is not set")
	}
	for _, name := range []string{"request", "of"} {
		for i, value := range q.values[name] {
			words := strings.Split(value, ",")
			for k := range words {
				words[k] = dropcap.RequestOf(words[k], node)
			}
			own := strings.Join(words, ",")
			if at := slices.Index(q.args, "--"+name+"="+value); at >= 0 {
				q.args[at] = "--" + name + "=" + own
			}
			q.values[name][i] = own
		}
	}
	return nil
}

func (q *nodeRequest) take(form nodeForm, word string) error {
	name, value, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	for _, known := range []map[string]*regexp.Regexp{transport, form.args, form.must} {
		pattern, ok := known[name]
		if !ok {
			continue
		}
		if !strings.HasPrefix(word, "--") || !nodeWord.MatchString(word) ||
			!pattern.MatchString(value) {
			return usageError(hintNode, "cannot take --%s of %s: its value is not of the form %s",
				name, q.verb, pattern)
		}
		if q.has(name) && name != "container" && name != "workload" {
			return usageError("give it once", "cannot take --%s twice", name)
		}
		q.values[name] = append(q.values[name], value)
		if transport[name] == nil {
			q.args = append(q.args, word)
		}
		return nil
	}
	return usageError(hintNode, "cannot take %q: it is no argument of %s", short(word), q.verb)
}

// short keeps a word readable.
func short(word string) string {
	if len(word) > 100 {
		return word[:100] + "…"
	}
	return word
}

// told are the arguments as a receipt has them: of large ones the digest.
func told(args []string) []string {
	out := make([]string, len(args))
	for i, word := range args {
		out[i] = word
		if name, value, _ := strings.Cut(word, "="); name == "--data" {
			out[i] = fmt.Sprintf("--data=sha256:%x", sha256.Sum256([]byte(value)))
		}
	}
	return out
}

var (
	commandID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	managedID = regexp.MustCompile(`^(i-[0-9a-f]{8}|i-[0-9a-f]{17}|mi-[0-9a-f]{17})$`)
)

// fromAgent gives a variable that SSM's agent sets, if it is of its form.
func fromAgent(name string, form *regexp.Regexp) string {
	if v := os.Getenv(name); form.MatchString(v) {
		return v
	}
	return ""
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// newReceipt is what is known as a request begins.
func (a *app) newReceipt(q nodeRequest) dropcap.Receipt {
	return dropcap.Receipt{
		Schema: dropcap.SchemaReceipt, Request: q.id, Command: fromAgent("SSM_COMMAND_ID",
			commandID), Verb: q.verb, Args: told(q.args),
		Host: thisHost(), State: dropcap.ReceiptRunning, Started: now(), Messages: []string{},
	}
}
