package fake

import (
	"slices"

	"dropcap/caps"
)

// asPodman applies to a container what Podman does at creation (4.3, as observed by the conformance
// suite): it keeps only what it will grant, and derives a declaration from the difference to
// Docker's defaults, whatever its own defaults and the request. It leaves what it cannot parse.
func (e *Engine) asPodman(c *Container) {
	defaults, err := caps.ParseAll(e.options.Defaults)
	if err != nil || c.Bounding != nil {
		return
	}
	h := &c.HostConfig
	set, err := caps.Grants{Defaults: defaults, All: caps.UpTo(caps.Last)}.Predict(
		caps.Declared{Privileged: h.Privileged, Add: h.CapAdd, Drop: h.CapDrop})
	if err != nil {
		return
	}
	c.Bounding = set.Names()
	if !h.Privileged {
		h.CapAdd, h.CapDrop = short(set.Minus(caps.DockerDefaults)),
			short(caps.DockerDefaults.Minus(set))
	}
}

func short(s caps.Set) []string {
	out := []string{}
	for _, c := range s.List() {
		out = append(out, c.Short())
	}
	slices.Sort(out)
	return out
}
