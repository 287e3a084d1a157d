package fleet

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dropcap"
)

// The names of dropcap's own SSM documents. One who may send the first only cannot change a
// container.
const (
	LookDocument   = "dropcap-look"
	ChangeDocument = "dropcap-change"
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

// Documents are those that an account has to have.
func Documents() []Document { return []Document{{LookDocument, look}, {ChangeDocument, change}} }

// DocumentFor names the document that does a verb; empty if none does.
func DocumentFor(verb string) string {
	switch verb {
	case "hello", "audit", "plan", "evidence", "history", "receipt":
		return LookDocument
	case "apply", "backout", "learn", "receive", "recover":
		return ChangeDocument
	}
	return ""
}

var (
	requestForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
	wordForm    = regexp.MustCompile(`^--[a-z]{1,12}(=[A-Za-z0-9_.,:/@=+%-]*)?$`)
)

// Check tells whether a command's verb, request and arguments are of the form that the documents
// let pass.
func Check(c dropcap.NodeCommand) error {
	switch {
	case DocumentFor(c.Verb) == "":
		return fmt.Errorf("cannot send %q: there is no such verb", c.Verb)
	case !requestForm.MatchString(c.Request):
		return fmt.Errorf("cannot send the request %q: it is not 32 hexadecimal digits", c.Request)
	}
	if at := slices.IndexFunc(c.Args, func(word string) bool {
		return !wordForm.MatchString(word)
	}); at >= 0 {
		return fmt.Errorf("cannot send the argument %q: it is not of the form --name=value, or "+
			"has characters that a shell could take for its own", c.Args[at])
	}
	return nil
}

// Script gives what the documents run as the lines of a script, for AWS-RunShellScript.
func Script(c dropcap.NodeCommand) ([]string, error) {
	if err := Check(c); err != nil {
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
