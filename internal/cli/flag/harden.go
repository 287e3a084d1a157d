package flag

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"dropcap"
)

// span is a flag's duration in seconds, which may have days: "7d".
type span struct{ seconds *int64 }

var _ pflag.Value = span{}

// Set reads it.
func (s span) Set(text string) error {
	d, err := dropcap.ParseSpan(text)
	if err == nil {
		*s.seconds = int64(d / time.Second)
	}
	return err
}

// String writes it as it may be read.
func (s span) String() string {
	if s.seconds == nil || *s.seconds == 0 {
		return "0"
	}
	if days := *s.seconds / 86400; days*86400 == *s.seconds && days > 1 {
		return strconv.FormatInt(days, 10) + "d"
	}
	return (time.Duration(*s.seconds) * time.Second).String()
}

// Type is what the help calls it.
func (span) Type() string { return "duration" }

// Harden has the flags that say how to harden.
type Harden struct {
	Settings dropcap.HardenSettings

	level, accept string
}

// Register adds the flags.
func (f *Harden) Register(fl *pflag.FlagSet) {
	f.Settings = dropcap.UsualHardening()
	s := &f.Settings
	fl.Var(span{&s.Learn}, "learn", "how long to learn what each needs")
	fl.Var(span{&s.Trial}, "trial",
		"how long to try without what is to be dropped; 0 for no trial")
	fl.Var(span{&s.Watch}, "watch", "how long to watch after the change")
	fl.StringVar(&s.Window, "window", "",
		"when containers may be restarted and changed, in this host's time (default: at any time)")
	fl.StringVar(&f.level, "level", string(s.Level), "how much to drop: cis or least")
	fl.BoolVar(&s.Approve, "approve", false,
		"wait before each change for `dropcap harden approve`")
	fl.BoolVar(&s.AddBack, "add-back", false,
		"change again what was backed out for want of a capability, and keep that one")
	fl.StringVar(&f.accept, "accept", "",
		"low: take what was learned meanwhile as enough, whatever its confidence")
}

// Check reads the flags before anything is asked.
func (f *Harden) Check() error {
	f.Settings.Level = dropcap.Level(f.level)
	switch {
	case f.Settings.Level != dropcap.LevelCIS && f.Settings.Level != dropcap.LevelLeast:
		return dropcap.Errorf(dropcap.CodeUsage, "cis or least", "cannot harden to the level %q",
			f.level)
	case f.accept != "" && f.accept != "low":
		return dropcap.Errorf(dropcap.CodeUsage, "for example --accept low",
			"cannot accept confidence %q", f.accept)
	}
	f.Settings.AcceptLow = f.accept == "low"
	_, err := dropcap.ParseWindow(f.Settings.Window)
	return err
}
