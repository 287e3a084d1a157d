package host

import (
	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
	"dropcap/internal/source"
	"dropcap/internal/trust"
	"dropcap/internal/watch"
)

// beyondFiles returns what containers are granted and the compose files of their project do not
// grant. Files that somebody else than root or whoever runs this may write say nothing, and nor do
// those that only compose can work out. What containers reach of the host is not asked: whoever
// rewrites a file here can at most hide a difference, or show one that there is not.
func (w lookoutWorld) beyondFiles(snap dropcap.Snapshot) map[string]watch.FileExcess {
	found := map[string]watch.FileExcess{}
	if !w.engine.here().Engine {
		return found
	}
	var files *Trusting
	for _, c := range snap.Containers {
		if owner.Of(c.Owner.Kind).Source != owner.SourceCompose || c.Predicted == nil {
			continue
		}
		if files == nil {
			table, err := w.session.Kernel.MountTable(0)
			if err != nil {
				return found
			}
			files = &Trusting{table: table, rule: trust.Rule{Owners: owners()}}
		}
		if x, ok := beyondFile(files, snap.Host, c); ok {
			found[c.ID] = x
		}
	}
	return found
}

func beyondFile(files *Trusting, h dropcap.Host, c dropcap.Container) (watch.FileExcess, bool) {
	p, err := source.ReadProject(c.LabelValues)
	if err != nil || len(p.Files) == 0 {
		return watch.FileExcess{}, false
	}
	var list []source.File
	for _, path := range p.Files {
		text, err := files.Read(path)
		if err != nil {
			return watch.FileExcess{}, false
		}
		list = append(list, source.File{Path: path, Text: text})
	}
	declared, err := source.Declared(list, p.Service)
	if err != nil || h.Defaults == nil {
		return watch.FileExcess{}, false
	}
	grants := caps.Grants{Defaults: *h.Defaults}
	if h.Grantable != nil {
		grants.All = *h.Grantable
	}
	granted, err := grants.Predict(declared)
	if err != nil {
		return watch.FileExcess{}, false
	}
	return watch.FileExcess{Caps: c.Predicted.Minus(granted), File: p.Files[len(p.Files)-1]}, true
}
