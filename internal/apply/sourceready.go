package apply

import (
	"context"
	"slices"

	"dropcap/internal/source"
)

// Ready asks compose what it would do now, before anything is begun. Some versions take a service
// for changed when the services that it depends on are not named with it: then these are named, as
// j.Source.Compose.Beside. The error is why it cannot be changed, a *source.Cannot that names a
// service where only that one is to blame.
func (r *Runner) Ready(ctx context.Context, j *Job, dependencies []source.Scale) error {
	c := r.begin(j)
	if _, err := (sourcing{r}).of(c); err != nil {
		return err
	}
	s := composing{Runner: r, from: j.Source.Compose}
	err := s.ready(ctx, c)
	if err == nil || len(dependencies) == 0 {
		return err
	}
	s.from.Beside = dependencies
	if s.ready(ctx, c) != nil {
		s.from.Beside = nil
		return err
	}
	return nil
}

func (s composing) ready(ctx context.Context, c *change) error {
	list, beside, imposter, err := s.listAll(ctx, c)
	if err != nil {
		return err
	}
	if imposter != "" {
		return source.Imposter(imposter)
	}
	result, err := s.do(ctx, c, s.rehearse("rehearse", false, s.looking(c)))
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return s.failed(c, "rehearse the change", result)
	}
	var names []string
	for _, m := range list {
		names = append(names, m.name())
	}
	err = source.Pending(output(result), append(slices.Clone(names), beside...))
	if err == nil {
		return nil
	}
	running := source.Running(output(result))
	for _, m := range list {
		if !slices.Contains(running, m.name()) {
			return s.cannot(c, source.Blame(err, m.of.Service))
		}
	}
	return s.cannot(c, err)
}
