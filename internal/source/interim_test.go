package source

import (
	"strings"
	"testing"
)

// Only a name that compose itself put there until it would be done is taken off.
func TestInterimIsToldFromNamesThatLookSo(t *testing.T) {
	id := "d45ade2f6e24" + strings.Repeat("0", 52)
	for _, c := range []struct{ name, replaces, final string }{
		{"d45ade2f6e24_shop-web-1", id, "shop-web-1"},      // 2.26
		{"d45ade2f6e24_shop-web-1", "web-1", "shop-web-1"}, // 5
		// --compatibility
		{"d45ade2f6e24_shop_web_1", "web_1", "shop_web_1"},
		// container_name: web
		{"d45ade2f6e24_web", "web", "web"},
		// container_name: 0123456789ab_web
		{"d45ade2f6e24_0123456789ab_web", "0123456789ab_web", "0123456789ab_web"},
		// the same, at its end
		{"0123456789ab_web", "0123456789ab_web", ""},
		// the same, made by 2.26
		{"0123456789ab_web", id, ""},
		// never made in the place of another
		{"0123456789ab_shop-web-1", "", ""},
		{"shop-web-1", "web-1", ""},              //
		{"d45ade2f6e24_", "", ""},                //
		{"D45ADE2F6E24_shop-web-1", "web-1", ""}, //
		// somebody else's
		{"d45ade2f6e24_other", "web-1", ""},
	} {
		final, before, ok := Interim(c.name, c.replaces)
		if final != c.final || ok != (c.final != "") || ok && before != c.name[:12] {
			t.Errorf("Interim(%q, %.20q): %q %q %v, want %q", c.name, c.replaces, final, before, ok,
				c.final)
		}
	}
}
