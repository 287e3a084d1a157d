package flag

import "testing"

func TestSizesAreReadAsDockerReadsThem(t *testing.T) {
	for text, want := range map[string]size{
		"1": 1, "1024": 1 << 10, "512MiB": 512 << 20, "2g": 2 << 30, "2GB": 2 << 30,
		"1.5 TiB": 3 << 39, "7k": 7 << 10, "20 B": 20,
		"": 0, "0": 0, "-1": 0, "x": 0, "1x": 0, "GiB": 0, "NaN": 0, "Inf": 0, "1e300": 0,
		"9999999999TiB": 0, "0.1": 0, "i": 0,
	} {
		var s size
		err := s.Set(text)
		if s != want || (err == nil) != (want > 0) {
			t.Errorf("%q is read as %d, %v", text, s, err)
		}
		var again size
		if want > 0 && (again.Set(s.String()) != nil || again != s) {
			t.Errorf("%d is written as %s", s, s.String())
		}
	}
}
