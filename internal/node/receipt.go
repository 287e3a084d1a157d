package node

import (
	"encoding/json"
	"fmt"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// Limits of a receipt's text besides its document.
const (
	mostSummary  = 300 // bytes
	mostMessages = 40
	mostMessage  = 500 // bytes of each
)

// maxDocument limits a verb's document, so that its receipt fits a frame.
const maxDocument = frame.MaxWhole - 1<<20

// Print returns what a node prints of a receipt: a line for people, and the receipt from the
// request's offset on, as much as Run Command keeps.
func Print(r dropcap.Receipt, q wire.Request) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	part, err := frame.Encode(text)
	if err != nil {
		return "", err
	}
	if q.Offset > 0 && q.Offset >= part.Total {
		return "", dropcap.Errorf(dropcap.CodeUsage, "ask from 0 on",
			"cannot print the receipt from character %d on: it has %d", q.Offset, part.Total)
	}
	if !q.Whole {
		part = part.Cut(q.Offset, frame.Fits)
	}
	name := r.Request
	if name == "" {
		name = "-"
	}
	return fmt.Sprintf("dropcap %s %s %d %s\n%s", name, r.State, r.Status,
		printable.Cut(r.Summary, mostSummary), part), nil
}

// failing returns an error in the form of a receipt.
func failing(err error) *dropcap.Failing {
	e := dropcap.AsError(err)
	return &dropcap.Failing{
		Code: e.Code, Message: printable.Cut(e.Message, 4*mostMessage),
		Hint: printable.Cut(e.Hint, mostMessage),
	}
}

// last returns the last lines of a receipt.
func last(lines []string) []string {
	return append([]string{}, lines[max(0, len(lines)-mostMessages):]...)
}
