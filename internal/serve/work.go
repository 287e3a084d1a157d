package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

// work is what this server changes: one thing at a time, and the last ones.
type work struct {
	live *live
	wg   sync.WaitGroup

	mu     sync.Mutex
	ending bool
	number int
	jobs   []*job // the newest last
}

const mostJobs = 20

// job is one request that changes something. Its fields are read under the lock of its work.
type job struct {
	Number  int
	What    string // "Change web"
	Names   string // of the containers
	Began   time.Time
	Ended   time.Time
	Stopped bool // a person wants it back
	Changes []dropcap.Change
	Err     *dropcap.Error
	Left    bool // something was not done
	Warned  []string

	cancel context.CancelFunc
}

// Running reports whether the job is under way.
func (j job) Running() bool { return j.Number > 0 && j.Ended.IsZero() }

// Outcome is how it ended, in a word that is also a class of the style.
func (j job) Outcome() string {
	switch {
	case j.Running():
		return "running"
	case j.Err == nil && j.Left:
		return "incomplete"
	case j.Err == nil:
		return "done"
	case j.Err.Code == dropcap.CodeRolledBack:
		return "rolled-back"
	case j.Err.Code == dropcap.CodePerson:
		return "needs-person"
	case j.Err.Code == dropcap.CodeInterrupt:
		return "stopped"
	}
	return "failed"
}

var errBusy = errors.New("a change is under way")

// begin starts something that changes containers, unless something else is under way here.
func (k *work) begin(what, names string,
	do func(context.Context, host.Observer) (host.Changed, error)) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.jobs); k.ending || n > 0 && k.jobs[n-1].Running() {
		return 0, errBusy
	}
	// The request that began it ends at once; the change goes on when its page is closed.
	ctx, cancel := context.WithCancel(context.Background())
	k.number++
	j := &job{Number: k.number, What: what, Names: names, Began: time.Now(), cancel: cancel}
	if k.jobs = append(k.jobs, j); len(k.jobs) > mostJobs {
		k.jobs = k.jobs[1:]
	}
	k.wg.Go(func() {
		defer cancel()
		r, err := do(ctx, &reporter{work: k, job: j})
		k.finish(j, r, err)
	})
	return j.Number, nil
}

func (k *work) finish(j *job, r host.Changed, err error) {
	k.mu.Lock()
	j.Ended, j.Changes, j.Left = time.Now(), r.Changes.Changes, r.Incomplete
	if err != nil {
		j.Err = dropcap.AsError(err)
	}
	outcome := j.Outcome()
	k.mu.Unlock()
	text := "done"
	if err != nil {
		text = j.Err.Message
	}
	k.live.say(line{Of: j.Number, Kind: "end " + outcome, Text: render.Visible(text), At: clock()})
	k.live.touch(topicWork, topicHistory)
}

// stop has a job put back what it did so far.
func (k *work) stop(number int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, j := range k.jobs {
		if j.Number == number && j.Running() {
			j.Stopped = true
			j.cancel()
			return true
		}
	}
	return false
}

// end lets nothing begin any more, and has what is under way finished or rolled back.
func (k *work) end() {
	k.mu.Lock()
	k.ending = true
	for _, j := range k.jobs {
		j.cancel()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

func (k *work) running() bool {
	j, ok := k.last()
	return ok && j.Running()
}

// last returns a copy of the newest job.
func (k *work) last() (job, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.jobs) == 0 {
		return job{}, false
	}
	return *k.jobs[len(k.jobs)-1], true
}

func (k *work) job(number int) (job, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, j := range k.jobs {
		if j.Number == number {
			return *j, true
		}
	}
	return job{}, false
}

func clock() string { return time.Now().UTC().Format("15:04:05") }

// reporter is the observer of a job: what it is told becomes lines of all pages.
type reporter struct {
	work  *work
	job   *job
	lines host.Lines
	mu    sync.Mutex
}

// Progress shows effects as they end, and what is said.
func (o *reporter) Progress(p host.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch p := p.(type) {
	case host.Looked, host.PlanMade:
		return
	case host.Effect:
		text := o.lines.Of(p)
		if text == "" {
			return
		}
		l := line{Kind: "effect", Text: render.Visible(p.Effect.Says), At: clock(),
			Took: fmt.Sprintf("%.2f s", p.Took.Seconds())}
		if p.Err != nil {
			l.Kind, l.Text = "effect bad", l.Text+": "+render.Visible(p.Err.Error())
		}
		o.say(l)
	default:
		if text := o.lines.Of(p); text != "" {
			o.say(line{Kind: "note", Text: render.Visible(text), At: clock()})
		}
	}
}

func (o *reporter) say(l line) {
	l.Of = o.job.Number
	o.work.live.say(l)
}

// Warn shows a warning.
func (o *reporter) Warn(err error) {
	text := render.Visible(dropcap.AsError(err).Error())
	o.work.mu.Lock()
	o.job.Warned = append(o.job.Warned, text)
	o.work.mu.Unlock()
	o.say(line{Kind: "warning", Text: text, At: clock()})
}

// Ask answers with yes: whoever sent the form had read what it is about, and typed the name.
func (o *reporter) Ask(context.Context, string) error { return nil }
