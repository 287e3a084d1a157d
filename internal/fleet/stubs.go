package fleet

import "dropcap"

func Script(c dropcap.NodeCommand) []string { return nil }
func DocumentFor(verb string) string        { return "dropcap-" + verb }
