package fleet

import (
	_ "embed"
	"strings"

	"dropcap"
	"dropcap/internal/wire"
)

// The names of dropcap's own SSM documents. Who may send only the first cannot change a container.
const (
	LookDocument   = wire.LookDocument
	ChangeDocument = wire.ChangeDocument
	ShellDocument  = "AWS-RunShellScript"
	// PackageDocument is Distributor's: it installs packages of the account.
	PackageDocument = "AWS-ConfigureAWSPackage"
)

// Document is an SSM document.
type Document struct {
	Name    string
	Content string // JSON, of schema 2.2 for a Command document, 0.3 for an Automation runbook
}

//go:embed documents/look.json
var look string

//go:embed documents/change.json
var change string

// Documents returns the documents that an account needs.
func Documents() []Document { return []Document{{LookDocument, look}, {ChangeDocument, change}} }

var (
	//go:embed documents/console-audit.json
	consoleAudit string
	//go:embed documents/console-plan.json
	consolePlan string
	//go:embed documents/console-status.json
	consoleStatus string
	//go:embed documents/console-apply.json
	consoleApply string
	//go:embed documents/console-backout.json
	consoleBackout string
	//go:embed documents/console-control.json
	consoleControl string
	//go:embed documents/console-control-backout.json
	consoleControlBackout string
)

// ConsoleDocuments returns the documents that a person runs from a form of AWS's console, those
// that change nothing first. The last two are Automation runbooks, which send the others.
func ConsoleDocuments() []Document {
	return []Document{
		{"dropcap-audit", consoleAudit},
		{"dropcap-plan", consolePlan},
		{"dropcap-status", consoleStatus},
		{"dropcap-apply", consoleApply},
		{"dropcap-backout", consoleBackout},
		{"dropcap-control", consoleControl},
		{"dropcap-control-backout", consoleControlBackout},
	}
}

// Script returns the lines that the documents run, for AWS-RunShellScript.
func Script(c dropcap.NodeCommand) ([]string, error) {
	if err := wire.Check(c); err != nil {
		return nil, err
	}
	words := append([]string{"dropcap", "node", c.Verb, "--request=" + c.Request}, c.Args...)
	return []string{
		"command -v dropcap >/dev/null 2>&1 || PATH=$PATH:/usr/local/bin:/usr/bin; " +
			"command -v dropcap >/dev/null 2>&1 || { echo 'dropcap: not installed: run dropcap " +
			"fleet install' >&2; exit 127; }",
		"set -f",
		strings.Join(words, " "),
	}, nil
}
