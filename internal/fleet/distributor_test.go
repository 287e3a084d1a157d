package fleet

import (
	"strings"
	"testing"

	"dropcap"
)

func node(id string) dropcap.Node {
	return dropcap.Node{Place: dropcap.Place{Account: "111122223333", Region: "us-east-1"}, ID: id,
		Platform: "Linux", Online: true, Agent: "3.3.0.0"}
}

// What counts is what the node says of itself, whatever the service says of the command.
func TestTheNodeIsBelievedAndNotTheCommand(t *testing.T) {
	says := func(version string) dropcap.FleetHost {
		return dropcap.FleetHost{Receipt: &dropcap.Receipt{State: dropcap.ReceiptDone,
			Host: dropcap.ReceiptHost{Dropcap: version}}}
	}
	fails := func(cause string) dropcap.FleetHost {
		return dropcap.FleetHost{Failure: &dropcap.HostFailure{Cause: cause}}
	}
	for name, tt := range map[string]struct {
		action dropcap.PackageAction
		failed bool // the command
		host   dropcap.FleetHost
		cause  string // empty: good
	}{
		"installed": {dropcap.PackageAction{Version: "1.2_3"}, false,
			says("1.2+3"), ""},
		"installed, and the answer was lost": {dropcap.PackageAction{Version: "1.2"}, true,
			says("1.2"), ""},
		"it says so, and is not there": {dropcap.PackageAction{Version: "1.2"}, false,
			fails("not-installed"), "not-installed"},
		"it says so, and is another": {dropcap.PackageAction{Version: "1.2"}, false,
			says("1.1"), "version"},
		"whichever version, and it is there": {dropcap.PackageAction{}, false, says("1.1"), ""},
		"whichever, failed, an old one": {dropcap.PackageAction{}, true, says("1.0"),
			"command"},
		"failed": {dropcap.PackageAction{Version: "1.2"}, true,
			fails("not-installed"), "command"},
		"off": {dropcap.PackageAction{Uninstall: true}, false,
			fails("not-installed"), ""},
		"off, and the answer was lost": {dropcap.PackageAction{Uninstall: true}, true,
			fails("not-installed"), ""},
		"it says so, and answers": {dropcap.PackageAction{Uninstall: true}, false,
			says("1.2"), "version"},
		"refused": {dropcap.PackageAction{Uninstall: true}, true,
			says("1.2"), "command"},
		"it says so, and nobody knows": {dropcap.PackageAction{Uninstall: true}, false,
			fails("unanswered"), "unanswered"},
	} {
		r := &ScriptResult{Host: "h"}
		if tt.failed {
			r.fail("command", "the command failed", "")
		}
		Distributed{Scripted: Scripted{Package: tt.action}}.judge(r, tt.host)
		got := ""
		if r.Failure != nil {
			got = r.Failure.Cause
		}
		if got != tt.cause || (got == "") != strings.HasPrefix(r.Last(), "dropcap ") {
			t.Errorf("%s: %q, %q", name, got, r.Last())
		}
	}
}

// The agent's words are for its log: a person gets a cause, and nobody the signature of an address.
func TestWhyAnAgentDidNotInstall(t *testing.T) {
	s := Scripted{Package: dropcap.PackageAction{Name: "dropcap", Version: "1.2"}}
	for stderr, want := range map[string]string{
		"failed to find platform: no manifest found for platform: amazon, version 2, " +
			"architecture 386\n": "no-package the package dropcap has nothing for it: amazon, 386",
		"failed to download manifest - failed to retrieve package document: InvalidDocument: " +
			"Document with name dropcap does not exist.\n": "no-package there is no package " +
			"dropcap of version 1.2",
		"failed to download manifest - failed to retrieve package document: " +
			"AccessDeniedException: User is not authorized\n": "denied the node may not read the " +
			"package dropcap",
		"Error returned for GetManifest - AccessDeniedException: User is not authorized to " +
			"perform: ssm:GetManifest.\n": "denied the node may not read the package dropcap",
		"failed to download manifest - package document is not currently active, kindly retry\n": "no-package the package dropcap is not ready there yet",
		"failed to download installation package reliably, " +
			"https://b.s3.amazonaws.com/k?X-Amz-Signature=0f, AccessDenied\n": "package what the agent got of the package is not what its manifest says",
		"install errors: dropcap install: error: cannot use what was downloaded: it does not " +
			"run\nfailed to run commands: exit status 1": "error cannot use what was downloaded: " +
			"it does not run",
		"uninstall errors: dropcap uninstall: error: cannot uninstall: 1 changes are applied\n":  "error cannot uninstall: 1 changes are applied",
		"something else at https://b.s3.amazonaws.com/k?X-Amz-Signature=0f went wrong\x1b[31m\n": "error Distributor could not do it: something else at (an address) went wrong?[31m",
		"": "error Distributor could not do it: ",
	} {
		f := s.undone("h", stderr)
		if got := f.Cause + " " + f.Message; !strings.HasPrefix(got, want) ||
			strings.Contains(got, "Signature") {
			t.Errorf("%q: %q", stderr, got)
		}
	}
}

func TestAPackageGoesByDistributorsDocumentAndNothingElse(t *testing.T) {
	s := Scripted{Engine: &Engine{Transport: Transport{Bucket: "b", Prefix: "p"}},
		Package: dropcap.PackageAction{Name: "dropcap"}, Lines: []string{"true"}}
	list := s.Commands([]dropcap.Node{node("i-1"), node("i-2")})
	if len(list) != 1 || list[0].Document != PackageDocument || list[0].Package != s.Package ||
		list[0].Lines != nil || list[0].Bucket != "" || len(list[0].Nodes) != 2 {
		t.Errorf("%+v", list)
	}
	for name, good := range map[string]bool{"dropcap": true, "my.drop_cap-1": true,
		"arn:aws:ssm:us-east-1:111122223333:document/dropcap": true, "": false, "a b": false,
		"$(id)": false, "AWS-x": false, "amazonX": false, LookDocument: false,
		"arn:aws:s3:::b": false} {
		if err := CheckPackage(dropcap.PackageAction{Name: name}); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := CheckPackage(dropcap.PackageAction{Name: "dropcap",
		Version: "1.0 && id"}); err == nil {
		t.Error("a version with a shell's words is taken")
	}
}

func TestAgentsThatAreTooOldForDistributorAreNotAsked(t *testing.T) {
	for version, want := range map[string]bool{"2.3.273.0": true, "2.3.274.0": false,
		"2.4.0.0": false, "3.3.0.0": false, "2.0.357.0": true, "?": false} {
		if got := olderThan(version, 2, 3, 274); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}
