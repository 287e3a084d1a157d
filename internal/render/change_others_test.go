package render

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// A change of several containers names all of them, and what they lost together.
func TestChangeOfSeveralContainers(t *testing.T) {
	holds := caps.Of(caps.NetRaw, caps.Chown)
	less := dropcap.Grant{Holds: caps.Of(caps.Chown)}
	c := dropcap.Change{
		ID: "0123456789ab", Name: "shop-web-1", State: dropcap.Applied,
		Was: dropcap.Grant{Holds: holds}, Is: less,
		Others: []dropcap.ChangedContainer{
			{Name: "shop-db-1", Was: dropcap.Grant{Holds: holds}},
			{Name: "shop-log\n1", Was: dropcap.Grant{Holds: holds}, Is: less},
		},
	}
	doc := dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{c}}
	for format, want := range map[string][]string{
		"table": {"shop-web-1, shop-db-1 and shop-log\\n1"},
		"timeline": {"of shop-web-1, shop-db-1 and shop-log\\n1",
			"shop-db-1, which dropped"},
		"json":                     {`"others"`, `"name": "shop-db-1"`, `"cap_add": []`},
		"{{.Others}} {{.Dropped}}": {"shop-db-1", "CHOWN", "NET_RAW"},
	} {
		var b strings.Builder
		if err := Changes(&b, format, doc, Options{Width: 200, NoTrunc: true}); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", format, w, b.String())
			}
		}
	}
}
