package dropcap

import (
	"errors"
	"strings"
	"time"
)

// Place is where managed nodes are: an account's region, reached by one set of credentials.
type Place struct {
	Account, Region string
	Role            string // ARN of the role that was assumed to get there; empty if none was
}

// String is "account/region".
func (p Place) String() string { return p.Account + "/" + p.Region }

// Partition is the first part of the names of resources in the place's region (the SDK's
// partitions.json).
func (p Place) Partition() string {
	for _, known := range [][2]string{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-iso-", "aws-iso"},
		{"us-isob-", "aws-iso-b"}, {"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(p.Region, known[0]) {
			return known[1]
		}
	}
	return "aws"
}

// Node is a managed node, by the service's own word.
type Node struct {
	Place
	ID              string // i-… or mi-…
	Name            string // ComputerName; the node says it
	Platform        string // Linux, Windows, MacOS
	PlatformName    string
	PlatformVersion string
	Agent           string // version of the agent
	Online          bool
	Pinged          time.Time
}

// Host is "account/region/node", as a FleetHost has it.
func (n Node) Host() string { return n.Place.String() + "/" + n.ID }

// NodeCommand is one request to run dropcap on nodes of one place.
type NodeCommand struct {
	Place Place
	Nodes []string // ids, at most 50
	// name of the SSM document; AWS-RunShellScript where Lines are sent, AWS-ConfigureAWSPackage
	// where a Package is
	Document string
	// Verb, Request and Args are the parameters of dropcap's own documents.
	Verb, Request string
	Args          []string
	Lines         []string      // of a script, for AWS-RunShellScript
	Package       PackageAction // for AWS-ConfigureAWSPackage
	Comment       string        // at most 100 characters
	Delivery      time.Duration // until a node must have fetched it; 30 s to 30 days
	Execution     time.Duration // until the agent kills it; 5 s to 48 h
	Bucket        string        // for whole outputs; empty: what Run Command keeps
	Prefix        string
}

// PackageAction is what Distributor is to do with a package. Its words are of fixed forms: there is
// none for a shell.
type PackageAction struct {
	Uninstall    bool   // else: install
	Name         string // of the package's document, or its ARN where another account shares it
	Version      string // of the package; empty: the default one, or whichever is installed
	Purge, Force bool   // of an uninstall, as of UninstallLines
}

// Package is dropcap as Distributor takes it.
type Package struct {
	Version  string            // of the package: letters, digits and . _ -
	Manifest string            // JSON, schema 2.0
	Files    map[string][]byte // zip files, by the names that the manifest has
}

// Invocation is how a command stands on one node, by the service's own word. It is a hint when to
// look for the receipt, and no truth.
type Invocation struct {
	Node string
	// StatusDetails: Pending, InProgress, Delayed, Success, DeliveryTimedOut, ExecutionTimedOut,
	// Failed, Cancelled, Undeliverable, Terminated, …
	Status string
}

// Over tells whether the service expects nothing more of the node.
func (i Invocation) Over() bool {
	switch i.Status {
	case "", "Pending", "InProgress", "Delayed", "Cancelling":
		return false
	}
	return true
}

// NodeOutput is what a node printed.
type NodeOutput struct {
	Stdout, Stderr string // not more than Run Command keeps, unless they come from a bucket
	Exit           int    // -1 if it did not run to its end
	Status         string // StatusDetails
	// Kept is how many bytes at the beginning of Stdout Run Command itself kept, where the rest
	// comes from a bucket; 0: all of them. Refused is why what the bucket has was not taken.
	Kept    int
	Refused string
}

// Targets say which nodes are meant.
type Targets struct {
	Nodes []string // ids, or "account/region/id" as documents have them
	// tag:KEY → values; all keys must match, of each any value; no value: the key is there
	Tags   map[string][]string
	Groups []string // names of resource groups
	All    bool     // every managed node
}

// Causes of errors.
var (
	ErrTemporary = errors.New("this may pass by itself")
	ErrDenied    = errors.New("the credentials do not allow this")
)
