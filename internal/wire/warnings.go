package wire

import (
	"strings"

	"dropcap"
)

// WarningPrefix begins a message that is a warning.
const WarningPrefix = "dropcap: warning: "

// Warnings returns a host's warnings. Hosts of older versions have them only among their messages.
func Warnings(r dropcap.Receipt) []string {
	if r.Warnings != nil {
		return r.Warnings
	}
	var list []string
	for _, m := range r.Messages {
		if text, ok := strings.CutPrefix(m, WarningPrefix); ok {
			list = append(list, text)
		}
	}
	return list
}
