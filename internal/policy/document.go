package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// maxDepth limits nesting; a policy needs 4.
const maxDepth = 16

// document returns the root of the only YAML document in data, as nodes without anchors, aliases
// and tags; nil after a problem.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > MaxSize {
		r.problems.add(1, 1, "split it, or select by patterns",
			"the file has %d bytes, and %d is the most", len(data), MaxSize)
		return nil
	}
	if line, column, what := unreadable(data); what != "" {
		r.problems.add(line, column, "write it as UTF-8 text", "%s", what)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		r.syntax(err)
		return nil
	}
	root := r.next(loader)
	if len(r.problems.List) > 0 {
		return nil
	}
	if root == nil {
		// perhaps cut off, so not a statement of intent
		r.problems.add(1, 1, "write at least level: cis", "the file is empty")
		return nil
	}
	more := r.next(loader)
	if more != nil {
		r.bad(more, "keep one and remove the other", "a second document begins here")
	}
	if len(r.problems.List) > 0 {
		return nil
	}
	return root
}

// next loads a document and returns its root; nil at the end and after a problem.
func (r *reader) next(loader *yaml.Loader) *yaml.Node {
	var n yaml.Node
	switch err := loader.Load(&n); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	case len(n.Content) == 0:
		return nil
	}
	return n.Content[0]
}

// syntax records the YAML parser's error in our form.
func (r *reader) syntax(err error) {
	const hint = "check the indentation, the quotes and the brackets at this place"
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.problems.add(1, 1, hint, "not YAML: %v", err)
		return
	}
	what := e.Message
	if e.ContextMsg != "" {
		what += " " + e.ContextMsg
	}
	r.problems.add(e.Mark.Line, e.Mark.Column, hint, "not YAML: %s", what)
}

// unreadable finds the first character that is not text. YAML allows more control characters, but
// none is useful in a terminal, and the parser reports no position for those that it refuses.
func unreadable(data []byte) (line, column int, what string) {
	line, column = 1, 1
	text := strings.TrimPrefix(string(data), "\ufeff")
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return line, column, fmt.Sprintf("byte %#02x is not UTF-8", text[i])
		case c < ' ' && c != '\t' && c != '\n' && c != '\r', c >= 0x7f && c <= 0x9f && c != 0x85:
			return line, column, fmt.Sprintf("control character %U", c)
		case c == '\n':
			line, column = line+1, 1
		default:
			column++
		}
		i += size
	}
	return line, column, ""
}
