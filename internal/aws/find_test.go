package aws_test

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

func hosts(nodes []dropcap.Node) []string {
	out := []string{}
	for _, n := range nodes {
		out = append(out, n.Host())
	}
	return out
}

func causes(failures []dropcap.HostFailure) []string {
	out := []string{}
	for _, f := range failures {
		out = append(out, f.Host+" "+f.Cause)
	}
	return out
}

func find(t *testing.T, c *aws.Client,
	want dropcap.Targets) ([]dropcap.Node, []dropcap.HostFailure) {
	t.Helper()
	nodes, failures, err := c.Find(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return nodes, failures
}

func TestAllNodesComeFromAllPagesSorted(t *testing.T) {
	double, c := open(t, aws.Options{})
	for k := 120; k > 0; k-- {
		double.Add(cloud.Node{ID: id(k)})
	}
	nodes, failures := find(t, c, dropcap.Targets{All: true})
	if len(nodes) != 120 || len(failures) != 0 || !slices.IsSorted(hosts(nodes)) {
		t.Errorf("%d nodes, sorted: %v, %v", len(nodes), slices.IsSorted(hosts(nodes)), failures)
	}
	if n := double.Calls()["ssm:DescribeInstanceInformation"]; n != 3 {
		t.Errorf("%d requests for 120 nodes, want 3", n)
	}
}

func TestANodeIsAsTheServiceSays(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Name: "web-1"})
	double.Add(cloud.Node{ID: two, Platform: "Windows"})
	double.Silence(cloud.DefaultAccount, east, two, true)
	nodes, _ := find(t, c, dropcap.Targets{All: true})
	if len(nodes) != 2 {
		t.Fatalf("%v", nodes)
	}
	a, b := nodes[0], nodes[1]
	if a.Name != "web-1" || a.Platform != "Linux" || a.PlatformName != "Debian GNU/Linux" ||
		a.PlatformVersion != "12" || a.Agent != "3.3.987.0" || !a.Online || a.Pinged.IsZero() {
		t.Errorf("%+v", a)
	}
	if b.Platform != "Windows" || b.Online {
		t.Errorf("%+v", b)
	}
}

func Test120NamedNodesAreAskedForInChunks(t *testing.T) {
	double, c := open(t, aws.Options{})
	var ids []string
	for k := range 120 {
		double.Add(cloud.Node{ID: id(k)})
		ids = append(ids, id(k))
	}
	nodes, failures := find(t, c, dropcap.Targets{Nodes: append(ids, id(500))})
	if len(nodes) != 120 || !slices.Equal(causes(failures),
		[]string{here.String() + "/" + id(500) + " unknown-node"}) {
		t.Errorf("%d nodes, %v", len(nodes), failures)
	}
	if n := double.Calls()["ssm:DescribeInstanceInformation"]; n != 3 {
		t.Errorf("%d requests for 121 ids, want 3", n)
	}
}

func TestSeveralTagsMustAllMatchAndAnyOfTheirValues(t *testing.T) {
	double, c := open(t, aws.Options{})
	for k, tags := range []map[string]string{{"role": "web", "env": "prod"},
		{"role": "db", "env": "prod"}, {"role": "web", "env": "test"},
		{"role": "mail", "env": "prod"}, {}} {
		double.Add(cloud.Node{ID: id(k), Tags: tags})
	}
	for _, tt := range []struct {
		tags map[string][]string
		want []int
	}{
		{map[string][]string{"role": {"web", "db"}, "env": {"prod"}}, []int{0, 1}},
		{map[string][]string{"role": {"web"}}, []int{0, 2}},
		{map[string][]string{"role": nil}, []int{0, 1, 2, 3}},
		{map[string][]string{"role": nil, "env": {"test"}}, []int{2}},
	} {
		nodes, failures := find(t, c, dropcap.Targets{Tags: tt.tags})
		want := []string{}
		for _, k := range tt.want {
			want = append(want, here.String()+"/"+id(k))
		}
		if !slices.Equal(hosts(nodes), want) || len(failures) != 0 {
			t.Errorf("%v: %v, %v", tt.tags, hosts(nodes), failures)
		}
	}
}

func TestATagThatMatchesNothingIsNamed(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Tags: map[string]string{"role": "web", "env": "test"}})
	double.Add(cloud.Node{ID: two, Tags: map[string]string{"role": "db", "env": "prod"}})
	for _, tt := range []struct {
		tags map[string][]string
		say  string
	}{
		{map[string][]string{"role": {"webb"}}, "the tag role=webb"},
		{map[string][]string{"role": {"web"}, "env": {"prod"}},
			"all of the tags env=prod, role=web"},
	} {
		nodes, failures := find(t, c, dropcap.Targets{Tags: tt.tags})
		if len(nodes) != 0 || !slices.Equal(causes(failures),
			[]string{here.String() + " no-nodes"}) || !strings.Contains(failures[0].Message,
			tt.say) || failures[0].Hint == "" {
			t.Errorf("%v: %v, %+v", tt.tags, nodes, failures)
		}
	}
}

func TestAGroupGivesItsMembersAndTellsWhichAreNoManagedNodes(t *testing.T) {
	double, c := open(t, aws.Options{})
	var ids []string
	for k := range 70 {
		double.Add(cloud.Node{ID: id(k)})
		ids = append(ids, id(k))
	}
	double.Group(cloud.DefaultAccount, east, "web", append(ids, id(99))...)
	nodes, failures := find(t, c, dropcap.Targets{Groups: []string{"web"}})
	if len(nodes) != 70 || !slices.Equal(causes(failures),
		[]string{here.String() + "/" + id(99) + " unknown-node"}) {
		t.Errorf("%d nodes, %v", len(nodes), failures)
	}
}

func TestAnUnknownGroupIsNamed(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one})
	nodes, failures := find(t, c, dropcap.Targets{Groups: []string{"none"}, Nodes: []string{one}})
	if len(nodes) != 1 || !slices.Equal(causes(failures), []string{here.String() + " no-nodes"}) ||
		!strings.Contains(failures[0].Message, "resource group none") {
		t.Errorf("%v, %+v", nodes, failures)
	}
}

func TestTargetsAreUnited(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: id(1), Tags: map[string]string{"role": "web"}})
	double.Add(cloud.Node{ID: id(2)})
	double.Add(cloud.Node{ID: id(3)})
	double.Add(cloud.Node{ID: id(4)})
	double.Group(cloud.DefaultAccount, east, "some", id(2), id(1))
	nodes, failures := find(t, c, dropcap.Targets{Nodes: []string{id(3)},
		Tags: map[string][]string{"role": {"web"}}, Groups: []string{"some"}})
	if len(nodes) != 3 || len(failures) != 0 {
		t.Errorf("%v, %v", hosts(nodes), failures)
	}
}

func TestTwoRegionsAndTwoAccounts(t *testing.T) {
	double, c := open(t, aws.Options{Regions: []string{west, east},
		Roles: []string{"arn:aws:iam::" + other + ":role/fleet", "arn:aws:iam::" +
			cloud.DefaultAccount + ":role/fleet"}})
	var want []string
	for k, p := range []dropcap.Place{{Account: cloud.DefaultAccount, Region: west},
		{Account: cloud.DefaultAccount, Region: east}, {Account: other, Region: west},
		{Account: other, Region: east}} {
		double.Add(cloud.Node{ID: id(k), Account: p.Account, Region: p.Region,
			Simulated: answers(p.String(), 0)})
		want = append(want, p.String()+"/"+id(k))
	}
	nodes, failures := find(t, c, dropcap.Targets{All: true})
	if !slices.Equal(hosts(nodes), want) || len(failures) != 0 {
		t.Errorf("%v, %v", hosts(nodes), failures)
	}
	if n := double.Calls()["sts:AssumeRole"]; n != 2 {
		t.Errorf("%d roles assumed, want 2", n)
	}
	last := nodes[3]
	cmd := script(last.ID)
	// as a resumed run knows it
	cmd.Place = dropcap.Place{Account: last.Account, Region: last.Region}
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(t.Context(), cmd, sent, last.ID); err != nil ||
		out.Stdout != last.Place.String() || last.Role != "arn:aws:iam::"+other+":role/fleet" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestABareIDIsLookedForInAllPlaces(t *testing.T) {
	double, c := open(t, aws.Options{Regions: []string{east, west}})
	double.Add(cloud.Node{ID: one, Region: west})
	nodes, failures := find(t, c, dropcap.Targets{Nodes: []string{one, two}})
	if !slices.Equal(hosts(nodes), []string{cloud.DefaultAccount + "/" + west + "/" + one}) ||
		!slices.Equal(causes(failures), []string{two + " unknown-node"}) {
		t.Errorf("%v, %+v", hosts(nodes), failures)
	}
}

func TestAFullIDIsLookedForInItsPlaceAlone(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Region: west})
	full := cloud.DefaultAccount + "/" + west + "/"
	nodes, failures := find(t, c, dropcap.Targets{Nodes: []string{full + one, full + two}})
	if !slices.Equal(hosts(nodes), []string{full + one}) || !slices.Equal(causes(failures),
		[]string{full + two + " unknown-node"}) {
		t.Errorf("%v, %+v", hosts(nodes), failures)
	}
	for _, call := range double.Log() {
		if call.API == "ssm:DescribeInstanceInformation" && call.Region != west {
			t.Errorf("%s was asked", call.Region)
		}
	}
}

func TestAPlaceThatCannotBeAskedIsAFailure(t *testing.T) {
	double, c := open(t, aws.Options{Regions: []string{east}})
	double.Add(cloud.Node{ID: one})
	nodes, failures := find(t, c,
		dropcap.Targets{All: true, Nodes: []string{other + "/" + east + "/" + two}})
	if len(nodes) != 1 || !slices.Equal(causes(failures),
		[]string{other + "/" + east + " unknown-account"}) || !strings.Contains(failures[0].Hint,
		"--role-arn") {
		t.Errorf("%v, %+v", nodes, failures)
	}
}

func TestIfNoPlaceCanBeAskedItIsAnError(t *testing.T) {
	double, c := open(t, aws.Options{Regions: []string{east, west}})
	double.Deny("ssm:DescribeInstanceInformation")
	_, _, err := c.Find(t.Context(), dropcap.Targets{All: true})
	checkError(t, err, "denied", dropcap.ErrDenied, "ssm:DescribeInstanceInformation",
		"docs/fleet-iam.md")
}

func TestARegionWithoutNodesIsTold(t *testing.T) {
	double, c := open(t, aws.Options{Regions: []string{east, west}})
	double.Add(cloud.Node{ID: one})
	_, failures := find(t, c, dropcap.Targets{All: true})
	if !slices.Equal(causes(failures), []string{cloud.DefaultAccount + "/" + west + " no-nodes"}) {
		t.Errorf("%+v", failures)
	}
}

func TestWhatIsNoIDIsRefused(t *testing.T) {
	_, c := open(t, aws.Options{})
	for _, bad := range []string{"web", "i-1", "i-0000000000000000g", other + "/" + one,
		other + "/nowhere/" + one, "1/" + east + "/" + one, one + "\n"} {
		_, _, err := c.Find(t.Context(), dropcap.Targets{Nodes: []string{bad}})
		if dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := c.Find(t.Context(), dropcap.Targets{}); dropcap.ExitOf(
		err) != dropcap.ExitUsage {
		t.Errorf("no targets: %v", err)
	}
}
