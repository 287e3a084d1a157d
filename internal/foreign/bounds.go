package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Limits of the memory that an untrusted document may need when decoded, besides its own bytes. An
// audit of twenty thousand containers, 40 MiB of JSON, needs about as much again.
const (
	MaxDecoded = 2 * MaxDocument // bytes of values
	maxDepth   = 64              // of nested values; dropcap's documents have fifteen
	maxText    = 4 << 20         // bytes of one string
	// weight in bytes of a value that is not decoded: it is only written again
	passedOver = 8
)

// ErrTooMuch is the cause of an error about a document that would need too much memory.
var ErrTooMuch = errors.New("there is too much in it")

// Decode is json.Unmarshal for untrusted input: first it estimates the memory that the document
// would need, without allocating it. Sixteen megabytes of "{}" are gigabytes of containers.
func Decode(document []byte, into any) error {
	if err := Weigh(document, into); err != nil {
		return err
	}
	return json.Unmarshal(document, into)
}

// Weigh returns ErrTooMuch if a document needs too much memory to be decoded into v, a pointer, or
// to be kept and written again.
func Weigh(document []byte, into any) error {
	s := &weigher{text: document, left: MaxDecoded}
	s.value(shapeOf(reflect.TypeOf(into)), 0)
	s.weigh(s.passing)
	switch {
	case s.why != "":
		return fmt.Errorf("%w: %s", ErrTooMuch, s.why)
	case s.odd && json.Valid(document):
		return errors.New("it is not written as JSON usually is")
	}
	return nil
}

// weigher estimates the memory of a document by the type that it is decoded into. It accepts
// invalid JSON, which json.Unmarshal rejects before it allocates anything.
type weigher struct {
	text []byte
	at   int
	left int // bytes that may still be allocated
	// passing is the most that was allocated only temporarily.
	passing int
	odd     bool
	why     string // why it is too much
}

func (s *weigher) weigh(n int) {
	if s.left -= n; s.left < 0 {
		s.stop(fmt.Sprintf("more values than fit into %d MiB", MaxDecoded>>20))
	}
}

func (s *weigher) stop(why string) {
	if s.why == "" {
		s.why = why
	}
}

func (s *weigher) broken() { s.odd = true }
func (s *weigher) done() bool {
	return s.odd || s.why != ""
}

// next returns the next byte that is no space, without consuming it; 0 at the end.
func (s *weigher) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// value weighs one value of this shape; nil: it is skipped and not decoded.
func (s *weigher) value(t *shape, depth int) {
	if depth > maxDepth {
		s.stop(fmt.Sprintf("values nested more than %d deep", maxDepth))
	}
	if s.done() {
		return
	}
	begin, c := s.next(), s.at
	for t != nil && t.pointer && begin != 'n' {
		s.weigh(t.elem.size)
		t = t.elem
	}
	if t == nil {
		s.weigh(passedOver)
	}
	left := s.left
	s.inside(begin, t, depth)
	switch {
	case t == nil || !t.own || s.done():
	case t.raw:
		s.weigh(rounded(s.at - c))
	default: // what it allocates on the way is free before the next one does
		s.passing, s.left = max(s.passing, left-s.left), left
	}
}

// inside weighs the contents of a value.
func (s *weigher) inside(begin byte, t *shape, depth int) {
	inner := t
	switch {
	case t == nil || !t.own:
	case t.raw:
		inner = nil
	default:
		inner = anything
	}
	switch begin {
	case '{':
		s.object(inner, depth)
	case '[':
		s.list(inner, depth)
	case '"':
		n := len(s.word())
		if n > maxText {
			s.stop(fmt.Sprintf("a text of more than %d MiB", maxText>>20))
		}
		if inner != nil && n > 0 {
			s.weigh(rounded(n))
		}
	case 0:
		s.broken()
	default:
		s.scalar()
	}
}

// rounded returns the allocator's size class of a small size.
func rounded(n int) int { return (n + 15) &^ 15 }

// scalar skips a number, true, false or null.
func (s *weigher) scalar() {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(",]} \t\r\n", s.text[s.at]) < 0 {
		s.at++
	}
	if s.at == from {
		s.broken()
	}
}

// word skips a string, and returns what is between its quotes.
func (s *weigher) word() []byte {
	s.at++
	from := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.text[from : s.at-1]
		}
		s.at++
	}
	s.broken()
	return nil
}

// after skips a comma, or the end of a list or an object, and reports whether more follows.
func (s *weigher) after(end byte) bool {
	switch s.next() {
	case ',':
		s.at++
		return true
	case end:
		s.at++
	default:
		s.broken()
	}
	return false
}

func (s *weigher) list(t *shape, depth int) {
	s.at++
	if s.next() == ']' {
		s.at++
		return
	}
	var elem *shape
	each := 0
	switch {
	case t == nil:
	case t.any:
		elem, each = anything, 2*t.size
	case t.elem != nil && !t.byKey:
		elem, each = t.elem, 2*t.elem.size // a growing list exists twice
	}
	for {
		s.weigh(each)
		s.value(elem, depth+1)
		if s.done() || !s.after(']') {
			return
		}
	}
}

func (s *weigher) object(t *shape, depth int) {
	s.at++
	if s.next() == '}' {
		s.at++
		return
	}
	for {
		if s.next() != '"' {
			s.broken()
			return
		}
		key := s.word()
		if s.done() || s.next() != ':' {
			s.broken()
			return
		}
		s.at++
		s.value(s.member(t, key), depth+1)
		if s.done() || !s.after('}') {
			return
		}
	}
}

// member returns the shape of the value of a key, and weighs the key if it is kept.
func (s *weigher) member(t *shape, key []byte) *shape {
	switch {
	case t == nil:
		return nil
	case t.any:
		s.weigh(rounded(len(key)) + 4*(16+t.size))
		return anything
	case t.byKey:
		s.weigh(rounded(len(key)) + 4*(16+t.elem.size)) // a map is at least a quarter full
		return t.elem
	}
	if f, ok := t.fields[string(key)]; ok {
		return f
	}
	name := string(key)
	if strings.IndexByte(name, '\\') >= 0 && json.Unmarshal([]byte(`"`+name+`"`), &name) != nil {
		s.broken()
		return nil
	}
	if f, ok := t.fields[name]; ok {
		return f
	}
	return t.folded[folded(name)]
}

// folded returns a name with its case folded as encoding/json compares names: ſ is s, and K
// (Kelvin) is k.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// shape is what a type's weight depends on.
type shape struct {
	size    int
	pointer bool // to elem
	byKey   bool // a map of elem by texts
	any     bool // whatever there is
	own     bool // it decodes itself
	raw     bool // and keeps the bytes
	elem    *shape
	fields  map[string]*shape
	folded  map[string]*shape
}

var (
	anything   = &shape{size: 16, any: true}
	shapesLock sync.Mutex
	shapes     = map[reflect.Type]*shape{}
	selfMade   = reflect.TypeFor[json.Unmarshaler]()
	rawMessage = reflect.TypeFor[json.RawMessage]()
)

func shapeOf(t reflect.Type) *shape {
	shapesLock.Lock()
	defer shapesLock.Unlock()
	return measure(t)
}

func measure(t reflect.Type) *shape {
	if s, ok := shapes[t]; ok {
		return s
	}
	s := &shape{size: int(t.Size())}
	shapes[t] = s // before its parts: a type may contain itself
	switch {
	case t == rawMessage:
		s.own, s.raw = true, true
	case t.Kind() == reflect.Pointer:
		s.pointer, s.elem = true, measure(t.Elem())
	case reflect.PointerTo(t).Implements(selfMade):
		s.own = true
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		s.elem = measure(t.Elem())
	case t.Kind() == reflect.Map:
		s.byKey, s.elem = true, measure(t.Elem())
	case t.Kind() == reflect.Interface:
		s.any = true
	case t.Kind() == reflect.Struct:
		s.fields, s.folded = map[string]*shape{}, map[string]*shape{}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" || name == "-" || !f.IsExported() {
				continue
			}
			if name == "" {
				name = f.Name
			}
			s.fields[name] = measure(f.Type)
			s.folded[folded(name)] = s.fields[name]
		}
	}
	return s
}
