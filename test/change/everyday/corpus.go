// Package everyday is a corpus of containers and Compose projects as people have them, and what it
// takes to lead a host full of them from its first audit to the least set and back, by the plain
// commands that a person would type. Tests hold what must come out; the bench prints the yield.
package everyday

import (
	_ "embed"
	"fmt"
	"path"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	//go:embed containers.txt
	containersText string
	//go:embed projects.txtar
	projectsText []byte
)

// Container is one that docker run makes.
type Container struct {
	Name  string
	Run   string // what docker run is given after its name, as a shell reads it
	Check string // a shell command that must succeed in it
	// Refused is why it is left alone; empty if it is changed.
	Refused string
	Short   bool // part of make test
}

// After reports whether it can be made only when others run: it uses their namespaces, volumes or
// names.
func (c Container) After() bool {
	for _, flag := range []string{" container:", "--volumes-from ", "--link "} {
		if strings.Contains(" "+c.Run, flag) {
			return true
		}
	}
	return false
}

// Project is a folder that docker compose brings up.
type Project struct {
	Name   string
	Files  map[string]string // path below the folder → content
	Up     []string          // options before "up"
	Checks map[string]string // service → a shell command that must succeed in its containers
	// Refused is why a service is left alone; services that are changed are not in it.
	Refused map[string]string
	Gone    bool // the folder is taken away once the project runs
	Short   bool
}

// Containers returns the corpus's containers, or those that make test runs.
func Containers(all bool) ([]Container, error) {
	var out []Container
	for n, line := range strings.Split(containersText, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		c := Container{Short: line[0] == '+'}
		fields := strings.Split(strings.TrimPrefix(line, "+"), "  |  ")
		if len(fields) < 3 || len(fields) > 4 {
			return nil, fmt.Errorf("containers.txt:%d: %d fields", n+1, len(fields))
		}
		c.Name, c.Run, c.Check = fields[0], fields[1], fields[2]
		if len(fields) == 4 {
			c.Refused = fields[3]
		}
		if all || c.Short {
			out = append(out, c)
		}
	}
	return out, nil
}

// Projects returns the corpus's projects, or those that make test runs.
func Projects(all bool) ([]Project, error) {
	var list []*Project
	for _, f := range txtar.Parse(projectsText).Files {
		name, file, found := strings.Cut(f.Name, "/")
		if !found || path.Clean(f.Name) != f.Name {
			return nil, fmt.Errorf("projects.txtar: %s is in no project", f.Name)
		}
		if len(list) == 0 || list[len(list)-1].Name != name {
			list = append(list, &Project{Name: name, Files: map[string]string{},
				Checks: map[string]string{}, Refused: map[string]string{}})
		}
		p := list[len(list)-1]
		p.Files[file] = string(f.Data)
		if file == "compose.yaml" {
			if err := p.read(string(f.Data)); err != nil {
				return nil, err
			}
		}
	}
	var out []Project
	for _, p := range list {
		if all || p.Short {
			out = append(out, *p)
		}
	}
	return out, nil
}

// read takes what the comments of a compose.yaml say.
func (p *Project) read(text string) error {
	for line := range strings.Lines(text) {
		comment, found := strings.CutPrefix(strings.TrimSpace(line), "# ")
		if !found {
			continue
		}
		word, rest, _ := strings.Cut(comment, " ")
		switch word {
		case "up":
			p.Up = strings.Fields(rest)
		case "check":
			service, check, _ := strings.Cut(rest, " ")
			p.Checks[service] = check
		case "refused":
			service, why, _ := strings.Cut(rest, " ")
			p.Refused[service] = why
		case "gone":
			p.Gone = true
		case "short":
			p.Short = true
		default:
			return fmt.Errorf("projects.txtar: %s: cannot read %q", p.Name, comment)
		}
	}
	return nil
}
