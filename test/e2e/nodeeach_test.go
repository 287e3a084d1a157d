package e2e_test

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
)

// One word names the requests of many nodes, and each node has its own.
func TestANodeNamesItsOwnRequest(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	p, _ := onNode(t, e)
	own := dropcap.RequestOf(requestID(1), "i-0123456789abcdef0")
	for _, args := range [][]string{
		{"audit", "--request=" + requestID(1), "--each"}, {"receipt", "--of=" + requestID(1),
			"--each"}, {"receipt", "--of=" + own},
	} {
		if r := p.node(t, args...); r.Request != own || r.State != dropcap.ReceiptDone ||
			r.Host.Node != "i-0123456789abcdef0" || r.Verb != "audit" {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := p.node(t, "receipt", "--of="+requestID(1)); r.State != dropcap.ReceiptAbsent {
		t.Errorf("under the common name: %+v", r)
	}
	other := p.with("AWS_SSM_INSTANCE_ID=mi-0123456789abcdef0")
	if r := other.node(t, "receipt", "--of="+requestID(1),
		"--each"); r.State != dropcap.ReceiptAbsent || r.Request == own {
		t.Errorf("another node: %+v", r)
	}
	r := p.node(t, "backout", "--request="+requestID(2), "--of="+requestID(1), "--each")
	if want := "--of=" + own; r.Status != 0 || strings.Join(r.Args, " ") != want {
		t.Errorf("%+v, want %s", r, want)
	}
	p.with("AWS_SSM_INSTANCE_ID=").run(t, "node", "audit", "--request="+requestID(3), "--each").
		wantError(t, dropcap.ExitHost,
			"cannot tell which node this is: AWS_SSM_INSTANCE_ID is not set")
}
