package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// The bounds of answers. A container's description is about 10 KiB; a list is about 2 KiB for each.
const (
	maxOne  = 8 << 20
	maxList = 64 << 20
	// maxSkimmed limits what is read as it arrives and not kept.
	maxSkimmed = 1 << 30
)

// Do sends a request under the agreed API version and returns the status and the whole body,
// whatever the status. The path begins with "/containers/…"; a body is sent as JSON. The timeout of
// Options applies unless ctx has a deadline of its own.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values,
	body []byte) (status int, answer []byte, err error) {
	return c.send(ctx, request{method: method, path: "/v" + c.engine.agreed + path, query: query,
		body: body, max: maxList})
}

type request struct {
	method, path string
	query        url.Values
	body         []byte
	max          int64
}

func (r request) String() string { return r.method + " " + r.path }

// send sends one request and reads its answer within the bounds.
func (c *Client) send(ctx context.Context, r request) (int, []byte, error) {
	status, _, body, err := c.exchange(ctx, r, new(bytes.Buffer))
	return status, body, err
}

func (c *Client) exchange(ctx context.Context, r request,
	buf *bytes.Buffer) (status int, h http.Header, body []byte, err error) {
	err = c.ask(ctx, r, func(resp *http.Response) error {
		n, err := buf.ReadFrom(io.LimitReader(resp.Body, r.max+1))
		switch {
		case err != nil:
			return c.failed(ctx, r, fmt.Errorf("read body: %w", err))
		case n > r.max:
			return unreadable(r, tooLarge(r.max))
		}
		status, h, body = resp.StatusCode, resp.Header, buf.Bytes()
		return nil
	})
	return status, h, body, err
}

// tooLarge is the cause if an answer exceeds its bound.
type tooLarge int64

func (t tooLarge) Error() string { return fmt.Sprintf("it is larger than %d MiB", int64(t)>>20) }

// ask sends a request and reads its answer, all within one timeout.
func (c *Client) ask(ctx context.Context, r request, read func(*http.Response) error) error {
	limited := ctx
	if _, own := ctx.Deadline(); !own {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	req, err := c.request(limited, r)
	if err != nil {
		return c.failed(ctx, r, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.failed(ctx, r, err)
	}
	defer resp.Body.Close()
	return read(resp)
}

// skim gets a path and reads the answer as it arrives, of any length that an engine may send.
func (c *Client) skim(ctx context.Context, path string, query url.Values,
	read func(io.Reader) error) error {
	r := request{method: http.MethodGet, path: "/v" + c.engine.agreed + path, query: query}
	return c.ask(ctx, r, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			// only the start of a message is needed
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			return refusal(r, resp.StatusCode, body)
		}
		in := &bounded{r: resp.Body, left: maxSkimmed}
		err := read(in)
		switch {
		case err == nil:
			return nil
		case in.broken != nil:
			return c.failed(ctx, r, fmt.Errorf("read body: %w", in.broken))
		default:
			return unreadable(r, err)
		}
	})
}

func (c *Client) request(ctx context.Context, r request) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// buffers saves a pass over many containers from allocating a body for each. Decoded values never
// point into them.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// get gets a path under the agreed version and decodes the answer into v.
func (c *Client) get(ctx context.Context, path string, query url.Values, max int64, v any) error {
	return c.getAt(ctx, "/v"+c.engine.agreed+path, query, max, v)
}

func (c *Client) getAt(ctx context.Context, path string, query url.Values, max int64, v any) error {
	r := request{method: http.MethodGet, path: path, query: query, max: max}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 1<<20 { // do not keep a single huge one in memory
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	status, _, body, err := c.exchange(ctx, r, buf)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(r, status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return unreadable(r, jsonError(err))
	}
	return nil
}

// jsonError describes the error without quoting what was sent.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is not what it should be", strings.TrimPrefix(wrong.Field, "."))
	}
	return err
}
