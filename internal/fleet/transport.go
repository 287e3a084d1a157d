package fleet

import (
	"dropcap"
	"dropcap/internal/wire"
)

// fill sets the document of a command.
func (t Transport) fill(c dropcap.NodeCommand) (dropcap.NodeCommand, error) {
	if err := wire.Check(c); err != nil {
		return c, err
	}
	if t.Shell {
		lines, err := Script(c)
		c.Document, c.Lines = ShellDocument, lines
		return c, err
	}
	verb, _ := wire.Lookup(c.Verb)
	c.Document = verb.Documents[0]
	return c, nil
}
