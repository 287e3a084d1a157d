package render

import (
	"dropcap"
	"dropcap/caps"
)

// style is a terminal's emphasis: the parameters of SGR, a sequence of ECMA-48.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	strong style = "1;31"
	green  style = "32"
	yellow style = "33"
)

func (s style) paint(text string, color bool) string {
	if !color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func verdictStyle(v dropcap.Verdict) style {
	switch v {
	case dropcap.Pass:
		return green
	case dropcap.Fail:
		return strong
	case dropcap.Unknown, dropcap.Mitigated:
		return yellow
	default:
		return dim
	}
}

func severityStyle(s caps.Severity) style {
	switch s {
	case caps.Critical:
		return strong
	case caps.High:
		return red
	case caps.Medium:
		return yellow
	default:
		return dim
	}
}
