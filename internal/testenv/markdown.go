package testenv

import "strings"

// WrapMarkdown wraps paragraphs and list items at 100 columns, for documents that tests write.
// Tables, headings and comments stay as they are.
func WrapMarkdown(text string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(text, "\n\n") {
		if out.Len() > 0 {
			out.WriteString("\n\n")
		}
		if strings.HasPrefix(block, "|") || strings.HasPrefix(block, "#") ||
			strings.HasPrefix(block, "<") {
			out.WriteString(block)
			continue
		}
		out.WriteString(wrapBlock(strings.TrimRight(block, "\n")))
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func wrapBlock(block string) string {
	var lines []string
	column := 0
	for line := range strings.SplitSeq(block, "\n") {
		item := strings.HasPrefix(line, "- ")
		hang := ""
		if item || strings.HasPrefix(line, "  ") {
			hang = "  "
		}
		for i, word := range strings.Fields(line) {
			n := len([]rune(word))
			switch {
			case len(lines) == 0 || item && i == 0:
				lines, column = append(lines, word), n
			case column+1+n > 100:
				lines, column = append(lines, hang+word), len(hang)+n
			default:
				lines[len(lines)-1] += " " + word
				column += 1 + n
			}
		}
	}
	return strings.Join(lines, "\n")
}
