package fleet

import "dropcap"

func worse(b, a dropcap.Audit) string       { return "" }
func Script(c dropcap.NodeCommand) []string { return nil }
func DocumentFor(verb string) string        { return "dropcap-" + verb }
