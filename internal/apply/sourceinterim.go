package apply

import (
	"context"
	"strings"

	"dropcap"
	"dropcap/internal/source"
)

// Compose builds the successor under an interim name, stops and removes the old one, and gives the
// successor its name. Ended in between (it ends when dropcap is killed and its output goes
// nowhere), it leaves both, or a successor without its name; at its next run it keeps either of the
// two, and takes the name as it is.

// sweepInterim removes successors that have never run and whose predecessor is still there. Their
// volumes are the predecessor's.
func (s composing) sweepInterim(ctx context.Context, c *change) error {
	list, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	for _, m := range list {
		_, predecessor, ok := source.Interim(m.name(), m.believed[source.ReplaceLabel])
		if !ok || !has(list, predecessor) {
			continue
		}
		now, err := s.look(ctx, c, "inspect-interim", m.ID)
		if err != nil {
			return err
		}
		if now == nil || now.began() {
			continue
		}
		if _, err := s.do(ctx, c, remove("remove-interim", "remove the unfinished "+m.name(),
			m.ID)); err != nil {
			return err
		}
	}
	return nil
}

func has(list []serviceMember, idPrefix string) bool {
	for _, m := range list {
		if strings.HasPrefix(m.ID, idPrefix) {
			return true
		}
	}
	return false
}

// finalNames returns the containers the names that compose would have given them.
func (s composing) finalNames(ctx context.Context, c *change, list []serviceMember) error {
	for i, m := range list {
		final, _, ok := source.Interim(m.name(), m.believed[source.ReplaceLabel])
		if !ok {
			continue
		}
		if _, err := s.do(ctx, c, rename("rename-made", m.ID, final)); err != nil {
			return dropcap.Errorf(dropcap.CodeError, "", "cannot give %s its name: %w", final, err)
		}
		list[i].Names = []string{"/" + final}
	}
	return nil
}
