package fleet

import (
	"slices"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// Warning is what hosts reported besides the document of a change, such as a container that they
// did not change.
type Warning struct {
	Text  string
	Hosts []string
}

// Warnings returns the warnings of a run's hosts, without duplicates, in the order of the hosts.
func Warnings(hosts []dropcap.FleetHost) []Warning {
	var list []Warning
	for _, h := range hosts {
		if h.Receipt == nil {
			continue
		}
		for _, text := range wire.Warnings(*h.Receipt) {
			text = printable.Line(text)
			at := slices.IndexFunc(list, func(w Warning) bool { return w.Text == text })
			if at < 0 {
				list, at = append(list, Warning{Text: text}), len(list)
			}
			if !slices.Contains(list[at].Hosts, h.Host) {
				list[at].Hosts = append(list[at].Hosts, h.Host)
			}
		}
	}
	return list
}
