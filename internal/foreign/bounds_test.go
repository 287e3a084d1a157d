package foreign_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/foreign"
)

// filled is a document of so many bytes that has one thing again and again.
func filled(head, one, tail string, size int) []byte {
	n := (size - len(head) - len(tail)) / (len(one) + 1)
	return []byte(head + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + tail)
}

// worst are documents of strangers that become much more than they are, in all places where a list
// may stand.
var worst = map[string]struct {
	head, one, tail string
	into            func() any
}{
	"containers": {`{"schema":"dropcap.audit/v1","containers":[`, `{}`, `]}`, func() any {
		return &dropcap.Audit{}
	}},
	"other spelling": {`{"Schema":"dropcap.audit/v1","CONTAINER\u0053":[`, `{}`, `]}`, func() any {
		return &dropcap.Audit{}
	}},
	"pointers": {`{"containers":[`, `{"kernel":{"bounding":[]},"predicted":[]}`, `]}`, func() any {
		return &dropcap.Audit{}
	}},
	"findings": {`{"containers":[{"findings":[`, `{}`, `]}]}`, func() any {
		return &dropcap.Audit{}
	}},
	"processes": {`{"containers":[{"kernel":{"processes":[`, `{}`, `]}}]}`, func() any {
		return &dropcap.Audit{}
	}},
	"numbers": {`{"containers":[{"kernel":{"processes":[{"pids":[`, `1`, `]}]}}]}`, func() any {
		return &dropcap.Audit{}
	}},
	"empty texts": {`{"containers":[{"labels":[`, `""`, `]}]}`, func() any {
		return &dropcap.Audit{}
	}},
	"a set": {`{"containers":[{"predicted":[`, `"a"`, `]}]}`, func() any {
		return &dropcap.Audit{}
	}},
	"steps": {`{"schema":"dropcap.plan/v1","steps":[`, `{}`, `]}`, func() any {
		return &dropcap.Plan{}
	}},
	"changes": {`{"schema":"dropcap.change/v1","changes":[`, `{}`, `]}`, func() any {
		return &dropcap.Changes{}
	}},
	"workloads": {`{"schema":"dropcap.evidence/v1","workloads":[`, `{}`, `]}`, func() any {
		return &dropcap.Evidence{}
	}},
	"messages": {`{"schema":"dropcap.receipt/v1","messages":[`, `""`, `]}`, func() any {
		return &dropcap.Receipt{}
	}},
	"raw parts": {`[`, `{}`, `]`, func() any { return &[]json.RawMessage{} }},
	"whatever":  {`[`, `{"a":1}`, `]`, func() any { var v any; return &v }},
	"unknown":   {`{"x":[`, `1`, `]}`, func() any { return &dropcap.Receipt{} }},
}

// live is what lives while a document is there, in bytes, besides its text.
func live(do func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := do()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// Of whatever a host sends, no more comes to live than four times what it may send; what would be
// more is refused before any of it is made.
func TestNoDocumentBecomesMoreThanItMay(t *testing.T) {
	for name, w := range worst {
		for _, size := range []int{16 << 20, 2 << 20} {
			raw := filled(w.head, w.one, w.tail, size)
			if !json.Valid(raw) {
				t.Fatalf("%s is no JSON", name)
			}
			var err error
			got := live(func() any {
				v := w.into()
				err = foreign.Decode(raw, v)
				return v
			})
			if got > foreign.MaxDecoded {
				t.Errorf("%s, %d MiB: %d MiB live, %v", name, size>>20, got>>20, err)
			}
		}
	}
	doc := dropcap.HostDocument{Host: "1/r/i", Document: filled(worst["containers"].head, "{}",
		"]}", 16<<20)}
	var total runtime.MemStats
	runtime.ReadMemStats(&total)
	before := total.TotalAlloc
	_, err := foreign.Audit(doc)
	runtime.ReadMemStats(&total)
	if made := total.TotalAlloc - before; err == nil ||
		!strings.Contains(err.Error(),
			"there is too much in it: more values than fit into 128 MiB") || made > 1<<20 {
		t.Errorf("%v, and %d MiB were made", err, made>>20)
	}
}

func TestWhatHostsReallyHaveIsTaken(t *testing.T) {
	names :=
		`["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID","CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SYS_CHROOT"]`
	one := `{"id":"` + strings.Repeat("a", 64) +
		`","name":"shop-web-1","image":"registry.example.com/shop/web:1","image_id":"sha256:` +
		strings.Repeat("b", 64) + `","state":"running",
		"owner":{"kind":"compose","project":"shop","service":"web"},"declared":{"privileged":false,"cap_add":null,"cap_drop":["ALL"]},"predicted":` + names + `,
		"kernel":{"visible":true,"bounding":` + names + `,"effective":` + names + `,"permitted":` + names + `,"inheritable":[],"ambient":[],
		"processes":[{"pids":[1],"count":1,"comm":"nginx","bounding":"00000000a80425fb"},{"pids":[2],"count":1,"comm":"nginx","bounding":"00000000a80425fb"}]},"verdict":"fail",
		"findings":[{"rule":"net-raw","severity":"high","caps":["CAP_NET_RAW"],"because":"it holds CAP_NET_RAW, and nothing says that it needs it","fix":"drop it","waiver":null}]}`
	raw := filled(`{"schema":"dropcap.audit/v1","containers":[`, one, `]}`, foreign.MaxDocument)
	a, err := foreign.Audit(dropcap.HostDocument{Host: "1/r/i", Document: raw})
	if err != nil || len(a.Containers) < 20000 {
		t.Errorf("%d containers, %v", len(a.Containers), err)
	}
}

func TestDepthAndTextsHaveBounds(t *testing.T) {
	for name, raw := range map[string]string{
		"deep": strings.Repeat("[", 70) + strings.Repeat("]", 70),
		"deep where unread": `{"x":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70) +
			`}`,
		"long": `{"summary":"` + strings.Repeat("x", 5<<20) + `"}`,
	} {
		if err := foreign.Decode([]byte(raw), &dropcap.Receipt{}); !errors.Is(err,
			foreign.ErrTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is within the bounds is decoded as ever.
func FuzzDecode(f *testing.F) {
	for _, w := range worst {
		f.Add(filled(w.head, w.one, w.tail, 200))
	}
	f.Add([]byte(`{"a":1}x`))
	f.Add([]byte(` {"summary" : "\"\\" , "document":{"b":[{}]} } `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, into := range []func() any{func() any {
			return &dropcap.Receipt{}
		}, func() any { return &dropcap.Audit{} }, func() any { return &dropcap.Evidence{} },
			func() any { var v any; return &v }} {
			got, want := into(), into()
			err, as := foreign.Decode(raw, got), json.Unmarshal(raw, want)
			if errors.Is(err, foreign.ErrTooMuch) {
				continue
			}
			if (err == nil) != (as == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("%T of %q: %v, and as ever %v", got, raw, err, as)
			}
		}
	})
}
