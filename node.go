package dropcap

import (
	"errors"
	"strings"
	"time"
)

// Place is one region of one account, reached with one set of credentials.
type Place struct {
	Account, Region string
	Role            string // ARN of the role assumed to reach it; empty if none
}

// String is "account/region".
func (p Place) String() string { return p.Account + "/" + p.Region }

// Partition returns the ARN partition of the place's region (the SDK's partitions.json).
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

// Node is a managed node as Systems Manager describes it.
type Node struct {
	Place
	ID              string // i-… or mi-…
	Name            string // ComputerName, as the node reports it
	Platform        string // Linux, Windows, MacOS
	PlatformName    string
	PlatformVersion string
	Agent           string // version of the agent
	Online          bool
	Pinged          time.Time
}

// Host returns "account/region/node", as in FleetHost.
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
	Lines         []string      // the lines of a script, for AWS-RunShellScript
	Package       PackageAction // for AWS-ConfigureAWSPackage
	Comment       string        // at most 100 characters
	Delivery      time.Duration // how long a node may take to fetch it; 30 s to 30 days
	Execution     time.Duration // how long it may run before the agent kills it; 5 s to 48 h
	Bucket        string        // for complete outputs; empty: only what Run Command keeps
	Prefix        string
}

// PackageAction is what Distributor shall do with a package. Its fields have fixed forms, and none
// of them reaches a shell.
type PackageAction struct {
	Uninstall    bool   // else: install
	Name         string // of the package's document, or its ARN where another account shares it
	Version      string // of the package; empty: the default version, or the installed one
	Purge, Force bool   // of an uninstall, as of UninstallLines
}

// Package is a Distributor package of dropcap.
type Package struct {
	Version  string            // of the package: letters, digits and . _ -
	Manifest string            // JSON, schema 2.0
	Files    map[string][]byte // zip files, by their names in the manifest
}

// Invocation is the status of a command on one node, as the service reports it. It only hints when
// to ask for the receipt; it decides nothing.
type Invocation struct {
	Node string
	// StatusDetails: Pending, InProgress, Delayed, Success, DeliveryTimedOut, ExecutionTimedOut,
	// Failed, Cancelled, Undeliverable, Terminated, …
	Status string
}

// Over reports whether the service expects nothing more from the node.
func (i Invocation) Over() bool {
	switch i.Status {
	case "", "Pending", "InProgress", "Delayed", "Cancelling":
		return false
	}
	return true
}

// NodeOutput is what a node printed.
type NodeOutput struct {
	Stdout, Stderr string // no more than Run Command keeps, unless they come from a bucket
	Exit           int    // -1 if it did not finish
	Status         string // StatusDetails
	// Kept is the number of leading bytes of Stdout that Run Command itself kept, if the rest comes
	// from a bucket; 0: all of them. Refused says why the bucket's object was not used.
	Kept    int
	Refused string
}

// Targets selects nodes.
type Targets struct {
	Nodes []string // ids, or "account/region/id" as in documents
	// tag:KEY → values; all keys must match, each with any of its values; no value: the key exists
	Tags   map[string][]string
	Groups []string // names of resource groups
	All    bool     // every managed node
}

// Causes of errors.
var (
	ErrTemporary = errors.New("this may pass by itself")
	ErrDenied    = errors.New("the credentials do not allow this")
)
