// Package cloud is a double of the parts of AWS that dropcap's fleet verbs use: Systems Manager
// (Run Command, documents, inventory of managed nodes, compliance), the service that an agent on a
// node talks to (ec2messages), S3, STS, Security Hub and Resource Groups. It checks each request
// against the service's own API model, keeps time by a clock that a test may control, and injects
// faults where a test wants them. It is for tests, and for trying the fleet commands without an AWS
// account (dropcap fleet lab). It never talks to AWS.
//
// It accepts requests only with a valid signature (Signature Version 4), for every service.
//
// The agent's side was written from the published source of amazon-ssm-agent (to 3.3), and compared
// with a process of it, built from that source, which was attached to the double: scripts,
// documents, S3, packages, kills (docs/fleet.md, "Limits"). The tests called TestTheWire… send
// requests as that source composes them. Not implemented are ssmmessages (the agent falls back on
// ec2messages), registration with an activation, inventory, and parameters of Parameter Store.
// Automation has the actions that dropcap's runbooks use, and associations are run as commands;
// both were written from the user guide. What no agent shows, such as how the service treats a
// reply after the end, is a guess.
package cloud

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Limits of the service (user guide of Systems Manager, "Run Command quotas"; the agent, "maximum
// output").
const (
	MaxStdout   = 24000 // characters of GetCommandInvocation's StandardOutputContent
	MaxStderr   = 8000
	MaxOutput   = 2500 // of ListCommandInvocations' plugin output
	MaxDocument = 64 << 10
)

// Cloud is the whole state: accounts with regions. One lock guards all of it.
type Cloud struct {
	mu      sync.Mutex
	clock   Clock
	keys    map[string]principal // by access key
	places  map[accountRegion]*region
	buckets map[string]*bucket
	faults  []*Fault
	denied  map[string]bool
	calls   map[string]int
	log     []Call
	serial  int
	models  map[string]*model
	base    string    // the address of the latest request, to build addresses
	who     principal // who sent the latest request
}

// Call is one request that reached the service, in order of arrival.
type Call struct {
	At     time.Time
	API    string // "ssm:SendCommand"
	Region string
	Error  string // the error's type; empty if it succeeded
}

type accountRegion struct{ account, region string }

// region holds what one account has in one region.
type region struct {
	accountRegion
	nodes     map[string]*Node
	order     []string // ids in order of registration
	commands  map[string]*command
	cancels   map[string]bool   // ids of messages that cancel commands
	aliases   map[string]string // second ids of messages, and their first
	sequence  []*command
	documents map[string]*document
	// executions of runbooks, by id and in order
	automations map[string]*automation
	runbooks    []*automation
	// of State Manager, in order
	associations []*association
	groups       map[string][]string
	compliance   map[string]map[string]any // by node and type
	findings     map[string]map[string]any // by id
	hub          bool
}

// DefaultAccount is the account of AccessKey.
const (
	DefaultAccount = "111122223333"
	AccessKey      = "AKIADROPCAPLAB000000"
	SecretKey      = "dropcap-lab-is-not-a-secret"
)

// New returns an empty cloud. A nil clock means the wall clock.
func New(clock Clock) *Cloud {
	if clock == nil {
		clock = wall{}
	}
	c := &Cloud{
		clock: clock, keys: map[string]principal{AccessKey: {Key: DefaultKey,
			account: DefaultAccount}}, places: map[accountRegion]*region{},
		buckets: map[string]*bucket{},
		denied:  map[string]bool{}, calls: map[string]int{},
		models: map[string]*model{"ssm": load("ssm"), "securityhub": load("securityhub"),
			"resource-groups": load("resource-groups"), "sts": load("sts")},
	}
	return c
}

func (c *Cloud) region(account, name string) *region {
	p := accountRegion{account, name}
	r := c.places[p]
	if r == nil {
		r = &region{accountRegion: p, nodes: map[string]*Node{}, commands: map[string]*command{},
			cancels: map[string]bool{}, aliases: map[string]string{}, documents: builtin(),
			groups: map[string][]string{}, automations: map[string]*automation{},
			compliance: map[string]map[string]any{}, findings: map[string]map[string]any{},
			hub: true}
		c.places[p] = r
	}
	return r
}

// Node is a managed node as the service knows it.
type Node struct {
	ID, Account, Region string
	Name                string // ComputerName
	Platform            string // Linux, Windows, MacOS
	PlatformName        string
	PlatformVersion     string
	AgentVersion        string
	Tags                map[string]string
	LastPing            time.Time
	Gone                bool // the agent does not answer: its pings are old
	// an agent has pinged for it; from then on, silence means that it is lost
	attached bool
	queue    []*message
	// closed when there may be something to fetch; nil if nobody waits
	woken     chan struct{}
	Simulated Simulator // answers in place of an agent, if set
}

// Simulator answers a command as a node would, with the script's output and its exit status.
type Simulator func(Script) (stdout, stderr string, exit int)

// Script is what a node is told to run.
type Script struct {
	Node, Command, Region string
	Lines                 []string
	Package               map[string]any // the inputs of aws:configurePackage
	WorkingDirectory      string
	Timeout               time.Duration
}

// Add registers a node. Empty fields get a Debian instance's values.
func (c *Cloud) Add(n Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&n.Account, DefaultAccount)
	fill(&n.Region, "us-east-1")
	fill(&n.Name, n.ID)
	fill(&n.Platform, "Linux")
	fill(&n.PlatformName, "Debian GNU/Linux")
	fill(&n.PlatformVersion, "12")
	fill(&n.AgentVersion, "3.3.987.0")
	if n.Tags == nil {
		n.Tags = map[string]string{}
	}
	n.LastPing = c.clock.Now()
	r := c.region(n.Account, n.Region)
	if r.nodes[n.ID] == nil {
		r.order = append(r.order, n.ID)
	}
	r.nodes[n.ID] = &n
}

// Group creates a resource group of nodes.
func (c *Cloud) Group(account, regionName, name string, nodes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.region(account, regionName).groups[name] = nodes
}

// Silence makes a node's agent stop answering, or answer again.
func (c *Cloud) Silence(account, regionName, id string, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.region(account, regionName).nodes[id]; n != nil {
		n.Gone = gone
		n.LastPing = c.clock.Now()
		n.wake()
	}
}

// Polls reports whether a node's agent is waiting for messages.
func (c *Cloud) Polls(account, regionName, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.region(account, regionName).nodes[id]
	return n != nil && n.woken != nil
}

// Calls returns the number of requests by API ("ssm:SendCommand").
func (c *Cloud) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

// Log returns every request in order.
func (c *Cloud) Log() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// Trust accepts this access key as an account's, and no other: whoever has its secret may run
// scripts wherever an agent is attached.
func (c *Cloud) Trust(key Key, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = map[string]principal{key.ID: {Key: key, account: account}}
}

// Known reports whether a request without a body is signed, for a service, by an accepted key.
func (c *Cloud) Known(r *http.Request, service string) bool {
	_, why := c.authenticate(r, service, digestOf(nil))
	return why == nil
}

// wake wakes a waiting agent.
func (n *Node) wake() {
	if n.woken != nil {
		close(n.woken)
		n.woken = nil
	}
}

// silent is how long an agent may be silent until its node counts as lost (user guide,
// "PingStatus": 5 minutes).
const silent = 5 * time.Minute

// lost reports whether the node's agent is silent for too long.
func (n *Node) lost(now time.Time) bool {
	return n.Gone || n.attached && now.Sub(n.LastPing) > silent
}
