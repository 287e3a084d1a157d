package evidence

import (
	"strings"
	"testing"

	"dropcap"
)

func TestWhatIsLackingToBeSure(t *testing.T) {
	whole := dropcap.Source{Seconds: HighSeconds, StartsWarm: 1, Stops: 1}
	for name, c := range map[string]struct {
		change        func(*dropcap.Source)
		restart, time bool
		other         string
	}{
		"nothing but the first start": {func(*dropcap.Source) {}, false, false, ""},
		"no stop":                     {func(s *dropcap.Source) { s.Stops = 0 }, true, false, ""},
		"no later start": {func(s *dropcap.Source) { s.StartsCold, s.StartsWarm = 1, 0 }, true,
			false, ""},
		"no time": {func(s *dropcap.Source) { s.Seconds = 5 }, false, true, ""},
		"lost":    {func(s *dropcap.Source) { s.Lost = 3 }, false, false, "lose no check"},
		"blind": {func(s *dropcap.Source) { s.LossUnknown = true }, false, false,
			"counts what it loses"},
		"files": {func(s *dropcap.Source) { s.FilesUnseen = "too large" }, false, false,
			"too large"},
	} {
		src := whole
		c.change(&src)
		s := Support{Evidence: dropcap.WorkloadEvidence{Sources: []dropcap.Source{src}},
			Exact: true, Level: dropcap.ConfidenceLow}
		l := s.Lacks()
		if l.Restart != c.restart || l.Time != c.time || (len(l.Other) == 0) != (c.other == "") ||
			!strings.Contains(l.String(), c.other) {
			t.Errorf("%s: %+v", name, l)
		}
		if s.Sure() != (name == "nothing but the first start") {
			t.Errorf("%s: sure %v", name, s.Sure())
		}
	}
	if s := (Support{Level: dropcap.ConfidenceHigh}); !s.Sure() {
		t.Error("high confidence is not sure")
	}
}
