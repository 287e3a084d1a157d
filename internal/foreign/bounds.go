package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Limits of what a document of a stranger may become in memory, besides its own bytes. That of
// twenty thousand containers, 40 MiB as JSON, becomes about as much.
const (
	MostDecoded = 2 * MostDocument // bytes of values
	mostDepth   = 64               // of values within values; ours have fifteen
	mostText    = 4 << 20          // bytes of one string
	// bytes that a value weighs of which nothing is made: it is written again
	passedOver = 8
)

// ErrTooMuch is the cause of an error about a document that would become too much.
var ErrTooMuch = errors.New("there is too much in it")

// Decode is json.Unmarshal for what a stranger wrote: it first weighs, without making any of it,
// what the document would become. Sixteen megabytes of "{}" are gigabytes of containers.
func Decode(document []byte, into any) error {
	if err := Weigh(document, into); err != nil {
		return err
	}
	return json.Unmarshal(document, into)
}

// Weigh returns ErrTooMuch if a document would become more than it may where it is decoded into
// something of this type, or where it is only kept and written again: a pointer to either.
func Weigh(document []byte, into any) error {
	s := &scale{text: document, left: MostDecoded}
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

// scale weighs a document by the type that it is decoded into. What is no JSON is odd: that is for
// json.Unmarshal to say, which makes nothing before it has seen that it is.
type scale struct {
	text []byte
	at   int
	left int // bytes that may still be made
	// passing is the most that was made only to be thrown away.
	passing int
	odd     bool
	why     string // why it is too much
}

func (s *scale) weigh(n int) {
	if s.left -= n; s.left < 0 {
		s.stop(fmt.Sprintf("more values than fit into %d MiB", MostDecoded>>20))
	}
}

func (s *scale) stop(why string) {
	if s.why == "" {
		s.why = why
	}
}

func (s *scale) broken() { s.odd = true }
func (s *scale) done() bool {
	return s.odd || s.why != ""
}

// next returns the next byte that is no space, without taking it; 0 at the end.
func (s *scale) next() byte {
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

// value weighs one value that becomes a thing of this shape; nil: it is passed over, and made
// nothing of.
func (s *scale) value(t *shape, depth int) {
	if depth > mostDepth {
		s.stop(fmt.Sprintf("values nested more than %d deep", mostDepth))
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
	default: // what it makes on the way is gone when the next one does
		s.passing, s.left = max(s.passing, left-s.left), left
	}
}

// inside weighs what is in a value.
func (s *scale) inside(begin byte, t *shape, depth int) {
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
		if n > mostText {
			s.stop(fmt.Sprintf("a text of more than %d MiB", mostText>>20))
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

// rounded is what the allocator makes of a small size.
func rounded(n int) int { return (n + 15) &^ 15 }

// scalar passes a number, true, false or null.
func (s *scale) scalar() {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(",]} \t\r\n", s.text[s.at]) < 0 {
		s.at++
	}
	if s.at == from {
		s.broken()
	}
}

// word passes a string, and returns what stands between its quotes.
func (s *scale) word() []byte {
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

// after passes a comma, or the end of a list or an object, and reports whether more comes.
func (s *scale) after(end byte) bool {
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

func (s *scale) list(t *shape, depth int) {
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
		elem, each = t.elem, 2*t.elem.size // a list that grows is there twice
	}
	for {
		s.weigh(each)
		s.value(elem, depth+1)
		if s.done() || !s.after(']') {
			return
		}
	}
}

func (s *scale) object(t *shape, depth int) {
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

// member is the shape of what stands at a key, and weighs the key where it is kept.
func (s *scale) member(t *shape, key []byte) *shape {
	switch {
	case t == nil:
		return nil
	case t.any:
		s.weigh(rounded(len(key)) + 4*(16+t.size))
		return anything
	case t.byKey:
		s.weigh(rounded(len(key)) + 4*(16+t.elem.size)) // a map is at least a fourth full
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

// folded is a name without regard to case, as encoding/json compares names: ſ is s, and K (Kelvin)
// is k.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// shape is a type as far as its weight goes.
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
	shapes[t] = s // before its parts: a type may have itself in it
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
