package aws

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"dropcap"
)

// PrintAWS returns the AWS CLI command that does the same as Send, on one line, for a POSIX shell.
func PrintAWS(n dropcap.NodeCommand) string {
	words := []string{"aws", "ssm", "send-command"}
	option := func(name, value string) { words = append(words, name, value) }
	option("--region", plain(n.Place.Region))
	option("--document-name", double(n.Document))
	option("--targets", double("Key=instanceIds,Values="+strings.Join(n.Nodes, ",")))
	option("--parameters", single(cliParameters(parameters(n))))
	if n.Comment != "" {
		option("--comment", single(n.Comment))
	}
	option("--timeout-seconds", plain(seconds(n.Delivery)))
	option("--max-concurrency", everyNode)
	option("--max-errors", everyNode)
	if n.Bucket != "" {
		option("--output-s3-bucket-name", plain(n.Bucket))
	}
	if n.Prefix != "" {
		option("--output-s3-key-prefix", plain(n.Prefix))
	}
	return strings.Join(words, " ")
}

// cliParameters returns commands=["…"], as people write it, or JSON if that short form, which knows
// only the escapes \" and \\, would change the value.
func cliParameters(given map[string][]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		text, short := jsonOf(given[name]), true
		for _, v := range given[name] {
			short = short && !strings.ContainsFunc(v, func(r rune) bool {
				return r < ' ' || r > '~' || r == '\\'
			})
		}
		if !short {
			return jsonOf(given)
		}
		parts = append(parts, name+"="+text)
	}
	return strings.Join(parts, ",")
}

// jsonOf writes <, > and & as they are.
func jsonOf(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts: cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

var (
	harmless = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)
	quotable = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,= -]*$`)
)

func plain(s string) string {
	if harmless.MatchString(s) {
		return s
	}
	return single(s)
}

func double(s string) string {
	if quotable.MatchString(s) {
		return `"` + s + `"`
	}
	return single(s)
}

func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
