package policy

import (
	"fmt"
	"strings"

	"dropcap/caps"
)

// suggest returns the hint for an unknown word: the nearest known one, or all of them if they are
// few.
func suggest(word, what string, known []string) string {
	near, _ := caps.NearestWord(word, known)
	switch {
	case near != "" && len(known) > 8:
		return fmt.Sprintf("did you mean %q?", near)
	case near != "":
		return fmt.Sprintf("did you mean %q? The %s are %s", near, what, strings.Join(known, ", "))
	case len(known) > 8:
		return fmt.Sprintf("capabilities(7) lists the %s, such as %s", what,
			strings.Join(known[:3], ", "))
	}
	return fmt.Sprintf("the %s are %s", what, strings.Join(known, ", "))
}
