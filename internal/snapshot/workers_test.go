package snapshot

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"dropcap"
)

// hanging is an engine that answers about containers only when all are asked about at once.
type hanging struct {
	engine
	all sync.WaitGroup
}

func (h *hanging) Inspect(ctx context.Context, id string) (dropcap.Container, error) {
	h.all.Done()
	met := make(chan bool)
	go func() { h.all.Wait(); close(met) }()
	select {
	case <-met:
		return dropcap.Container{ID: id, Name: id, State: "exited"}, nil
	case <-ctx.Done():
		return dropcap.Container{}, ctx.Err()
	}
}

// Few workers do for an engine that answers; one that does not gets as many as ever.
func TestAnEngineThatHangsIsAskedAboutManyAtOnce(t *testing.T) {
	const most = 40
	h := &hanging{}
	h.all.Add(most)
	for i := range most {
		h.order = append(h.order, fmt.Sprintf("%064d", i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Take(ctx, h, &eyes{}, nowhere, Query{Parallel: most})
	if err != nil || len(s.Containers) != most {
		t.Fatalf("%d containers: %v", len(s.Containers), err)
	}
}
