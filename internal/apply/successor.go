package apply

import (
	"context"
	"slices"

	"dropcap"
)

// succeed tells the earlier changes of a container that it was made again, with another id: to be
// taken back, the one before has to know what stands in its place by now. The journal's entry of
// this change still has the former id, so that it is done again after a crash.
func (b *backing) succeed(ctx context.Context, w wanted, old *containerState) error {
	if old == nil || old.ID == w.first {
		return nil
	}
	all, err := b.Journal.Changes(ctx)
	if err != nil {
		return err
	}
	for _, earlier := range all {
		if earlier.ID == b.c.ID || !renew(&earlier, w.first, old.ID) {
			continue
		}
		if err := b.noteSuccessor(ctx, earlier); err != nil {
			return err
		}
	}
	return nil
}

func (b *backing) noteSuccessor(ctx context.Context, earlier dropcap.Change) error {
	const most = 3
	for i := 1; ; i++ {
		_, err := b.do(ctx, b.c, dropcap.Effect{Name: "note-successor",
			Says:   "write to the journal which container stands in its place",
			Action: &dropcap.Note{Change: earlier}})
		if err == nil || i == most {
			return err
		}
		b.sleep(ctx, b.poll())
	}
}

// renew puts another id in the place of that of a container which the change has made. It reports
// whether there is one.
func renew(c *dropcap.Change, was, is string) (found bool) {
	if c.After == was {
		c.After, found = is, true
	}
	others := slices.Clone(c.Others)
	for i := range others {
		if others[i].After == was {
			others[i].After, found = is, true
		}
	}
	c.Others = others
	return found
}
