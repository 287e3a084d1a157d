package host

import (
	"testing"
)

func TestAPIVersionsAreCompared(t *testing.T) {
	for pair, want := range map[[2]string]bool{{"1.52", "1.51"}: true, {"1.51", "1.51"}: false,
		{"1.9", "1.51"}: false, {"2.0", "1.51"}: true, {"x", "1.51"}: false} {
		if newer(pair[0], pair[1]) != want {
			t.Errorf("%q", pair)
		}
	}
}
