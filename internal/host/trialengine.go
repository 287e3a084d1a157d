package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dropcap"
	"dropcap/internal/trial"
)

// trialEngine is the engine and /proc as a trial asks for them.
type trialEngine struct{ learnEngine }

func (e trialEngine) Events(ctx context.Context) (<-chan trial.Event, error) {
	in, err := e.Client.Events(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	out := make(chan trial.Event, cap(in))
	go func() {
		defer close(out)
		for ev := range in {
			x := trial.Event{
				Action: ev.Action, ID: ev.ID, Signal: ev.Signal, Exit: ev.Exit, Health: ev.Health,
				Exec: ev.Exec, Ran: ev.Ran,
			}
			select {
			case out <- x:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// See looks at a container. What cannot be denied anything is told as such.
func (e trialEngine) See(ctx context.Context, id string) (trial.Container, error) {
	c, err := e.learnEngine.See(ctx, id)
	if err != nil {
		return trial.Container{}, err
	}
	d, err := e.Client.Details(ctx, c.ID)
	if err != nil {
		return trial.Container{}, err
	}
	out := trial.Container{
		ID: c.ID, Name: c.Name, Workload: c.Workload, Revision: c.Revision, ImageID: c.ImageID,
		Running: c.Running(), Paused: c.State == "paused",
		Ran:   !d.FinishedAt.IsZero() || c.Running(),
		Check: d.Health, Health: d.HealthStatus, StopSignal: d.StopSignal,
		Restarts: d.RestartCount, Started: d.StartedAt,
	}
	if c.Predicted != nil {
		out.Holds = *c.Predicted
	}
	if held := c.Holds(); held != nil {
		out.Holds |= *held
	}
	if !c.Running() {
		return out, nil
	}
	out.Cgroup, err = e.Cgroup(c)
	switch {
	case errors.Is(err, dropcap.ErrGone): // between two looks
	case err != nil:
		out.Cannot = "its checks cannot be told from others': " + err.Error()
	}
	return out, nil
}

// Probe runs a program of this host, and one in the container, as far as each is named. What they
// print is not repeated: it may be a secret.
func (e trialEngine) Probe(ctx context.Context, id string, p trial.Probe) error {
	if len(p.Host) > 0 {
		result, err := RunProgram(ctx, dropcap.Run{Args: p.Host, Dir: "/"})
		if err == nil && result.Status != 0 {
			err = fmt.Errorf("exit status %d", result.Status)
		}
		if err != nil {
			return fmt.Errorf("--probe %s: %w", p.Host[0], err)
		}
	}
	if len(p.Container) > 0 {
		if err := e.probeExec(ctx, id, p.Container); err != nil {
			return fmt.Errorf("--probe-exec %s: %w", p.Container[0], err)
		}
	}
	return nil
}

// probePoll is how often it is looked whether a probe in a container has ended.
const probePoll = 200 * time.Millisecond

func (e trialEngine) probeExec(ctx context.Context, id string, args []string) error {
	body, err := json.Marshal(map[string]any{"Cmd": args})
	if err != nil {
		return err
	}
	var made struct {
		ID string `json:"Id"`
	}
	if err := e.ask(ctx, http.MethodPost, "/containers/"+id+"/exec", body, &made); err != nil {
		return err
	}
	if !execID.MatchString(made.ID) {
		return errors.New("the engine's answer names no exec")
	}
	path := "/exec/" + made.ID
	err = e.ask(ctx, http.MethodPost, path+"/start", []byte(`{"Detach":true}`), nil)
	for err == nil {
		var x struct {
			Running  bool
			ExitCode *int
		}
		if err = e.ask(ctx, http.MethodGet, path+"/json", nil, &x); err != nil {
			break
		}
		if !x.Running && x.ExitCode != nil {
			if *x.ExitCode != 0 {
				return fmt.Errorf("exit status %d", *x.ExitCode)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("it did not end in time")
		case <-time.After(probePoll):
		}
	}
	return err
}

// ask sends a request to the engine and reads its answer.
func (e trialEngine) ask(ctx context.Context, method, path string, body []byte, into any) error {
	_, answer, err := e.Do(ctx, method, path, nil, body)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}
