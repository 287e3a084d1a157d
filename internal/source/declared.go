package source

import (
	"strings"

	"dropcap"
)

// Declared returns what the files of a project declare for a service, in their order. It is an
// error if they refer to others, or say it in a form that only compose can work out.
func Declared(files []File, service string) (d dropcap.Declared, err error) {
	p, err := open(files, []Wanted{{Service: service}}, false)
	if err != nil {
		return d, err
	}
	s := p.services[0]
	switch said := s.privileged(); said {
	case "", "false":
	case "true":
		d.Privileged = true
	default:
		return d, cannot("form", "its privileged is %q", said)
	}
	if d.Add, err = s.names(keyAdd); err != nil {
		return d, err
	}
	if d.Drop, err = s.names(keyDrop); err != nil {
		return d, err
	}
	for _, list := range [][]string{d.Add, d.Drop} {
		for _, name := range list {
			if strings.Contains(name, "$") {
				return d, cannot("form", "%s is a variable", name)
			}
		}
	}
	return d, nil
}
