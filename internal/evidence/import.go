package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"dropcap"
	"dropcap/internal/foreign"
)

// The limits of an imported document, far beyond any real one.
const (
	MostBytes     = 16 << 20
	MostWorkloads = 4096
	MostSources   = 1024 // of a workload
	MostNeeds     = 1024 // of a workload
	mostText      = 4096 // bytes of a path or sentence
	mostName      = 512  // bytes of a workload's or host's name
	mostSeconds   = 1 << 32
	mostStarts    = 1 << 20
)

// Import reads an evidence document of another host, or a file. It does not trust it: it bounds
// sizes, refuses malformed content, removes approvals (only an operator of this host can give
// them), and recomputes everything that follows from the needs.
func Import(data []byte) (dropcap.Evidence, error) {
	e, err := decode(data)
	if err == nil {
		err = Validate(e)
	}
	if err != nil {
		return dropcap.Evidence{}, dropcap.Errorf(dropcap.CodeError,
			"export it again with: dropcap evidence --format json", "cannot read evidence: %w", err)
	}
	for i, w := range e.Workloads {
		t := newTally()
		for _, n := range w.Needs {
			n.Approved, n.Because, n.TryBecause = false, plain(n.Because), plain(n.TryBecause)
			n.Flagged, n.Exec = n.Flagged || suspects(n.By), n.Exec || execs(n.By, w.Sources)
			t.add(n)
		}
		for j, s := range w.Sources {
			w.Sources[j].FilesUnseen, w.Sources[j].CallsUnseen = plain(s.FilesUnseen),
				plain(s.CallsUnseen)
		}
		w.Needs = t.needs(0)
		for j, n := range w.Needs {
			w.Needs[j].Sources = min(n.Sources, w.Recordings())
		}
		e.Workloads[i] = Conclude(w)
	}
	return e, nil
}

func decode(data []byte) (dropcap.Evidence, error) {
	if len(data) > MostBytes {
		return dropcap.Evidence{}, fmt.Errorf("it has %d bytes, and %d are the most", len(data),
			MostBytes)
	}
	var e dropcap.Evidence
	if err := foreign.Weigh(data, &e); err != nil {
		return e, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&e); err != nil {
		return e, errors.New(plain(clip(err.Error()))) // it may quote its input
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("something follows the document")
	}
	return e, nil
}

// suspects reports whether none of the named programs is the image's. A document's own flag is not
// believed.
func suspects(by []dropcap.By) bool {
	return len(by) > 0 && !slices.ContainsFunc(by, func(b dropcap.By) bool {
		return b.ExeFrom == "" || !dropcap.Suspect(b.ExeFrom)
	})
}

// execs reports whether only docker exec is named, and no source says that it belongs to the
// workload.
func execs(by []dropcap.By, sources []dropcap.Source) bool {
	own := slices.ContainsFunc(sources, func(s dropcap.Source) bool { return s.Execs })
	return !own && len(by) > 0 && !slices.ContainsFunc(by, func(b dropcap.By) bool {
		return b.Phase != dropcap.PhaseExec
	})
}

// Validate checks that a document is well formed. The error names the position.
func Validate(e dropcap.Evidence) error {
	if e.Schema != dropcap.SchemaEvidence {
		return fmt.Errorf("its schema is %q, not %q", clip(e.Schema), dropcap.SchemaEvidence)
	}
	if len(e.Workloads) > MostWorkloads {
		return fmt.Errorf("it has %d workloads, and %d are the most", len(e.Workloads),
			MostWorkloads)
	}
	for i, w := range e.Workloads {
		if err := validateWorkload(w); err != nil {
			return fmt.Errorf("workloads[%d]: %w", i, err)
		}
	}
	return nil
}

func validateWorkload(w dropcap.WorkloadEvidence) error {
	switch {
	case w.Workload == "" || !nameLike(w.Workload):
		return fmt.Errorf("workload: %q is no name", clip(w.Workload))
	case !digest(w.Revision):
		return fmt.Errorf("revision: %q is not sha256: and 64 hex digits", clip(w.Revision))
	case w.ImageID != "" && !digest(w.ImageID) && !hexDigits(w.ImageID):
		// Podman prints it without the prefix
		return fmt.Errorf("image_id: %q is not 64 hex digits", clip(w.ImageID))
	case len(w.Sources) == 0 || len(w.Sources) > MostSources:
		return fmt.Errorf("sources: there are %d; there must be 1 to %d", len(w.Sources),
			MostSources)
	case len(w.Needs) > MostNeeds:
		return fmt.Errorf("needs: there are %d, and %d are the most", len(w.Needs), MostNeeds)
	}
	for i, s := range w.Sources {
		if err := validateSource(s); err != nil {
			return fmt.Errorf("sources[%d]: %w", i, err)
		}
	}
	for i, n := range w.Needs {
		if err := validateNeed(n); err != nil {
			return fmt.Errorf("needs[%d]: %w", i, err)
		}
	}
	if len(w.Tried) > MostTried {
		return fmt.Errorf("tried: there are %d, and %d are the most", len(w.Tried), MostTried)
	}
	for i, t := range w.Tried {
		if err := validateTried(t); err != nil {
			return fmt.Errorf("tried[%d]: %w", i, err)
		}
	}
	return nil
}

func validateSource(s dropcap.Source) error {
	switch {
	case !nameLike(s.Host.ID):
		return fmt.Errorf("host: %q is no name", clip(s.Host.ID))
	case !hexDigits(s.Container):
		return fmt.Errorf("container: %q is not 64 hex digits", clip(s.Container))
	case s.Seconds < 0 || s.Seconds > mostSeconds:
		return fmt.Errorf("seconds: %d", s.Seconds)
	case min(s.StartsCold, s.StartsWarm, s.Stops) < 0 || max(s.StartsCold, s.StartsWarm,
		s.Stops) > mostStarts, s.Summed < 0 || s.Summed > mostStarts:
		return errors.New("starts, stops or summed: not a sensible number")
	case s.Trial != "" && !trialID(s.Trial):
		return fmt.Errorf("trial: %q is not 12 hex digits", clip(s.Trial))
	case len(s.FilesUnseen) > mostText || len(s.CallsUnseen) > mostText:
		return errors.New("files_unseen or calls_unseen: too long")
	}
	for _, at := range []string{s.Since, s.Until} {
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			return fmt.Errorf("since or until: %q is no time", clip(at))
		}
	}
	return nil
}

func validateNeed(n dropcap.Need) error {
	switch {
	case n.Outcome != dropcap.Granted && n.Outcome != dropcap.Denied:
		return fmt.Errorf("outcome: %q", clip(n.Outcome))
	case rank(n.Class) < 0:
		return fmt.Errorf("class: %q is not known", clip(string(n.Class)))
	case n.Trial && n.Outcome != dropcap.Denied || n.Harmless && !n.Trial:
		return errors.New("trial or harmless: only of what a trial denied")
	case !n.Or.Empty() && n.Class != dropcap.Alternative:
		return fmt.Errorf("or: only for class %s", dropcap.Alternative)
	case n.Sources < 0 || len(n.By) > MostBy+1 || len(n.Because) > mostText ||
		len(n.TryBecause) > mostText:
		return errors.New("sources, by or because: too long, or not a sensible number")
	}
	for _, at := range []string{n.First, n.Last} {
		if _, err := time.Parse(time.RFC3339, at); err != nil && at != "" {
			return fmt.Errorf("first or last: %q is no time", clip(at))
		}
	}
	for _, b := range n.By {
		if err := validateBy(b); err != nil {
			return fmt.Errorf("by: %w", err)
		}
	}
	return nil
}

var (
	origins = []string{"", dropcap.FromImage, dropcap.FromVolume, dropcap.FromWritten,
		dropcap.FromMemory, dropcap.FromUnknown}
	phases = []string{"", dropcap.PhaseStart, dropcap.PhaseRun, dropcap.PhaseReload,
		dropcap.PhaseStop, dropcap.PhaseHealth, dropcap.PhaseExec}
)

func validateBy(b dropcap.By) error {
	switch {
	case !slices.Contains(origins, b.ExeFrom):
		return fmt.Errorf("exe_from: %q is not known", clip(b.ExeFrom))
	case !slices.Contains(phases, b.Phase):
		return fmt.Errorf("phase: %q is not known", clip(b.Phase))
	case len(b.Exe) > mostText:
		return errors.New("exe: too long")
	case !symbol(b.Syscall) || !symbol(b.Site):
		return fmt.Errorf("syscall or site: %q or %q is no function of a kernel", clip(b.Syscall),
			clip(b.Site))
	}
	return nil
}

// symbol reports whether s may name a function, or is empty for unknown.
func symbol(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '.' && (r > unicode.MaxASCII ||
			!unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// nameLike reports whether s may name a workload or a host: one printable line.
func nameLike(s string) bool {
	return len(s) <= mostName && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
}

func digest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && hexDigits(hex)
}

func hexDigits(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// plain makes a foreign sentence one line of printable characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// clip shortens a wrong value to fit into an error's line.
func clip(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
