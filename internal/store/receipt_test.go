package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/testenv"
)

func request(n int) string { return fmt.Sprintf("%032x", n) }

func begin(t *testing.T, s *Store, r dropcap.Receipt) {
	t.Helper()
	if _, begun, err := s.BeginReceipt(t.Context(), r); err != nil || !begun {
		t.Fatalf("begin %s: %v, %v", r.Request, begun, err)
	}
}

func TestARequestBeginsOnce(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	r := dropcap.Receipt{Request: request(1), Verb: "apply", State: dropcap.ReceiptRunning,
		Args: []string{"--all"}}
	begin(t, s, r)
	again := r
	again.Verb = "audit"
	if old, begun, err := s.BeginReceipt(t.Context(), again); err != nil || begun ||
		old.Verb != "apply" {
		t.Errorf("%+v, %v, %v", old, begun, err)
	}
	r.State, r.Document = dropcap.ReceiptDone, json.RawMessage(`{"a":1}`)
	if err := s.SaveReceipt(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, folder)
	if got, err := s.Receipt(t.Context(), request(1)); err != nil ||
		got.State != dropcap.ReceiptDone || string(got.Document) != `{"a":1}` {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Receipt(t.Context(), request(2)); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("one that there is not: %v", err)
	}
	if err := s.SaveReceipt(t.Context(), dropcap.Receipt{Request: request(2)}); !errors.Is(err,
		dropcap.ErrNotFound) {
		t.Errorf("saved without a beginning: %v", err)
	}
	begin(t, s, dropcap.Receipt{Request: request(0)})
	if list, err := s.Receipts(t.Context()); err != nil || len(list) != 2 ||
		list[0].Request != request(0) {
		t.Errorf("%+v, %v", list, err)
	}
}

// Exactly one of two processes begins each of many requests.
func TestTwoProcessesBeginEachRequestOnce(t *testing.T) {
	folder := t.TempDir() + "/s"
	both := []process{start(t, folder, "begin", "50"), start(t, folder, "begin", "50")}
	begun := map[string]int{}
	for _, p := range both {
		for p.out.Scan() {
			begun[p.out.Text()]++
		}
		if err := p.Wait(); err != nil {
			t.Fatal(err, begun)
		}
	}
	for n := range 50 {
		if begun[request(n)] != 1 {
			t.Errorf("request %d was begun %d times", n, begun[request(n)])
		}
	}
}

func TestOneWorksOnARequest(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	p := start(t, folder, "request", request(1))
	if !p.out.Scan() || p.out.Text() != "locked" {
		t.Fatal(p.out.Text())
	}
	if _, ok, err := s.LockRequest(request(1)); ok || err != nil {
		t.Errorf("a held one: %v, %v", ok, err)
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	held, ok, err := s.LockRequest(request(1))
	if !ok || err != nil {
		t.Fatalf("after its holder was killed: %v, %v", ok, err)
	}
	Release(held)
	if left, _ := os.ReadDir(folder + "/requests"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, bad := range []string{"", "../../x", strings.ToUpper(request(10))} {
		_, _, err := s.LockRequest(bad)
		checkSentence(t, err, "no name of one")
	}
}

func TestReceiptsAreTrimmedAndRequestsRemembered(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	put := func(n int, verb string, age time.Duration, state dropcap.ReceiptState) {
		r := dropcap.Receipt{Request: request(n), Verb: verb, State: state,
			Started: now.Add(-age).Format(time.RFC3339), Document: json.RawMessage(`{"x":1}`)}
		begin(t, s, r)
	}
	const day = 24 * time.Hour
	put(1, "audit", 40*day, dropcap.ReceiptDone)
	put(2, "apply", 40*day, dropcap.ReceiptRunning)
	put(3, "plan", 8*day, dropcap.ReceiptDone)
	put(4, "plan", 6*day, dropcap.ReceiptDone)
	put(5, "apply", 6*day, dropcap.ReceiptDone)
	for n := range KeptReceipts {
		put(100+n, "audit", time.Hour, dropcap.ReceiptDone)
	}
	if n, err := s.TrimReceipts(t.Context(), now); err != nil || n != 3 {
		t.Errorf("%d trimmed, %v", n, err)
	}
	for n, want := range map[int]string{1: "gone", 2: "whole", 3: "known", 4: "whole", 5: "known",
		100: "whole", 299: "whole"} {
		r, err := s.Receipt(t.Context(), request(n))
		got := "known"
		switch {
		case errors.Is(err, dropcap.ErrNotFound):
			got = "gone"
		case r.Document != nil && string(r.Document) != "null":
			got = "whole"
		}
		if got != want {
			t.Errorf("receipt %d is %s, want %s (%v)", n, got, want, err)
		}
	}
}

func TestARunIsGoneOnWith(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	run := dropcap.FleetRun{ID: "0123456789ab", Verb: "apply", State: dropcap.RunGoing}
	hosts := []dropcap.FleetHost{{Host: "1/r/i-2", Request: request(1)},
		{Host: "1/r/i-1", Request: request(2)}}
	if err := s.SaveHosts(t.Context(), run.ID, hosts); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("hosts of no run: %v", err)
	}
	for _, err := range []error{s.SaveRun(t.Context(), run), s.SaveHosts(t.Context(), run.ID,
		hosts), s.SaveRun(t.Context(), dropcap.FleetRun{ID: "b"})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	hosts[1].Sent, run.State = 3, dropcap.RunStopped
	for _, err := range []error{s.SaveRun(t.Context(), run), s.SaveHosts(t.Context(), run.ID,
		hosts[1:])} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, folder)
	got, list, err := s.Run(t.Context(), run.ID)
	if err != nil || got.State != dropcap.RunStopped || len(list) != 2 ||
		list[0].Host != "1/r/i-2" || list[1].Sent != 3 {
		t.Errorf("%+v %+v %v", got, list, err)
	}
	if _, _, err := s.Run(t.Context(), "none"); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("no run: %v", err)
	}
	if all, err := s.Runs(t.Context()); err != nil || len(all) != 2 || all[0].ID != "b" {
		t.Errorf("%+v %v", all, err)
	}
}

// A store of the second release is migrated, and loses nothing.
func TestAnOlderStoreGetsReceipts(t *testing.T) {
	folder := t.TempDir() + "/s"
	s := open(t, folder)
	mustAdd(t, s, "w", "r")
	journal(t, s, "a", dropcap.Applied,
		map[string]json.RawMessage{"original": json.RawMessage(`{}`)})
	for _, q := range []string{"DROP TABLE hardening", "DROP TABLE trial", "DROP TABLE fleet_host",
		"DROP TABLE fleet_run",
		"DROP TABLE receipt", "PRAGMA user_version = 2"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, folder)
	begin(t, s, dropcap.Receipt{Request: request(1)})
	if list, err := s.Changes(t.Context()); err != nil || ids(list) != "a=applied" ||
		len(evidence(t, s)) != 1 {
		t.Errorf("%s, %v", ids(list), err)
	}
}

func TestDamagedReceiptsAndRunsAreNotRead(t *testing.T) {
	s := open(t, t.TempDir()+"/s")
	begin(t, s, dropcap.Receipt{Request: request(1)})
	run := dropcap.FleetRun{ID: "a"}
	for _, err := range []error{s.SaveRun(t.Context(), run),
		s.SaveHosts(t.Context(), "a", []dropcap.FleetHost{{Host: "h"}})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		change string
		read   func() error
	}{
		{"UPDATE receipt SET document = x'7b7d'", func() error {
			_, err := s.Receipt(t.Context(), request(1))
			return err
		}},
		{"SELECT 1", func() error { _, err := s.Receipts(t.Context()); return err }},
		{"SELECT 1", func() error {
			_, _, err := s.BeginReceipt(t.Context(), dropcap.Receipt{Request: request(1)})
			return err
		}},
		{"UPDATE fleet_host SET document = x'7b7d'", func() error {
			_, _, err := s.Run(t.Context(), "a")
			return err
		}},
		{"UPDATE fleet_run SET document = x'7b7d'", func() error {
			_, err := s.Runs(t.Context())
			return err
		}},
	} {
		if _, err := s.db.Exec(c.change); err != nil {
			t.Fatal(err)
		}
		checkSentence(t, c.read(), "damaged")
	}
}

func TestAReceiptOnAFullDiskStaysAsItWas(t *testing.T) {
	dir := testenv.SmallDisk(t, "256k")
	s := open(t, dir+"/s")
	begin(t, s, dropcap.Receipt{Request: request(1), State: dropcap.ReceiptRunning})
	testenv.Fill(t, dir+"/filler")
	big := json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
	checkSentence(t, s.SaveReceipt(context.Background(), dropcap.Receipt{Request: request(1),
		State: dropcap.ReceiptDone, Document: big}), "the disk is full")
	if r, err := s.Receipt(t.Context(), request(1)); err != nil ||
		r.State != dropcap.ReceiptRunning {
		t.Errorf("%+v, %v", r, err)
	}
}
