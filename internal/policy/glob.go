package policy

import (
	"errors"
	"unicode/utf8"
)

// The patterns are those of path.Match, except that "*" also matches "/", which is common in images
// and workloads: with path.Match's own "*", registry/*/app would silently miss what its writer
// meant.

var (
	errClass  = errors.New("a [ without an end or with a bad range")
	errEscape = errors.New("nothing after \\")
	errUTF8   = errors.New("not UTF-8")
)

// element is one part of a pattern: a star, or something that matches one character.
type element struct {
	star  bool
	match func(rune) bool
}

// compile compiles a pattern; the error says what is wrong with it.
func compile(pattern string) ([]element, error) {
	if !utf8.ValidString(pattern) {
		return nil, errUTF8
	}
	var list []element
	for rest := []rune(pattern); len(rest) > 0; {
		var e element
		var err error
		switch rest[0] {
		case '*':
			e, rest = element{star: true}, rest[1:]
		case '?':
			e, rest = element{match: func(c rune) bool { return c != '/' }}, rest[1:]
		case '[':
			e.match, rest, err = class(rest[1:])
		default:
			var c rune
			c, rest, err = literal(rest)
			e.match = func(d rune) bool { return c == d }
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// class reads what stands between [ and ]: ranges, with ^ in front to negate them.
func class(rest []rune) (func(rune) bool, []rune, error) {
	type span struct{ low, high rune }
	var spans []span
	not := len(rest) > 0 && rest[0] == '^'
	if not {
		rest = rest[1:]
	}
	for {
		if len(rest) > 0 && rest[0] == ']' && len(spans) > 0 {
			break
		}
		var s span
		var err error
		if s.low, rest, err = member(rest); err != nil {
			return nil, nil, err
		}
		s.high = s.low
		if len(rest) > 0 && rest[0] == '-' {
			if s.high, rest, err = member(rest[1:]); err != nil {
				return nil, nil, err
			}
		}
		if s.high < s.low {
			// path.Match accepts it and matches nothing, which nobody wants
			return nil, nil, errClass
		}
		spans = append(spans, s)
	}
	match := func(c rune) bool {
		for _, s := range spans {
			if s.low <= c && c <= s.high {
				return !not
			}
		}
		return not
	}
	return match, rest[1:], nil
}

// member reads one character of a class.
func member(rest []rune) (rune, []rune, error) {
	if len(rest) == 0 || rest[0] == '-' || rest[0] == ']' {
		return 0, nil, errClass
	}
	return literal(rest)
}

// literal reads one character, possibly after a backslash.
func literal(rest []rune) (rune, []rune, error) {
	if rest[0] != '\\' {
		return rest[0], rest[1:], nil
	}
	if len(rest) == 1 {
		return 0, nil, errEscape
	}
	return rest[1], rest[2:], nil
}

// matches reports whether the pattern matches all of s. A bad pattern matches nothing. Only the
// last star is ever tried again, so the time is at most the product of both lengths, whatever an
// image's name.
func matches(pattern, s string) bool {
	list, err := compile(pattern)
	if err != nil {
		return false
	}
	text := []rune(s)
	at, i := 0, 0
	star, resume := -1, 0
	for i < len(text) {
		switch {
		case at < len(list) && list[at].star:
			star, resume = at, i
			at++
		case at < len(list) && list[at].match(text[i]):
			at++
			i++
		case star >= 0:
			resume++
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(list) && list[at].star {
		at++
	}
	return at == len(list)
}
