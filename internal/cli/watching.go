package cli

import "dropcap/internal/apply"

// watch watches for denied capability checks, where this host can.
func (a *app) watch(ch *changing, jobs []apply.Job, off bool) (apply.Watcher, func()) {
	return nil, func() {}
}
