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

// Document is an SSM Command document.
type Document struct {
	Name    string
	Content string // JSON, schema 2.2
}

//go:embed documents/look.json
var look string

//go:embed documents/change.json
var change string

// Documents returns the documents that an account needs.
func Documents() []Document { return []Document{{LookDocument, look}, {ChangeDocument, change}} }

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
