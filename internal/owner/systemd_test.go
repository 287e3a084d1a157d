package owner

import (
	"slices"
	"strings"
	"testing"
)

func TestOnlyAStartOfThisContainerCounts(t *testing.T) {
	id := "0123456789ab" + strings.Repeat("c", 52)
	for command, want := range map[string]bool{
		"/usr/bin/docker start -a web":                        true,
		"/usr/bin/docker start 0123456789ab":                  true,
		"/usr/bin/docker start 0123":                          false,
		"/usr/bin/docker run --name='web' x":                  true,
		`/usr/bin/docker --log-level info run "--name" web x`: true,
		"/usr/bin/docker run --name web-2 x":                  false,
		"/usr/bin/docker compose up":                          false,
		"/usr/bin/docker logs -f web":                         false,
	} {
		if got := Starts(command, "web", id); got != want {
			t.Errorf("%s: %t", command, got)
		}
	}
}

func TestOnlyWhoMayDecideHasAUnit(t *testing.T) {
	const user = "/user.slice/user-1000.slice/user@1000.service"
	box := "/system.slice/docker-" + strings.Repeat("a", 64) + ".scope"
	placed := func(unit string) bool { return unit == "web.service" || unit == "web@1.service" }
	for _, c := range []struct {
		name    string
		program string
		uid     int
		cgroup  string
		engine  int
		unit    string
		user    bool
	}{
		{"root's", "/usr/bin/docker", 0, "/system.slice/web.service", 0, "web.service", false},
		{"root's, in a slice of its own", "/usr/bin/docker", 0,
			"/system.slice/system-web.slice/web@1.service", 0, "web@1.service", false},
		{"root's, on a host with a rootless engine", "/usr/bin/docker", 0,
			"/system.slice/web.service", 1000, "web.service", false},
		{"nobody has placed it", "/usr/bin/docker", 0, "/system.slice/evil.service", 0, "", false},
		{"another user's process", "/usr/bin/docker", 1000, "/system.slice/web.service", 0, "",
			false},
		{"of nobody knows whom", "/usr/bin/docker", -1, "/system.slice/web.service", 0, "", false},
		{"a program that calls itself so", "/usr/bin/python3", 0, "/system.slice/web.service", 0,
			"", false},
		{"a program that may not be seen", "", 0, "/system.slice/web.service", 0, "", false},
		{"a user's own manager", "/usr/bin/docker", 1000, user + "/app.slice/web.service", 0, "",
			false},
		{"root's process in a user's manager", "/usr/bin/docker", 0,
			user + "/app.slice/web.service", 0, "", false},
		{"a user's slice", "/usr/bin/docker", 0, "/user.slice/web.service", 0, "", false},
		{"in a container", "/usr/bin/docker", 0, box + "/system.slice/web.service", 0, "", false},
		{"below a service", "/usr/bin/docker", 0, "/system.slice/other.service/web.service", 0, "",
			false},
		{"below its service", "/usr/bin/docker", 0, "/system.slice/web.service/below", 0, "",
			false},
		{"no name", "/usr/bin/docker", 0, "/system.slice/.service", 0, "", false},
		{"who runs the engine", "/usr/bin/docker", 1000, user + "/app.slice/web.service", 1000,
			"web.service", true},
		{"another's rootless engine", "/usr/bin/docker", 1001, strings.ReplaceAll(user, "1000",
			"1001") + "/app.slice/web.service", 1000, "", false},
		{"who runs the engine, in another's manager", "/usr/bin/docker", 1000,
			strings.ReplaceAll(user, "1000", "1001") + "/web.service", 1000, "", false},
	} {
		unit, user, ok := UnitOf(Client{UID: c.uid, Program: c.program,
			Cgroups: []string{"/", c.cgroup}}, c.engine, placed)
		if unit != c.unit || user != c.user || ok != (c.unit != "") {
			t.Errorf("%s: got %q, %t, %t", c.name, unit, user, ok)
		}
	}
}

func TestAUnitsCommandsAreRead(t *testing.T) {
	text := "[Service]\nExecStartPre=-/usr/bin/docker rm web\nExecStart=@/usr/bin/docker run " +
		"--rm \\\n  --name=%N-%i nginx\nExecStart=/usr/bin/dockerd\nExecStop=/usr/bin/docker " +
		"stop x\n"
	if got := ExecStarts(text, "web@1.service"); !slices.Equal(got,
		[]string{"@/usr/bin/docker run --rm    --name=web@1-1 nginx"}) {
		t.Errorf("got %q", got)
	}
	if got := Files("web@1.service"); !slices.Equal(got,
		[]string{"web@1.service", "web@.service"}) {
		t.Errorf("got %q", got)
	}
}
