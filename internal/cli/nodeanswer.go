package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/kernel"
	"dropcap/internal/printable"
)

// Limits of what a receipt says besides its document.
const (
	mostSummary  = 300 // bytes
	mostMessages = 40
	mostMessage  = 500 // bytes of each
)

// printReceipt prints a line for people and the receipt from the offset on, so much that Run
// Command keeps all of it.
func (a *app) printReceipt(r dropcap.Receipt, q nodeRequest) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	part, err := frame.Encode(text)
	if err != nil {
		return err
	}
	if q.offset > 0 && q.offset >= part.Total {
		return usageError("ask from 0 on",
			"cannot print the receipt from character %d on: it has %d", q.offset, part.Total)
	}
	if !q.whole {
		part = part.Cut(q.offset, frame.Fits)
	}
	name := r.Request
	if name == "" {
		name = "-"
	}
	if _, err := fmt.Fprintf(a.out, "dropcap %s %s %d %s\n%s", name, r.State, r.Status,
		printable.Cut(r.Summary, mostSummary), part); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// messages are the last lines of what a program said. Its error is told elsewhere.
func messages(text string) []string {
	list := []string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "dropcap: error: ") ||
			strings.HasPrefix(line, "dropcap: hint: ") {
			continue
		}
		list = append(list, printable.Cut(line, mostMessage))
	}
	return list[max(0, len(list)-mostMessages):]
}

// failing is an error as a receipt has it.
func failing(err error) *dropcap.Failing {
	e := dropcap.AsError(err)
	return &dropcap.Failing{Code: e.Code, Message: printable.Cut(e.Message, 4*mostMessage),
		Hint: printable.Cut(e.Hint, mostMessage)}
}

// thisHost says who answers, without asking the engine.
func thisHost() dropcap.ReceiptHost {
	h := dropcap.ReceiptHost{Node: fromAgent("AWS_SSM_INSTANCE_ID", managedID), Dropcap: version()}
	if k, err := kernel.New("/"); err == nil {
		here := k.Host()
		h.ID, h.Name, h.Kernel = here.ID, printable.Cut(here.Name, mostSummary),
			printable.Cut(here.Release, mostSummary)
	}
	return h
}

// engineVersion is empty where no engine answers.
func (a *app) engineVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	h, err := a.open(ctx)
	if err != nil {
		return ""
	}
	defer h.Close()
	info, err := h.Host(ctx)
	if err != nil {
		return ""
	}
	return printable.Cut(info.Engine.Version, mostSummary)
}
