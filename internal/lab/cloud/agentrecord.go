package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// workerTimeout is how long a restarted agent waits for the lost worker of a command
// (agent/framework/processor/executer/outofproc: the timeout of a zombie).
const workerTimeout = time.Minute

// vanished is what it then reports about the step; standard output and error are empty.
const vanished = "document process failed unexpectedly: ipc messaging received timeout signal , " +
	"check [ssm-document-worker]/[ssm-session-worker] log for crash reason"

// unreported is a message whose command has no reported end.
type unreported struct {
	ID, Step string
}

// recordFile returns the file of a message: in "current" until the end is reported, then in
// "completed".
func (a *Agent) recordFile(which, id string) string {
	return filepath.Join(a.Folder, which, strange().ReplaceAllString(id, "_"))
}

func (a *Agent) openBooks() error {
	for _, which := range []string{"current", "completed"} {
		if err := os.MkdirAll(filepath.Join(a.Folder, which), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// record records a message, and reports whether it is new.
func (a *Agent) record(id string, p payload) bool {
	if _, err := os.Lstat(a.recordFile("completed", id)); err == nil {
		return false
	}
	steps := stepsOf(p.DocumentContent)
	u := unreported{ID: id}
	if len(steps) > 0 {
		u.Step = steps[0].name
	}
	text, err := json.Marshal(u)
	if err != nil {
		return false
	}
	f, err := os.OpenFile(a.recordFile("current", id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return !errors.Is(err, fs.ErrExist) // without a record the command still runs
	}
	defer f.Close()
	_, _ = f.Write(text)
	return true
}

// markReported records that the end of a message's command was reported.
func (a *Agent) markReported(id string) {
	_ = os.Rename(a.recordFile("current", id), a.recordFile("completed", id))
}

// unfinished returns the commands that an earlier agent was running when it was killed.
func (a *Agent) unfinished() (list []unreported) {
	entries, _ := os.ReadDir(filepath.Join(a.Folder, "current")) // it was just created
	for _, e := range entries {
		var u unreported
		if text, err := os.ReadFile(filepath.Join(a.Folder, "current", e.Name())); err == nil &&
			json.Unmarshal(text, &u) == nil {
			list = append(list, u)
		}
	}
	return list
}

// reportLost reports a command without a worker as failed, and never runs it again.
func (a *Agent) reportLost(ctx context.Context, u unreported) {
	began := time.Now().UTC().Format(time.RFC3339)
	if a.Clock.Sleep(ctx, workerTimeout) != nil {
		return
	}
	s := plugin{status: "Failed", code: 1, output: vanished, started: began,
		ended: time.Now().UTC().Format(time.RFC3339)}
	if a.reply(ctx, u.ID, "Failed", map[string]any{u.Step: s.wire()}) {
		a.markReported(u.ID)
	}
}
