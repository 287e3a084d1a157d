package fleet

import (
	"context"
	"strings"

	"dropcap"
)

// FindRun returns a run by its id or a prefix of at least four digits; verb is its required verb,
// empty: any.
func FindRun(ctx context.Context, l Ledger, id,
	verb string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	runs, err := l.Runs(ctx)
	if err != nil {
		return dropcap.FleetRun{}, nil, err
	}
	var found []dropcap.FleetRun
	for _, r := range runs {
		if r.ID == id || len(id) >= 4 && strings.HasPrefix(r.ID, id) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return dropcap.FleetRun{}, nil, dropcap.Errorf(dropcap.CodeError,
			"`dropcap fleet runs` lists them", "cannot find a run %q", id)
	case len(found) > 1:
		return dropcap.FleetRun{}, nil, usage("give more of its digits",
			"cannot tell which run %q is: %d begin so", id, len(found))
	case verb != "" && found[0].Verb != verb:
		return dropcap.FleetRun{}, nil, usage("make one with `dropcap fleet "+verb+
			"`; `dropcap fleet runs` lists those there are",
			"cannot use run %s: it is one of %s, not of %s", found[0].ID, found[0].Verb, verb)
	}
	return l.Run(ctx, found[0].ID)
}
