package docker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// The bounds of what skimming keeps. It skips longer values, so that no container can make the
// description of another one, or its own name, too long to read.
const (
	maxValue = 1 << 20 // a value
	mostKey  = 1 << 10
	mostDeep = 200
)

var (
	errNoJSON = errors.New("it is no JSON")
	errDeep   = errors.New("it is too deep")
)

// skimmer reads JSON as it arrives and keeps the values of a few keys. Its memory does not grow
// with what it skips. It leaves it to a decoder to judge what it keeps.
type skimmer struct {
	r    *bufio.Reader
	keep []string
}

func newSkimmer(r io.Reader, keep ...string) *skimmer {
	return &skimmer{r: bufio.NewReaderSize(r, 64<<10), keep: keep}
}

// list passes each object of a list to use: those kept members that are present and not too long.
func (s *skimmer) list(use func(map[string]json.RawMessage) error) error {
	c, err := s.next()
	if err == nil && c == 'n' { // null is an empty list
		word := &kept{most: 5}
		if err := s.value(c, word); err != nil || word.String() != "null" {
			return or(err, errNoJSON)
		}
		return s.end()
	}
	if err != nil || c != '[' {
		return or(err, errNoJSON)
	}
	if c, err = s.next(); err != nil {
		return err
	}
	for c != ']' {
		if c != '{' {
			return errNoJSON
		}
		members, err := s.members()
		if err != nil {
			return err
		}
		if err := use(members); err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		if c == ',' {
			if c, err = s.next(); err != nil || c == ']' {
				return or(err, errNoJSON)
			}
		} else if c != ']' {
			return errNoJSON
		}
	}
	return s.end()
}

// object returns the kept members of an object.
func (s *skimmer) object() (map[string]json.RawMessage, error) {
	c, err := s.next()
	if err != nil || c != '{' {
		return nil, or(err, errNoJSON)
	}
	members, err := s.members()
	if err != nil {
		return nil, err
	}
	return members, s.end()
}

// end expects the end of the input.
func (s *skimmer) end() error {
	if _, err := s.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		return or(err, errNoJSON)
	}
	return nil
}

// members reads an object after its opening brace.
func (s *skimmer) members() (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	c, err := s.next()
	for first := true; ; first = false {
		if err != nil {
			return nil, err
		}
		switch {
		case c == '}' && first:
			return out, nil
		case c == ',' && !first:
			c, err = s.next()
		case c == '}':
			return out, nil
		case !first:
			return nil, errNoJSON
		}
		if err != nil || c != '"' {
			return nil, or(err, errNoJSON)
		}
		if err := s.member(out); err != nil {
			return nil, err
		}
		c, err = s.next()
	}
}

// member reads one member whose key has begun.
func (s *skimmer) member(out map[string]json.RawMessage) error {
	key := &kept{most: mostKey}
	if err := s.text(key); err != nil {
		return err
	}
	if c, err := s.next(); err != nil || c != ':' {
		return or(err, errNoJSON)
	}
	var name string
	value := &kept{}
	if !key.full && json.Unmarshal(append([]byte{'"'}, key.Bytes()...), &name) == nil &&
		slices.Contains(s.keep, name) {
		value.most = maxValue
	}
	c, err := s.next()
	if err != nil {
		return err
	}
	if err := s.value(c, value); err != nil {
		return err
	}
	if value.most > 0 && !value.full {
		out[name] = value.Bytes()
	}
	return nil
}

// value reads a value that begins with c.
func (s *skimmer) value(c byte, to *kept) error {
	to.add(c)
	switch c {
	case '"':
		return s.text(to)
	case '{', '[':
		return s.nested(to)
	}
	for { // a number or a word
		next, err := s.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case bytes.IndexByte([]byte(",]} \t\r\n:\"{["), next) >= 0:
			return s.r.UnreadByte()
		}
		to.add(next)
	}
}

// nested reads up to the bracket that closes the one before. It does not check what stands between.
func (s *skimmer) nested(to *kept) error {
	for deep := 1; deep > 0; {
		c, err := s.next()
		if err != nil {
			return err
		}
		to.add(c)
		switch c {
		case '"':
			err = s.text(to)
		case '{', '[':
			deep++
		case '}', ']':
			deep--
		}
		if err != nil {
			return err
		}
		if deep > mostDeep {
			return errDeep
		}
	}
	return nil
}

// text reads a string after its opening quote, up to and with the closing one.
func (s *skimmer) text(to *kept) error {
	for escaped := false; ; {
		c, err := s.r.ReadByte()
		if err != nil {
			return cut(err)
		}
		to.add(c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		}
	}
}

// next returns the next byte that is not a space. The end is io.ErrUnexpectedEOF.
func (s *skimmer) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// kept is the kept part of a value, up to a length.
type kept struct {
	bytes.Buffer
	most int
	full bool
}

func (k *kept) add(c byte) {
	if k.Len() >= k.most {
		k.full = true
		return
	}
	k.WriteByte(c)
}

// bounded fails if more comes than its bound. It remembers how the connection failed, to
// distinguish that from malformed answers.
type bounded struct {
	r      io.Reader
	left   int64
	broken error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, tooLarge(maxSkimmed)
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken = err
	}
	return n, err
}
