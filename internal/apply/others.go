package apply

import (
	"dropcap/internal/recreate"
)

// made are the ids of the containers that the change has made, or changed, as far as they are
// known.
func (c *change) made() []string {
	ids := []string{c.After}
	for _, o := range c.Others {
		if o.After != "" {
			ids = append(ids, o.After)
		}
	}
	return ids
}

// otherRecipes are of the further containers, for what texts must not say.
func (c *change) otherRecipes() (list []*recreate.Recipe) {
	o, err := c.original()
	if err != nil {
		return nil
	}
	for _, raw := range c.others {
		r, err := recreate.Read(recreate.Original{API: o.API, Engine: o.Engine, Version: o.Version,
			Inspect: raw})
		if err == nil {
			list = append(list, r)
		}
	}
	return list
}
